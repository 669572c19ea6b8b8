/*
 * A preload library for the benchmark: how long a server spends inside SSL_do_handshake, running or blocked, and how
 * many handshakes it ends. A server that never waits in it but for a signature (non-blocking sockets, one thread)
 * thereby says what a handshake costs it. Two 64-bit numbers in the file that HANDSHAKE_CLOCK names: nanoseconds,
 * handshakes.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

typedef struct ssl_st SSL;

static struct { _Atomic uint64_t ns, handshakes; } * counts;
static int (*real)(SSL *);

/* The mapping is shared with the workers, which inherit it. */
__attribute__((constructor)) static void open_counts(void) {
    const char *path = getenv("HANDSHAKE_CLOCK");
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    real = (int (*)(SSL *))dlsym(RTLD_NEXT, "SSL_do_handshake");
    if (fd < 0 || ftruncate(fd, sizeof *counts) != 0)
        return;
    counts = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (counts == MAP_FAILED)
        counts = NULL;
    close(fd);
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

__attribute__((visibility("default"))) int SSL_do_handshake(SSL *ssl);

int SSL_do_handshake(SSL *ssl) {
    uint64_t begun = now_ns();
    int result = real(ssl);

    if (counts != NULL) {
        atomic_fetch_add(&counts->ns, now_ns() - begun);
        if (result == 1)
            atomic_fetch_add(&counts->handshakes, 1);
    }
    return result;
}
