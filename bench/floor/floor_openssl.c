/* In place of a token: libcrypto with a key made at the start, for floor_openssl. What a token costs beside it can be
 * read off. */
#include "floor_token.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHA256_BYTES 32
#define SIGNATURE_BYTES_MAX 1024

static EVP_PKEY *key;

static void must(int worked);

void floor_token_open(const floor_token *token) {
    int is_rsa = strncmp(token->mechanism, "rsa", 3) == 0;

    key = is_rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    must(key != NULL);
}

void floor_token_close(void) {
    EVP_PKEY_free(key);
}

floor_session floor_session_open(const floor_token *token) {
    floor_session session = {.input_len = SHA256_BYTES, .context = EVP_PKEY_CTX_new(key, NULL)};

    must(session.context != NULL && EVP_PKEY_sign_init(session.context) == 1);
    if (strcmp(token->mechanism, "ecdsa-p256") != 0)
        must(EVP_PKEY_CTX_set_signature_md(session.context, EVP_sha256()) == 1);
    if (strcmp(token->mechanism, "rsa-pss") == 0)
        must(EVP_PKEY_CTX_set_rsa_padding(session.context, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(session.context, RSA_PSS_SALTLEN_DIGEST) == 1);
    return session;
}

void floor_sign(floor_session *s) {
    unsigned char signature[SIGNATURE_BYTES_MAX];
    size_t n = sizeof signature;

    s->counter++;
    memcpy(s->input, &s->counter, sizeof s->counter);
    must(EVP_PKEY_sign(s->context, signature, &n, s->input, s->input_len) == 1);
}

static void must(int worked) {
    if (worked)
        return;
    ERR_print_errors_fp(stderr);
    exit(1);
}
