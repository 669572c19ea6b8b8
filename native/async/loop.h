/*
 * The event loop that handshakes can wait in: one thread with one epoll set that registers descriptors edge-triggered,
 * as NGINX's workers have. All other threads and programs are left alone.
 */
#ifndef SIGNET_ASYNC_LOOP_H
#define SIGNET_ASYNC_LOOP_H

#include <stdbool.h>
#include <sys/epoll.h>

/* After a successful epoll_ctl(2) of any thread. `event` may be NULL with EPOLL_CTL_DEL. */
void signet__loop_note(int epfd, int op, int fd, const struct epoll_event *event);
/* Whether this thread is about to wait in the loop. */
bool signet__loop_waits(int epfd);
/* Whether this thread runs the loop. */
bool signet__loop_thread(void);
/* Whether it does, and new handshakes may wait in it. */
bool signet__loop_is_here(void);
/* What is registered for a descriptor; NULL: nothing. */
const struct epoll_event *signet__loop_registered(int fd);
/* The descriptor is about to be closed, which epoll(7) is not told. */
void signet__loop_forget_descriptor(int fd);
/* In the child of a fork: it has no loop yet. */
void signet__loop_forget(void);

#endif
