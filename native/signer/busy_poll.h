/* To look for the next message for a short while before sleeping; busy_poll.c says why and when. */
#ifndef SIGNET_BUSY_POLL_H
#define SIGNET_BUSY_POLL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Whether it pays to look: waits that were short enough speak for it, each that was too long outweighs two of them. So
 * where every second wait is long, as that of a front for an RSA signature, it is not done. */
struct busy_poll_habit {
    int64_t look_ns;
    int confidence;
    /* How many short waits it takes to look again after others ran for long: twice as many each time it happens again.
     */
    int restraint;
};

/* Whether to look before the next sleep. */
bool busy_poll_pays(const struct busy_poll_habit *habit);
/* A wait has ended that took so long. */
void busy_poll_learn(struct busy_poll_habit *habit, int64_t waited_ns);
/* Lets others run between two looks. False if it should look no more: it has looked long enough, or others ran for
 * long. */
bool busy_poll_give_way(struct busy_poll_habit *habit, int64_t *looked_ns, int64_t until_ns);

/*
 * recv(2) of a socket that blocks, the first nanoseconds of whose wait are without sleep, as long as that helps. One
 * thread of a process at a time.
 */
ssize_t busy_poll_recv(int fd, void *into, size_t length, int64_t look_ns);

#endif
