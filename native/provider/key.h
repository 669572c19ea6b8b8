/* A key as the provider knows it: the public half, and whether the service has the other one. */
#ifndef SIGNET_PROVIDER_KEY_H
#define SIGNET_PROVIDER_KEY_H

#include "provider.h"
#include "reference.h"
#include <stdatomic.h>

/* SIGNET_RSA_PSS is an RSA key that is used as an RSASSA-PSS key (RFC 4055 section 1.2); the service knows it as the
 * RSA key that it is. */
typedef enum { SIGNET_RSA, SIGNET_EC, SIGNET_ED25519, SIGNET_RSA_PSS } signet__key_type;

/* Shared and never changed once it has its public key. */
typedef struct {
    const signet__provider *provider;
    atomic_int references;
    signet__key_type type;
    /* The public key in the provider's shadow_libctx; NULL in a key that is still empty. */
    EVP_PKEY *shadow;
    /* EC: bits of the curve if Signet signs on it, else 0. */
    int ec_bits;
    /* Whether it came from a reference, so that the service is asked to sign with it; otherwise only a public key. */
    int signs;
    unsigned char spki_sha256[SIGNET_SPKI_SHA256_BYTES];
    char label[SIGNET_LABEL_BYTES_MAX + 1];
} signet__key;

signet__key *signet__key_new(const signet__provider *provider, signet__key_type type);
signet__key *signet__key_retain(signet__key *key);
void signet__key_free(signet__key *key);

/* Gives an empty key its public key, which it then owns. */
void signet__key_set_public(signet__key *key, EVP_PKEY *shadow);

/* The key of a reference; NULL if the public key in it is none that Signet signs with, then *expected says what was
 * expected. */
signet__key *signet__key_from_reference(const signet__provider *provider, const signet__reference *reference,
                                        const char **expected);

/* The type that the key of a reference has; 0 if the public key in it is none that Signet signs with. Takes no time. */
int signet__key_type_of(const signet__reference *reference, signet__key_type *type);

/* The key's type in OpenSSL's words. */
const char *signet__key_type_name(signet__key_type type);

#endif
