#ifndef SIGNET_NOW_H
#define SIGNET_NOW_H
#include <stdint.h>
#include <time.h>

/* CLOCK_MONOTONIC, which all processes of a machine have in common, in nanoseconds. */
static inline int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

#endif
