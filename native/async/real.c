#include "real.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void find_libc(void);
static void find_openssl(void);
static void *find(const char *name);
static void *find_in_libssl(const char *name);

static signet__libc libc;
static signet__openssl openssl;

const signet__libc *signet__real_libc(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, find_libc);
    return &libc;
}

const signet__openssl *signet__real_openssl(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, find_openssl);
    return &openssl;
}

/* The cast goes through void **, as dlsym(3) has it: ISO C knows no conversion between the two kinds of pointers. */
#define FIND_LIBC(name) *(void **)&libc.name = find(#name);
#define FIND_OPENSSL(name) *(void **)&openssl.name = find(#name);

static void find_libc(void) {
    SIGNET__OF_LIBC(FIND_LIBC)
}

static void find_openssl(void) {
    SIGNET__OF_OPENSSL(FIND_OPENSSL)
}

static void *find(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);

    if (found == NULL)
        found = find_in_libssl(name);
    if (found != NULL)
        return found;
    fprintf(stderr, "signet_async.so: expected %s in this program; remove LD_PRELOAD\n", name);
    abort();
}

/* A libssl that came with a dlopen(3) of its own, such as Python's, is not in the global scope; its caller found us all
 * the same. */
static void *find_in_libssl(const char *name) {
    void *library = dlopen("libssl.so.3", RTLD_LAZY | RTLD_NOLOAD);

    return library != NULL ? dlsym(library, name) : NULL;
}
