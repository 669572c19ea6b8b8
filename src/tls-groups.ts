/** The elliptic groups that ECDHE of TLS 1.2 may use (RFC 8422 section 5.1.1) by their IANA names. */
export const TLS12_GROUPS = ['x25519', 'secp256r1', 'secp384r1', 'secp521r1', 'x448'] as const;
export type Tls12Group = (typeof TLS12_GROUPS)[number];

/** What a grant admits unless it says otherwise: what web servers negotiate. */
export const TLS12_GROUPS_DEFAULT: readonly Tls12Group[] = ['x25519', 'secp256r1', 'secp384r1'];
