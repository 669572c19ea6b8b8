/* The one table of what keys of the catalogue sign with: TLS's SignatureScheme of a key, a padding and a hash. */
#ifndef SIGNET_CATALOGUE_SIGNATURE_SCHEME_H
#define SIGNET_CATALOGUE_SIGNATURE_SCHEME_H

#include "public_key.h"
#include <stdint.h>

typedef enum { SIGNET__NO_HASH, SIGNET__SHA256, SIGNET__SHA384, SIGNET__SHA512 } signet__hash;
typedef enum { SIGNET__NO_PADDING, SIGNET__PKCS1, SIGNET__PSS } signet__padding;

/* IANA's code point; 0 if TLS has no such combination. Of the key, only kind and bits are looked at. */
uint32_t signet__signature_scheme(const signet__public_key *key, signet__padding padding, signet__hash hash);
/* The hash that an EC key signs with, which is as long as its field. */
signet__hash signet__hash_of_curve(const signet__public_key *key);
size_t signet__hash_bytes(signet__hash hash);

#endif
