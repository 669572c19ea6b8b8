/* The clients of the provider whose sockets sit in the program's own epoll set. Only the thread of the loop comes here.
 */
#ifndef SIGNET_ASYNC_DRIVERS_H
#define SIGNET_ASYNC_DRIVERS_H

#include "signet_async.h"

#include <stdbool.h>
#include <sys/epoll.h>

/* Later than anything. */
#define SIGNET__NEVER UINT64_MAX

bool signet__drivers_any(void);
/* Something was started or withdrawn: its descriptors are looked at before the next wait. */
void signet__drivers_note(signet_async_driver *driver);
void signet__drivers_remove(signet_async_driver *driver);

/* Brings the epoll set up to date; returns when a turn is due at the latest, in nanoseconds of CLOCK_MONOTONIC. */
uint64_t signet__drivers_watch(int epfd);
/* Whether the event is of one of the clients' sockets. */
bool signet__drivers_own(const struct epoll_event *event);
/* Moves all clients on; the jobs that are answered are woken by it. */
void signet__drivers_turn(void);

/* In the child of a fork: its epoll set is another. */
void signet__drivers_forget(void);

uint64_t signet__now_ns(void);

#endif
