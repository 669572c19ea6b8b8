import { type Command, Option } from 'commander';
import { type Algorithm, algorithmsOf, fitsKey } from '../../algorithms.js';
import type { PlacedConfig } from '../../config/load.js';
import type { Explanation } from '../../policy/explain.js';
import type { PublicKey } from '../../public-key.js';
import { USES, type Use } from '../../sign-job.js';
import { act, type Cli } from '../cli.js';
import { CliError } from '../cli-error.js';
import { configFileOf } from '../configured.js';
import { readInput } from '../files.js';
import { type KeyOptions, requireKeyOption } from '../key-options.js';
import { schemeOption } from '../scheme-option.js';

interface Options extends KeyOptions {
  readonly principal: string;
  readonly use?: Use;
  readonly message?: string;
  readonly scheme?: Algorithm;
  readonly spki?: string;
}

export function registerPolicyTest(policy: Command, cli: Cli): void {
  const command = requireKeyOption(policy.command('test'))
    .description('whether a principal may have something signed, and which grant says so; asks no token and no service')
    .requiredOption('--principal <name>', 'the name of the principal')
    .addOption(new Option('--use <use>', 'a use (default: all)').choices(USES).conflicts('message'))
    .option('--message <file>', 'what would be signed: its use is recognised; "-" is stdin')
    .option('--spki <file>', 'the public key, PEM or DER, instead of looking it up in the catalogue file');
  act<Options>(schemeOption(command), cli, (options) => test(options, cli));
}

async function test(options: Options, cli: Cli) {
  const [{ loadPlacedConfig }, { explain }, { MemoryState }, keys] = await Promise.all([
    import('../../config/load.js'),
    import('../../policy/explain.js'),
    import('../../policy/memory-state.js'),
    import('../catalogue-keys.js'),
  ]);
  const placed = loadPlacedConfig(configFileOf(options, cli));
  const { config } = placed;
  const principal = principalOf(placed, options.principal);
  const key = options.spki
    ? keys.keyInFile(options.spki, options.key)
    : await keys.keyInCatalogue(config.catalogue_file, options.key);
  const message = options.message === undefined ? undefined : await readInput(options.message, cli, MESSAGE_BYTES_MAX);
  const algorithms = algorithmsFor(key.key, options.scheme);
  const quotas = new MemoryState(config.limits);
  const explanation = explain(config, quotas, principal, key, { use: options.use, message, algorithms });
  if (explanation.given.length === 0) throw new CliError('refused', refusalOf(explanation, options, placed));
  const given = explanation.given.map(({ use, grant, algorithm }) => {
    return { use, scheme: algorithm.name, grant, place: placed.place(['grants', grant]) };
  });
  const lines = given.map(
    ({ use, scheme, grant, place }) => `allowed: ${use} with ${scheme}, by grants[${grant}] (${place})\n`,
  );
  return { data: { allowed: true, given }, text: lines.join('') };
}

/** sign.proto, SignRequest.message. */
const MESSAGE_BYTES_MAX = 16_384;

function principalOf({ config }: PlacedConfig, name: string): string {
  if (config.principals.some((principal) => principal.name === name)) return name;
  const known = config.principals.map((principal) => principal.name).join(', ');
  throw new CliError(
    'usage',
    `--principal: expected one of ${known || 'none, for there is no principal'}; "${name}" came`,
  );
}

function algorithmsFor(key: PublicKey, asked: Algorithm | undefined): readonly Algorithm[] {
  const fitting = algorithmsOf(key);
  if (asked === undefined) return fitting;
  if (fitsKey(asked, key)) return [asked];
  const names = fitting.map(({ name }) => name).join(', ');
  throw new CliError('usage', `--scheme: this key signs with ${names}; "${asked.name}" came`);
}

function refusalOf({ inTheWay, shown }: Explanation, options: Options, placed: PlacedConfig): string {
  const what = options.use ?? shown ?? (options.message === undefined ? 'anything' : 'a message that shows no use');
  const first = `refused: ${what} for "${options.principal}" with this key`;
  if (inTheWay.length === 0) return `${first}: no grant names them both`;
  const reasons = inTheWay.map(
    ({ grant, mismatch }) => `  grants[${grant}] (${placed.place(['grants', grant])}) ${REASONS[mismatch]}`,
  );
  return [`${first}:`, ...reasons].join('\n');
}

const REASONS: Readonly<Record<Explanation['inTheWay'][number]['mismatch'], string>> = {
  use: 'does not give this use',
  expired: 'has expired',
  scheme: 'does not give this scheme',
  group: "does not admit the message's group",
  pssOnly: 'would give it, but the key is marked pss_only',
  tls13Only: 'would give it, but the key is marked tls13_only',
  ca: 'would give it, but the key is marked ca',
};
