/* How people name a key of the catalogue, and finding it. */
#ifndef SIGNET_CATALOGUE_KEY_NAME_H
#define SIGNET_CATALOGUE_KEY_NAME_H

#include "catalogue.h"

/* What is not named has no bytes (NULL). All that is named must fit. */
typedef struct {
    signet__span label;
    signet__span id;
    signet__span spki_sha256;
} signet__key_name;

/* The first key of that name, NULL if there is none; *count is how many there are. An empty name fits every key. */
const signet__catalogue_key *signet__catalogue_find(const signet__catalogue *catalogue, const signet__key_name *name,
                                                    size_t *count);

#endif
