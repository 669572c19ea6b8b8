/* What the C tests of the provider begin with: a library context with `default` and the provider, keys and their
 * references. */
#ifndef SIGNET_TEST_FIXTURE_H
#define SIGNET_TEST_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/x509.h>

#define KINDS 6

/* A key that the fake client has. */
typedef struct {
    const char *name;
    const char *digest;
    /* The genuine key, in a context without our provider. */
    EVP_PKEY *genuine;
    /* The same as the token has it: an RSA-PSS key is an RSA key there. */
    EVP_PKEY *in_token;
    /* Its reference PEM, NUL-terminated, and the key that the provider makes of it. */
    char reference_pem[8192];
    EVP_PKEY *key;
    X509 *certificate;
} test_key;

extern OSSL_LIB_CTX *libctx;
extern test_key keys[KINDS];

/* cmocka group fixtures. SIGNET_TEST_MODULE names the provider's file. */
int load_everything(void **state);
int free_everything(void **state);

/* The path of a file in the folder of this run; good until the next call. */
const char *in_folder(const char *name);

/* PEM_read_bio_PrivateKey of a string. */
EVP_PKEY *read_pem(OSSL_LIB_CTX *from, const char *pem);
/* A signature by `key` over `message`; `pss` only for RSA. 0 or 1. */
int sign_message(EVP_PKEY *key, const char *digest, int pss, const void *message, size_t len, unsigned char *out,
                 size_t *out_len);
/* Whether the genuine key finds that a signature is right. */
int is_right(const test_key *key, int pss, const void *message, size_t len, const unsigned char *made, size_t made_len);

#endif
