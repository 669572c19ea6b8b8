/** More than any signature of ours (RSA-4096: 512), so that CKR_BUFFER_TOO_SMALL cannot happen and leave the operation open. */
const SIGNATURE_BYTES_MAX = 1024;

/** What C_Sign writes into. */
export function newOutput(): Buffer {
  return Buffer.alloc(SIGNATURE_BYTES_MAX);
}
