/*
 * The catalogue of one path, kept for all threads of a process and read again when its file is another. A catalogue
 * that was taken stays as it is until it is released, whatever becomes of the file. Nothing waits for a lock here, so a
 * fork in any moment does no harm: who finds it taken reads the file for itself.
 */
#ifndef SIGNET_SHARED_CATALOGUE_H
#define SIGNET_SHARED_CATALOGUE_H

#include "catalogue.h"

typedef struct signet__catalogue_keeper signet__catalogue_keeper;
typedef struct signet__shared_catalogue signet__shared_catalogue;

/* NULL if memory ran out. Reads nothing yet. The path is copied. */
signet__catalogue_keeper *signet__catalogue_keeper_new(const char *path);
const char *signet__catalogue_keeper_path(const signet__catalogue_keeper *keeper);
void signet__catalogue_keeper_free(signet__catalogue_keeper *keeper);

/* The catalogue as the file is now; if it cannot be read (any more), as it was. NULL: there is none yet, *why says why.
 */
signet__shared_catalogue *signet__catalogue_take(signet__catalogue_keeper *keeper, const char **why);
const signet__catalogue *signet__catalogue_of(const signet__shared_catalogue *shared);
void signet__catalogue_release(signet__shared_catalogue *shared);

#endif
