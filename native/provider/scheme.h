/* The one table of what the provider signs: from OpenSSL's digest, padding and curve to TLS's SignatureScheme. */
#ifndef SIGNET_PROVIDER_SCHEME_H
#define SIGNET_PROVIDER_SCHEME_H

#include "key.h"

typedef enum { SIGNET_NO_DIGEST, SIGNET_SHA256, SIGNET_SHA384, SIGNET_SHA512 } signet__digest;
typedef enum { SIGNET_NO_PADDING, SIGNET_PKCS1, SIGNET_PSS } signet__padding;

#define SIGNET_ALGORITHM_ID_BYTES_MAX 67

typedef struct {
    signet__key_type type;
    int ec_bits;
    signet__padding padding;
    signet__digest digest;
    /* IANA's code point and name (RFC 8446 section 4.2.3). */
    uint32_t code;
    const char *name;
    /* The AlgorithmIdentifier of such a signature in certificates and CMS, DER (RFC 4055, 5758, 8410). */
    size_t algorithm_id_len;
    unsigned char algorithm_id[SIGNET_ALGORITHM_ID_BYTES_MAX];
} signet__scheme;

/* NULL if the combination has none. */
const signet__scheme *signet__scheme_find(const signet__key *key, signet__padding padding, signet__digest digest);

/* A sentence for people: what such a key signs with. */
const char *signet__scheme_expected(const signet__key *key);

/* By any of the names that OpenSSL has for it ("SHA256", "SHA2-256", "SHA-256", the OID); 0 if it is none that Signet
 * signs with. */
int signet__digest_find(const char *name, signet__digest *digest);
/* OpenSSL's name, NULL for SIGNET_NO_DIGEST. */
const char *signet__digest_name(signet__digest digest);
size_t signet__digest_bytes(signet__digest digest);

#endif
