import { SignetError } from './errors.js';

/** How people name a key: by label, CKA_ID or SPKI SHA-256. */
export interface KeyName {
  readonly by: 'label' | 'id' | 'spki';
  /** id and spki: lowercase hexadecimal. */
  readonly value: string;
}

/** `label:NAME`, `id:HEX`, `spki:HEX`, or a bare label. Throws SignetError invalid_argument. */
export function parseKeyName(text: string): KeyName {
  const [, by, rest] = /^(label|id|spki):(.*)$/s.exec(text) ?? [];
  if (by === undefined || rest === undefined) return labelled(text);
  if (by === 'label') return labelled(rest);
  const value = rest.toLowerCase();
  const form = by === 'id' ? ID : SPKI;
  if (!form.test(value)) {
    const expected = by === 'id' ? '1 to 64 bytes' : 'the 32 bytes of a SHA-256';
    throw new SignetError('invalid_argument', `expected ${by}: and ${expected} in hexadecimal; "${text}" came`);
  }
  return { by: by === 'id' ? 'id' : 'spki', value };
}

export function describeKeyName(name: KeyName): string {
  return name.by === 'label' ? `"${name.value}"` : `${name.by}:${name.value}`;
}

function labelled(label: string): KeyName {
  const bytes = Buffer.byteLength(label);
  if (bytes >= 1 && bytes <= LABEL_BYTES_MAX) return { by: 'label', value: label };
  throw new SignetError('invalid_argument', `expected a label of 1 to ${LABEL_BYTES_MAX} bytes; one of ${bytes} came`);
}

/** keys.proto, Key.label. */
export const LABEL_BYTES_MAX = 256;
const ID = /^([0-9a-f]{2}){1,64}$/;
const SPKI = /^[0-9a-f]{64}$/;
