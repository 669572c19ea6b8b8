/* What a SubjectPublicKeyInfo says, for faces that give its numbers out one by one. */
#ifndef SIGNET_CATALOGUE_PUBLIC_KEY_H
#define SIGNET_CATALOGUE_PUBLIC_KEY_H

#include "der.h"

typedef enum { SIGNET__KEY_RSA, SIGNET__KEY_EC, SIGNET__KEY_ED25519 } signet__key_kind;

typedef struct {
    signet__key_kind kind;
    /* RSA: of the modulus; EC: of the field (256, 384, 521); Ed25519: 255. */
    unsigned bits;
    /* RSA: without leading zeros. */
    signet__span modulus, exponent;
    /* EC: the OBJECT IDENTIFIER of the curve, with tag and length. */
    signet__span curve;
    /* EC: 0x04, x, y. Ed25519: the 32 bytes of RFC 8032. */
    signet__span point;
} signet__public_key;

/* False if it is none that Signet signs with: canonical, RSA of 2048 to 4096 bits, P-256, P-384, P-521 or Ed25519. The
 * spans point into `spki`. Whether the point lies on its curve is not looked at: nothing is computed with it here. */
bool signet__public_key_parse(signet__public_key *key, signet__span spki);

#endif
