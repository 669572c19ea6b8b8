/* Keys as libcrypto knows them: public ones of the old kind, whose signatures the engine makes. */
#ifndef SIGNET_ENGINE_KEY_H
#define SIGNET_ENGINE_KEY_H

#include "catalogue.h"
#include <openssl/engine.h>
#include <openssl/evp.h>

/* NULL if libcrypto cannot take it; that says why. The key holds a functional reference to the engine. */
EVP_PKEY *signet__key_new(ENGINE *engine, const signet__catalogue_key *known);
/* The public half, as any other. */
EVP_PKEY *signet__key_new_public(const signet__catalogue_key *known);

/* SHA-256 of the key's SubjectPublicKeyInfo. */
int signet__key_identity(EVP_PKEY *key, unsigned char spki_sha256[32]);
/* Kind and bits; nothing else is filled in. False if it is none that Signet signs with. */
bool signet__key_facts(EVP_PKEY *key, signet__public_key *kind);

#endif
