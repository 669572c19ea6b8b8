import { createHash, randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { type Algorithm, algorithmsOf, fitsKey } from '../../algorithms.js';
import type { SignRequest } from '../../gen/signet/v1/sign.js';
import type { PublicKey } from '../../public-key.js';
import { act, type Cli, talk } from '../cli.js';
import { CliError } from '../cli-error.js';
import { configOf } from '../configured.js';
import { deliver, readInput } from '../files.js';
import { type KeyOptions, outOption, requireKeyOption, socketOption } from '../key-options.js';
import { schemeOption } from '../scheme-option.js';

interface Options extends KeyOptions {
  readonly scheme?: Algorithm;
  readonly in?: string;
  readonly digest?: boolean;
  readonly socket?: string;
  readonly out?: string;
}

export function registerSign(program: Command, cli: Cli): void {
  const command = requireKeyOption(program.command('sign'))
    .description('try one signature through the running service; needs a grant with the use "digest"')
    .option('--in <file>', 'what to sign (default: stdin)')
    .option('--digest', 'the input is a digest already: 32, 48 or 64 bytes, as the scheme says');
  act<Options>(outOption(socketOption(schemeOption(command))), cli, (options) => sign(options, cli));
}

async function sign(options: Options, cli: Cli) {
  const input = await readInput(options.in, cli, INPUT_BYTES_MAX);
  const config = await configOf(options, cli);
  const [service, { getServiceKey }] = await Promise.all([import('../service.js'), import('../service-keys.js')]);
  const { key } = await service.onKeySocket(config, options.socket, (keys) => getServiceKey(keys, options.key));
  const algorithm = algorithmFor(key, options.scheme);
  const request = requestOf(key, algorithm, input, options.digest === true);
  const { signature, queueUs, tokenUs } = await service.onSigningSocket(config, options.socket, (signing) =>
    service.ask(signing, signing.sign, request),
  );
  talk(cli, `${algorithm.name}: ${queueUs} µs in the queue, ${tokenUs} µs in the token`);
  const base64 = signature.toString('base64');
  const data = {
    signature: base64,
    scheme: algorithm.name,
    spki_sha256: key.spkiSha256,
    queue_us: queueUs,
    token_us: tokenUs,
  };
  return deliver(options.out === undefined ? `${base64}\n` : signature, data, options.out, cli);
}

/** A quick try, not a tool for archives. */
const INPUT_BYTES_MAX = 64 * 1024 * 1024;
/** sign.proto, SignRequest.message. */
const MESSAGE_BYTES_MAX = 16_384;

/** The scheme asked for, or the key's preferred one. Throws CliError usage if it does not fit the key. */
export function algorithmFor(key: PublicKey, asked: Algorithm | undefined): Algorithm {
  const fitting = algorithmsOf(key);
  const algorithm = asked ?? fitting[0];
  if (algorithm && fitsKey(algorithm, key)) return algorithm;
  const names = fitting.map(({ name }) => name).join(', ');
  throw new CliError('usage', `--scheme: this key signs with ${names}; "${asked?.name}" came`);
}

/** A message too long for the wire is hashed here; Ed25519 signs the message itself, so there it is an error. */
function requestOf(key: PublicKey, algorithm: Algorithm, input: Buffer, isDigest: boolean): SignRequest {
  const fixed = {
    spkiSha256: Buffer.from(key.spkiSha256, 'hex'),
    scheme: algorithm.scheme,
    timeoutUs: 0,
    attemptId: randomBytes(16),
  };
  if (isDigest) return { ...fixed, input: { $case: 'digest', value: input } };
  if (input.length <= MESSAGE_BYTES_MAX) return { ...fixed, input: { $case: 'message', value: input } };
  if (algorithm.hash === undefined) {
    throw new CliError('usage', `ed25519 signs messages of at most ${MESSAGE_BYTES_MAX} bytes; ${input.length} came`);
  }
  return { ...fixed, input: { $case: 'digest', value: createHash(algorithm.hash).update(input).digest() } };
}
