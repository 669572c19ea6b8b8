/*
 * The name of a key in OSSL_STORE and whatever takes store URIs (docs/provider.md):
 *
 *     signet:label=www         signet:id=0a1b2c         signet:spki=<64 hexadecimal digits>
 *
 * several of them separated by ';', and `type=rsa-pss` to use an RSA key as an RSASSA-PSS key. A label may be
 * percent-encoded, and is where it has one of "%;?#". "signet:" alone names all keys.
 */
#ifndef SIGNET_PROVIDER_URI_H
#define SIGNET_PROVIDER_URI_H

#include "key_name.h"

#define SIGNET_URI_SCHEME "signet"
/* The limits of keys.proto. */
#define SIGNET_URI_LABEL_BYTES_MAX 256
#define SIGNET_URI_ID_BYTES_MAX 64

typedef struct {
    /* Its spans point into the buffers below. */
    signet__key_name name;
    bool rsa_pss;
    /* Nothing is named. */
    bool all;
    unsigned char label[SIGNET_URI_LABEL_BYTES_MAX];
    unsigned char id[SIGNET_URI_ID_BYTES_MAX];
    unsigned char spki_sha256[32];
} signet__uri;

/* NULL if it is such a name; otherwise what was expected, for people. Must stay where it is. */
const char *signet__uri_parse(signet__uri *uri, const char *text);

#endif
