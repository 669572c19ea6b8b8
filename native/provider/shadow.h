/* Public keys as libcrypto has them, in the provider's shadow_libctx: what answers every question about a key. */
#ifndef SIGNET_PROVIDER_SHADOW_H
#define SIGNET_PROVIDER_SHADOW_H

#include "key.h"
#include "public_key.h"

/* Both NULL with an error if the numbers are no key of that type, such as a point that is not on its curve. */
EVP_PKEY *signet__shadow_new(const signet__provider *provider, signet__key_type type, const signet__public_key *key);
EVP_PKEY *signet__shadow_from_params(const signet__provider *provider, signet__key_type type, int selection,
                                     const OSSL_PARAM params[]);

#endif
