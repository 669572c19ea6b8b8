import { randomBytes } from 'node:crypto';
import { algorithmsOf } from '../../algorithms.js';
import type { Config } from '../../config/schema.js';
import { type KeyStatus, SignerState } from '../../gen/signet/v1/admin.js';
import { isGenuine } from '../is-genuine.js';
import { ask, onAdminSocket, onKeySocket, onSigningSocket } from '../service.js';
import { listServiceKeys, type ServiceKey } from '../service-keys.js';
import { type Finding, fault, fine, warning } from './finding.js';

/** Whether the service runs and its tokens answer. Asks on the admin socket. */
export async function lookAtTokens(config: Config): Promise<Finding[]> {
  try {
    const { signers, keys } = await onAdminSocket(config, (admin) => ask(admin, admin.getStatus, {}));
    const tokens = config.tokens.map(({ name }) => {
      const own = signers.filter(({ token }) => token === name);
      if (own.some(({ state }) => state === SignerState.SIGNER_STATE_READY))
        return fine('token', `token ${name} answers`);
      const why = own.map(({ lastError }) => lastError).find(Boolean);
      const remedy =
        'look at the module, its environment and the PIN in signet.yaml; "signet check" and the log of the service tell more';
      return fault('token', `token ${name} has no signer that is ready${why ? `: ${why}` : ''}`, remedy);
    });
    if (keys.length === 0) tokens.push(warning('token', 'the tokens hold no key', 'make one: "signet keys generate"'));
    return [...tokens, ...keys.flatMap(disabled)];
  } catch (error) {
    const remedy = 'start it ("signet serve"), or ask as a user who may open the admin socket';
    return [fault('token', `the service cannot be asked: ${(error as Error).message}`, remedy)];
  }
}

function disabled({ key, disabled }: KeyStatus): Finding[] {
  const label = key?.label ?? '';
  if (!disabled) return [];
  return [
    warning('signature', `${label}: the key was taken out of use`, `"signet keys enable --key ${label}" puts it back`),
  ];
}

/** One signature with each key that the caller may use, of what a TLS 1.3 server signs; and verified. */
export async function tryKeys(config: Config): Promise<Finding[]> {
  const [first] = config.grpc.unix;
  if (first === undefined) {
    return [
      warning(
        'signature',
        'no signature was tried: there is no gRPC socket (grpc.unix)',
        'add one to signet.yaml, for tries',
      ),
    ];
  }
  try {
    const keys = await onKeySocket(config, undefined, listServiceKeys);
    if (keys.length === 0) {
      const remedy = 'grant it one with the use tls13-server in signet.yaml, for tries';
      return [warning('signature', `no signature was tried: this user may use no key on ${first.path}`, remedy)];
    }
    return await Promise.all(keys.map((key) => tryKey(config, key)));
  } catch (error) {
    return [
      fault('signature', `no signature could be tried: ${(error as Error).message}`, 'see what is said of the token'),
    ];
  }
}

async function tryKey(config: Config, { key, label }: ServiceKey): Promise<Finding> {
  const algorithm = algorithmsOf(key).find(({ name }) => !name.startsWith('rsa_pkcs1'));
  if (algorithm === undefined)
    return warning('signature', `${label}: no SignatureScheme of TLS 1.3 fits it`, 'make a key of another type');
  const message = Buffer.concat([
    Buffer.alloc(64, ' '),
    Buffer.from('TLS 1.3, server CertificateVerify\0'),
    randomBytes(TRANSCRIPT_BYTES),
  ]);
  const request = {
    spkiSha256: Buffer.from(key.spkiSha256, 'hex'),
    scheme: algorithm.scheme,
    timeoutUs: 0,
    attemptId: randomBytes(16),
    input: { $case: 'message' as const, value: message },
  };
  try {
    const { signature } = await onSigningSocket(config, undefined, (signing) => ask(signing, signing.sign, request));
    if (isGenuine(key, algorithm, message, signature)) {
      return fine('signature', `${label}: a signature was made with ${algorithm.name} and verified`);
    }
    return fault(
      'signature',
      `${label}: the signature is wrong`,
      'the token is faulty, or holds another private key beside that public key',
    );
  } catch (error) {
    const remedy = 'see the audit file; this try needs a grant with the use tls13-server';
    return fault('signature', `${label}: ${(error as Error).message}`, remedy);
  }
}

/** SHA-256 of the handshake; any bytes will do. */
const TRANSCRIPT_BYTES = 32;
