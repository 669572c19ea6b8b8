/* Making a signature: the whole message goes to the service, or its digest where that is all there is. */
#ifndef SIGNET_ENGINE_SIGN_H
#define SIGNET_ENGINE_SIGN_H

#include <openssl/evp.h>

/* `digestsign` and `sign` of an EVP_PKEY_METHOD. 1, or 0 with an error. */
int signet__digest_sign(EVP_MD_CTX *context, unsigned char *made, size_t *made_len, const unsigned char *message,
                        size_t message_len);
int signet__sign(EVP_PKEY_CTX *context, unsigned char *made, size_t *made_len, const unsigned char *digest,
                 size_t digest_len);

/* Whether the key signs with this digest; otherwise 0 with an error. */
int signet__digest_fits(EVP_PKEY_CTX *context, const EVP_MD *md);

#endif
