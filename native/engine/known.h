/* The keys that the engine knows: those of the catalogue as it is now. */
#ifndef SIGNET_ENGINE_KNOWN_H
#define SIGNET_ENGINE_KNOWN_H

#include "name.h"
#include "shared_catalogue.h"

#define SIGNET__WHY_BYTES_MAX 512

/* To be released. NULL: `why` says for people why there is none. */
signet__shared_catalogue *signet__known_take(char why[SIGNET__WHY_BYTES_MAX]);

/* The only key of that name, NULL if there is none; it lies in `known`. `text` is the name as it came. */
const signet__catalogue_key *signet__known_find(const signet__shared_catalogue *known, const signet__name *name,
                                                const char *text, char why[SIGNET__WHY_BYTES_MAX]);

/* What people call the key; empty if it is not in the catalogue any more. */
void signet__known_label(const unsigned char spki_sha256[32], char label[SIGNET__LABEL_BYTES_MAX + 1]);

/* With the lock. */
void signet__known_forget(void);

#endif
