/*
 * A signature in the making (or being checked). Made by signature.c, its parameters by signature_params.c; sign.c makes
 * signatures at the service, verify.c checks them with the public shadow. Nothing but the final step of sign.c speaks
 * to the service.
 */
#ifndef SIGNET_PROVIDER_SIGNATURE_H
#define SIGNET_PROVIDER_SIGNATURE_H

#include "message.h"

/* OSSL_SIGNATURE_PARAM_PSS_SALTLEN: as long as the digest (RSA_PSS_SALTLEN_DIGEST of openssl/rsa.h). */
#define SIGNET_SALT_DIGEST (-1)

typedef struct {
    const signet__provider *provider;
    signet__key *key;
    signet__digest digest;
    signet__padding padding;
    /* PSS: bytes, or SIGNET_SALT_DIGEST. */
    int salt;
    /* PSS: SIGNET_NO_DIGEST is the same as `digest`. */
    signet__digest mgf1;
    signet__message message;
    /* Checking: the shadow's own context; it then has all parameters. `verify` is owned, or lies in verify_stream. */
    EVP_MD_CTX *verify_stream;
    EVP_PKEY_CTX *verify;
} signet__signature;

/* Takes a key for signing, or keeps the one it has if key is NULL. Fails with an error if it has none or a public one.
 */
int signet__signature_set_key(signet__signature *signature, signet__key *key);

/* The digest by name; NULL or "" keeps what is there. Fails with an error where there is no scheme for it. */
int signet__signature_set_digest(signet__signature *signature, const char *name);
/* Fails with an error if the parameters, as far as they are known, lead to no scheme. */
int signet__signature_check(const signet__signature *signature);

int signet__signature_set_params(void *signature, const OSSL_PARAM params[]);
int signet__signature_get_params(void *signature, OSSL_PARAM params[]);
const OSSL_PARAM *signet__rsa_settable(void *signature, void *provider);
const OSSL_PARAM *signet__rsa_gettable(void *signature, void *provider);
const OSSL_PARAM *signet__ecdsa_settable(void *signature, void *provider);
const OSSL_PARAM *signet__ecdsa_gettable(void *signature, void *provider);
const OSSL_PARAM *signet__ed25519_gettable(void *signature, void *provider);

int signet__sign_init(void *signature, void *key, const OSSL_PARAM params[]);
int signet__sign(void *signature, unsigned char *out, size_t *out_len, size_t out_room, const unsigned char *digest,
                 size_t digest_len);
int signet__digest_sign_init(void *signature, const char *digest_name, void *key, const OSSL_PARAM params[]);
int signet__digest_sign(void *signature, unsigned char *out, size_t *out_len, size_t out_room,
                        const unsigned char *message, size_t message_len);
int signet__digest_sign_update(void *signature, const unsigned char *data, size_t len);
int signet__digest_sign_final(void *signature, unsigned char *out, size_t *out_len, size_t out_room);

int signet__verify_init(void *signature, void *key, const OSSL_PARAM params[]);
int signet__verify(void *signature, const unsigned char *made, size_t made_len, const unsigned char *digest,
                   size_t digest_len);
int signet__digest_verify_init(void *signature, const char *digest_name, void *key, const OSSL_PARAM params[]);
int signet__digest_verify(void *signature, const unsigned char *made, size_t made_len, const unsigned char *message,
                          size_t message_len);
int signet__digest_verify_update(void *signature, const unsigned char *data, size_t len);
int signet__digest_verify_final(void *signature, const unsigned char *made, size_t made_len);
int signet__verify_copy(signet__signature *to, const signet__signature *from);
void signet__verify_clear(signet__signature *signature);

#endif
