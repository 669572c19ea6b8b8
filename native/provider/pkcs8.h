/*
 * The second form of a reference (docs/reference-pem.md): a PKCS#8 PrivateKeyInfo (RFC 5208 section 5) for tools that
 * want to see the label PRIVATE KEY. Its algorithm is an OID of Signet's own, so that no other software takes it for a
 * key, and where the private key would be, the reference stands.
 */
#ifndef SIGNET_PROVIDER_PKCS8_H
#define SIGNET_PROVIDER_PKCS8_H

#include "key.h"

/* The reference and what is around it. */
#define SIGNET_PKCS8_BYTES_MAX (SIGNET_REFERENCE_BYTES_MAX + 64)

typedef struct {
    signet__key_type type;
    /* The DER of the reference, inside the DER that was parsed. Its content was not looked at. */
    const unsigned char *reference;
    size_t reference_len;
    /* NULL, or what was expected where something else is, for people. */
    const char *expected;
} signet__pkcs8;

/* 0: it is not ours but some other PKCS#8, or none at all. Leaves nothing on the error queue. */
int signet__pkcs8_parse(signet__pkcs8 *pkcs8, const unsigned char *der, size_t len);

#endif
