import type { Command } from 'commander';
import type { Algorithm } from '../../algorithms.js';
import { act, type Cli, talk } from '../cli.js';
import { CliError } from '../cli-error.js';
import { configOf } from '../configured.js';
import { readFile, readInput } from '../files.js';
import { isGenuine } from '../is-genuine.js';
import { type KeyOptions, requireKeyOption, socketOption } from '../key-options.js';
import { schemeOption } from '../scheme-option.js';
import { algorithmFor } from './sign.js';

interface Options extends KeyOptions {
  readonly scheme?: Algorithm;
  readonly in?: string;
  readonly signature: string;
  readonly socket?: string;
}

export function registerVerify(program: Command, cli: Cli): void {
  const command = requireKeyOption(program.command('verify'))
    .description('verify a signature here, with the public key that the running service shows')
    .option('--in <file>', 'the message that was signed (default: stdin)')
    .requiredOption('--signature <file>', 'the signature, as `signet sign` gave it: base64 or raw');
  act<Options>(socketOption(schemeOption(command)), cli, (options) => verify(options, cli));
}

async function verify(options: Options, cli: Cli) {
  const signature = signatureOf(readFile(options.signature));
  const message = await readInput(options.in, cli, MESSAGE_BYTES_MAX);
  const config = await configOf(options, cli);
  const [service, { getServiceKey }] = await Promise.all([import('../service.js'), import('../service-keys.js')]);
  const { key } = await service.onKeySocket(config, options.socket, (keys) => getServiceKey(keys, options.key));
  const algorithm = algorithmFor(key, options.scheme);
  if (!isGenuine(key, algorithm, message, signature)) {
    throw new CliError('failed', `the signature is not one of this key over this message with ${algorithm.name}`);
  }
  talk(cli, `the signature is right: ${algorithm.name}`);
  return { data: { verified: true, scheme: algorithm.name, spki_sha256: key.spkiSha256 }, text: '' };
}

const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;

/** Text of base64 only is what `signet sign` prints. No raw signature of ours is: it would have to be all letters by chance. */
function signatureOf(content: Buffer): Buffer {
  const text = content.toString('latin1').trim();
  return /^[A-Za-z0-9+/\s]{40,}={0,2}$/.test(text) ? Buffer.from(text, 'base64') : content;
}
