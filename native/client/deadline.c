#include "deadline.h"

#include <errno.h>
#include <time.h>

#define NS_PER_S UINT64_C(1000000000)

uint64_t signet__now_ns(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t signet__deadline_in_ms(uint32_t ms) {
    return signet__now_ns() + ms * SIGNET__NS_PER_MS;
}

uint32_t signet__remaining_us(uint64_t deadline_ns) {
    uint64_t now = signet__now_ns();
    uint64_t us = now >= deadline_ns ? 0 : (deadline_ns - now + SIGNET__NS_PER_US - 1) / SIGNET__NS_PER_US;

    return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

bool signet__wait_ready(int fd, short events, uint64_t deadline_ns) {
    struct pollfd pollfd = {.fd = fd, .events = events};
    int ready;

    if (signet__now_ns() >= deadline_ns)
        return false;
    do
        ready = signet__poll_until(&pollfd, 1, deadline_ns);
    while (ready < 0 && errno == EINTR);
    /* Any other failure of poll shows itself again, with its reason, in the send or recv that follows. */
    return ready != 0;
}

int signet__poll_until(struct pollfd *fds, nfds_t count, uint64_t deadline_ns) {
    uint64_t now = signet__now_ns();
    uint64_t left = now >= deadline_ns ? 0 : deadline_ns - now;
    struct timespec timeout = {.tv_sec = (time_t)(left / NS_PER_S), .tv_nsec = (long)(left % NS_PER_S)};

    return ppoll(fds, count, deadline_ns == SIGNET__NEVER ? NULL : &timeout, NULL);
}
