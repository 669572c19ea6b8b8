/* Points in time on CLOCK_MONOTONIC, in nanoseconds, and waiting no longer than until one of them. */
#ifndef SIGNET_CLIENT_DEADLINE_H
#define SIGNET_CLIENT_DEADLINE_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

/* Later than anything. */
#define SIGNET__NEVER UINT64_MAX
#define SIGNET__NS_PER_MS UINT64_C(1000000)
#define SIGNET__NS_PER_US UINT64_C(1000)

uint64_t signet__now_ns(void);
uint64_t signet__deadline_in_ms(uint32_t ms);
/* Microseconds until the deadline, rounded up; 0 when it has passed. */
uint32_t signet__remaining_us(uint64_t deadline_ns);
/*
 * Waits on one descriptor. True: it is ready, or has an error. False: the deadline has passed, also for one that is
 * always ready, so that a flood cannot hold its reader. A signal does not end the wait.
 */
bool signet__wait_ready(int fd, short events, uint64_t deadline_ns);
/* ppoll(2) until the deadline; a signal ends the wait. Returns what ppoll returns. */
int signet__poll_until(struct pollfd *fds, nfds_t count, uint64_t deadline_ns);

#endif
