/*
 * The EVP_PKEY_METHODs of the engine's keys: libcrypto's own, which also do the public work, but for signing. With
 * `digestsign` the whole message comes here, not its digest.
 */
#ifndef SIGNET_ENGINE_METHOD_H
#define SIGNET_ENGINE_METHOD_H

#include <openssl/engine.h>

/* For each engine that is bound: made by the first. 0 without memory. */
int signet__methods_take(void);
/* Freed with the last; whether that was it. */
int signet__methods_give_back(void);

/* ENGINE_PKEY_METHS_PTR. */
int signet__methods(ENGINE *engine, EVP_PKEY_METHOD **method, const int **nids, int nid);

#endif
