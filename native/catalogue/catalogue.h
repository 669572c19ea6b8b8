/*
 * The catalogue (keys.proto, Catalogue): the public file in which the service lists its keys, so that naming one by its
 * label needs no request. A catalogue is never changed once it is made.
 */
#ifndef SIGNET_CATALOGUE_H
#define SIGNET_CATALOGUE_H

#include "certificate.h"
#include "public_key.h"
#include <stdint.h>
#include <sys/stat.h>

#define SIGNET__CATALOGUE_DEFAULT "/run/signet/catalogue.pb"
/* The limits of keys.proto. */
#define SIGNET__CATALOGUE_KEYS_MAX 100000
#define SIGNET__CERTIFICATES_MAX 8
#define SIGNET__CERTIFICATE_BYTES_MAX 16384
/* Of the file: 100,000 keys, each with a chain of two usual certificates. */
#define SIGNET__CATALOGUE_BYTES_MAX ((size_t)512 * 1024 * 1024)

typedef struct {
    /* The key's identity (SPKI SHA-256), as the service is asked for it. */
    unsigned char spki_sha256[32];
    /* UTF-8, no NUL in it; what people call the key, not unique. */
    signet__span label;
    signet__span id;
    signet__span spki;
    signet__public_key public_key;
    /* Leaf first; one that cannot be read, and what stands behind it, is left out. */
    signet__certificate *certificates;
    size_t certificate_count;
    /* What the spans and `certificates` point into. */
    void *block;
} signet__catalogue_key;

typedef struct {
    /* In the order of their identities, each once. Keys that no face can use are left out. */
    signet__catalogue_key *keys;
    size_t count;
} signet__catalogue;

/* NULL if the bytes are no catalogue of a version that is known; *why says so in words. */
signet__catalogue *signet__catalogue_parse(const void *bytes, size_t len, const char **why);
void signet__catalogue_free(signet__catalogue *catalogue);

/* Reads the file. NULL: *why as above, or errno's words. *seen is what the file was, for signet__catalogue_changed. */
signet__catalogue *signet__catalogue_read(const char *path, struct stat *seen, const char **why);
/* Whether another file is at the path than was seen, or none. */
bool signet__catalogue_changed(const char *path, const struct stat *seen);

#endif
