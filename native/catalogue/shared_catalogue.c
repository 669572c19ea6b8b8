#include "shared_catalogue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct signet__shared_catalogue {
    atomic_int references;
    signet__catalogue *catalogue;
};

struct signet__catalogue_keeper {
    char *path;
    pthread_mutex_t lock;
    /* Under the lock: what was read last, NULL if nothing yet, and from which file. */
    signet__shared_catalogue *current;
    struct stat seen;
};

static signet__shared_catalogue *take_locked(signet__catalogue_keeper *keeper, const char **why);
static signet__shared_catalogue *read_shared(const char *path, struct stat *seen, const char **why);
static signet__shared_catalogue *retain(signet__shared_catalogue *shared);

signet__catalogue_keeper *signet__catalogue_keeper_new(const char *path) {
    signet__catalogue_keeper *keeper = calloc(1, sizeof *keeper);

    if (keeper == NULL || (keeper->path = strdup(path)) == NULL) {
        free(keeper);
        return NULL;
    }
    pthread_mutex_init(&keeper->lock, NULL);
    return keeper;
}

const char *signet__catalogue_keeper_path(const signet__catalogue_keeper *keeper) {
    return keeper->path;
}

void signet__catalogue_keeper_free(signet__catalogue_keeper *keeper) {
    if (keeper == NULL)
        return;
    signet__catalogue_release(keeper->current);
    pthread_mutex_destroy(&keeper->lock);
    free(keeper->path);
    free(keeper);
}

signet__shared_catalogue *signet__catalogue_take(signet__catalogue_keeper *keeper, const char **why) {
    signet__shared_catalogue *taken;
    struct stat seen;

    if (pthread_mutex_trylock(&keeper->lock) != 0)
        return read_shared(keeper->path, &seen, why);
    taken = take_locked(keeper, why);
    pthread_mutex_unlock(&keeper->lock);
    return taken;
}

const signet__catalogue *signet__catalogue_of(const signet__shared_catalogue *shared) {
    return shared->catalogue;
}

void signet__catalogue_release(signet__shared_catalogue *shared) {
    if (shared == NULL || atomic_fetch_sub(&shared->references, 1) > 1)
        return;
    signet__catalogue_free(shared->catalogue);
    free(shared);
}

static signet__shared_catalogue *take_locked(signet__catalogue_keeper *keeper, const char **why) {
    struct stat seen;
    signet__shared_catalogue *read;

    *why = NULL;
    if (keeper->current == NULL || signet__catalogue_changed(keeper->path, &keeper->seen)) {
        read = read_shared(keeper->path, &seen, why);
        if (read != NULL) {
            signet__catalogue_release(keeper->current);
            keeper->current = read;
            keeper->seen = seen;
        }
    }
    return keeper->current == NULL ? NULL : retain(keeper->current);
}

/* With one reference, the caller's. */
static signet__shared_catalogue *read_shared(const char *path, struct stat *seen, const char **why) {
    signet__shared_catalogue *shared = malloc(sizeof *shared);

    *why = "out of memory";
    if (shared == NULL)
        return NULL;
    shared->catalogue = signet__catalogue_read(path, seen, why);
    if (shared->catalogue == NULL) {
        free(shared);
        return NULL;
    }
    atomic_init(&shared->references, 1);
    return shared;
}

static signet__shared_catalogue *retain(signet__shared_catalogue *shared) {
    atomic_fetch_add(&shared->references, 1);
    return shared;
}
