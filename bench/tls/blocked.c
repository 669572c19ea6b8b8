/*
 * A preload library for a server under test: adds up how long its threads lie in poll(2) and ppoll(2), which is how
 * they wait for a signature; their own events they wait for in epoll_wait(2). The sum, in nanoseconds, stands in the
 * first eight bytes of the file that BENCH_BLOCKED_FILE names, shared by the processes that inherit it.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static _Atomic uint64_t nowhere;
static _Atomic uint64_t *blocked_ns = &nowhere;
static int (*real_poll)(struct pollfd *, nfds_t, int);
static int (*real_ppoll)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);

/* When it is loaded, which is before a server forgets its environment. */
__attribute__((constructor)) static void open_file(void) {
    const char *path = getenv("BENCH_BLOCKED_FILE");
    int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    void *shared = MAP_FAILED;

    *(void **)&real_poll = dlsym(RTLD_NEXT, "poll");
    *(void **)&real_ppoll = dlsym(RTLD_NEXT, "ppoll");
    if (fd >= 0 && ftruncate(fd, sizeof *blocked_ns) == 0)
        shared = mmap(NULL, sizeof *blocked_ns, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared != MAP_FAILED)
        blocked_ns = shared;
    if (fd >= 0)
        close(fd);
}

static uint64_t now_ns(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int poll(struct pollfd *fds, nfds_t count, int timeout) {
    uint64_t began = now_ns();
    int ready = real_poll(fds, count, timeout);

    atomic_fetch_add(blocked_ns, now_ns() - began);
    return ready;
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *signals) {
    uint64_t began = now_ns();
    int ready = real_ppoll(fds, count, timeout, signals);

    atomic_fetch_add(blocked_ns, now_ns() - began);
    return ready;
}

/* What a caller compiled with _FORTIFY_SOURCE calls instead. */
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t bytes) {
    (void)bytes;
    return poll(fds, count, timeout);
}

int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *signals,
                size_t bytes) {
    (void)bytes;
    return ppoll(fds, count, timeout, signals);
}
