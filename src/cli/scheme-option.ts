import { type Command, InvalidArgumentError } from 'commander';
import { type Algorithm, algorithmNamed } from '../algorithms.js';

/** `--scheme`: an IANA SignatureScheme; the default is the key's first in the table of algorithms. */
export function schemeOption(command: Command): Command {
  return command.option('--scheme <name>', 'TLS signature scheme, such as ecdsa_secp256r1_sha256', schemeArgument);
}

function schemeArgument(text: string): Algorithm {
  const algorithm = algorithmNamed(text);
  if (algorithm) return algorithm;
  throw new InvalidArgumentError('expected the name of a TLS SignatureScheme, such as rsa_pss_rsae_sha256 or ed25519');
}
