import t from 'tap';
import { SignatureScheme, type SignRequest } from './gen/signet/v1/sign.js';
import { parseSignRequest } from './sign-request.js';

const P256 = SignatureScheme.SIGNATURE_SCHEME_ECDSA_SECP256R1_SHA256;

function request(changes: Partial<SignRequest> = {}): SignRequest {
  return {
    spkiSha256: Buffer.alloc(32, 0xab),
    scheme: P256,
    input: { $case: 'message', value: Buffer.from('m') },
    timeoutUs: 5,
    attemptId: Buffer.alloc(0),
    ...changes,
  };
}

const message = (bytes: number) => ({ $case: 'message' as const, value: Buffer.alloc(bytes) });
const digest = (bytes: number) => ({ $case: 'digest' as const, value: Buffer.alloc(bytes) });

t.test('a request of the right form is parsed', async (t) => {
  const parsed = parseSignRequest(request({ attemptId: Buffer.alloc(16, 1) }));
  t.equal(parsed.spkiSha256, 'ab'.repeat(32));
  t.equal(parsed.algorithm.name, 'ecdsa_secp256r1_sha256');
  t.same(parsed.input, Buffer.from('m'));
  t.equal(parsed.inputIsDigest, false);
  t.equal(parsed.timeoutUs, 5);
  t.equal(parsed.attemptId, '01'.repeat(16));
});

t.test('the longest message and a digest of the right length are taken', async (t) => {
  t.equal(parseSignRequest(request({ input: message(16_384) })).input.length, 16_384);
  t.equal(parseSignRequest(request({ input: digest(32) })).inputIsDigest, true);
});

t.test('what is wrong is said: what was expected, what came, what to do', async (t) => {
  const cases: [Partial<SignRequest>, RegExp][] = [
    [{ spkiSha256: Buffer.alloc(31) }, /^expected spki_sha256 of 32 bytes; 31 came; send /],
    [{ attemptId: Buffer.alloc(15) }, /^expected attempt_id of 16 bytes; 15 came; send /],
    [{ scheme: 0x0201 as SignatureScheme }, /^expected a SignatureScheme of sign.proto; 0x0201 came; use /],
    [{ scheme: -1 as SignatureScheme }, /; -1 came; /],
    [{ scheme: SignatureScheme.SIGNATURE_SCHEME_UNSPECIFIED }, /; 0x0000 came; /],
    [{ input: undefined }, /^expected a message or a digest in input; none came; send /],
    [{ input: message(0) }, /^expected a message of 1 to 16384 bytes; 0 came; /],
    [{ input: message(16_385) }, /; 16385 came; hash a longer one and send the digest$/],
    [{ input: digest(31) }, /^expected a digest of 32 bytes for ecdsa_secp256r1_sha256; 31 came; hash with sha256$/],
    [
      { input: digest(32), scheme: SignatureScheme.SIGNATURE_SCHEME_ED25519 },
      /^expected a message for ed25519.* send the message$/,
    ],
    [{ input: digest(32), scheme: SignatureScheme.SIGNATURE_SCHEME_RSA_PSS_RSAE_SHA384 }, /a digest of 48 bytes/],
  ];
  for (const [changes, expected] of cases) {
    t.throws(() => parseSignRequest(request(changes)), { code: 'invalid_argument', message: expected });
  }
});
