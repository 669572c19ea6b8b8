/*
 * SHA-2, of a message that is too long to be sent, and for C_Digest. These are libcrypto's plain functions: they read
 * no openssl.cnf, load no provider and touch no error queue, whatever program the module is in.
 */
#ifndef SIGNET_PKCS11_HASH_H
#define SIGNET_PKCS11_HASH_H

#define OPENSSL_SUPPRESS_DEPRECATED
#include "mechanism.h"
#include <openssl/sha.h>

typedef struct {
    signet__hash hash;
    union {
        SHA256_CTX sha256;
        /* SHA-384 too. */
        SHA512_CTX sha512;
    } state;
} signet__hashing;

void signet__hash_begin(signet__hashing *hashing, signet__hash hash);
void signet__hash_add(signet__hashing *hashing, const void *bytes, size_t len);
/* Writes signet__hash_bytes(hash). */
void signet__hash_end(signet__hashing *hashing, unsigned char *digest);

#endif
