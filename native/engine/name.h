/* Names of keys as ENGINE_load_private_key is given them (docs/engine.md): what libp11's engine takes, and more. */
#ifndef SIGNET_ENGINE_NAME_H
#define SIGNET_ENGINE_NAME_H

#include "key_name.h"

/* The limits of keys.proto. */
#define SIGNET__LABEL_BYTES_MAX 256
#define SIGNET__ID_BYTES_MAX 64

typedef struct {
    /* Its spans point into the buffers below. */
    signet__key_name is;
    /* It came without prefix: the label; or if no key has it the id; or if none has that the identity. */
    bool guessed;
    unsigned char label[SIGNET__LABEL_BYTES_MAX], id[SIGNET__ID_BYTES_MAX], spki_sha256[32];
} signet__name;

/* NULL if it is a name; otherwise what was expected, for people. Must stay where it is. */
const char *signet__name_parse(signet__name *name, const char *text);

/* As signet__catalogue_find. */
const signet__catalogue_key *signet__name_find(const signet__name *name, const signet__catalogue *catalogue,
                                               size_t *count);

#endif
