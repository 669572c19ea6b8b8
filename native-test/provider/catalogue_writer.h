/* Writes catalogue files (keys.proto) by hand, so that their reader is tested with somebody else's. */
#ifndef SIGNET_TEST_CATALOGUE_WRITER_H
#define SIGNET_TEST_CATALOGUE_WRITER_H

#include <openssl/evp.h>
#include <openssl/x509.h>

/* One catalogue at a time. */
void catalogue_begin(void);
/* certificate: NULL if it has none. */
void catalogue_put(EVP_PKEY *key, X509 *certificate, const char *label, const char *id);
/* It is none any more. */
void catalogue_spoil(void);
/* Writes it beside and renames it over, as the service does. */
void catalogue_write(const char *path);

/* SHA-256 of the SubjectPublicKeyInfo. */
void catalogue_hash(EVP_PKEY *key, unsigned char hash[32]);

#endif
