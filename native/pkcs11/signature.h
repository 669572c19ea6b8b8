/* Signatures in the form of PKCS#11. */
#ifndef SIGNET_PKCS11_SIGNATURE_H
#define SIGNET_PKCS11_SIGNATURE_H

#include "public_key.h"

/* RSA: as long as the modulus; ECDSA: r and s, each as long as the field; Ed25519: 64. */
size_t signet__signature_bytes(const signet__public_key *key);

/* Writes that many bytes from a signature as TLS has it (ECDSA: Ecdsa-Sig-Value of RFC 3279, DER). False if it is none.
 */
bool signet__signature_to_pkcs11(const signet__public_key *key, const unsigned char *tls, size_t tls_len,
                                 unsigned char *pkcs11);

#endif
