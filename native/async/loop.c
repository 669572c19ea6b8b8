/*
 * The first edge-triggered registration of a process makes its thread and its epoll set the loop. Whatever does not
 * look like one thread with one such set (a second set, or registrations from a second thread) makes the library stand
 * aside for good: a handshake that nobody wakes would be worse than one that blocks.
 *
 * Only `state` is looked at by other threads.
 */
#include "loop.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef enum {
    LOOP_NONE,    /* none was seen yet */
    LOOP_CLAIMED, /* `thread` and `epfd` are being set */
    LOOP_SEEN,    /* they are set */
    LOOP_MISFIT   /* another program than this library is for */
} loop_state;

typedef struct {
    bool known;
    struct epoll_event event;
} registration;

static struct {
    _Atomic loop_state state;
    pthread_t thread;
    int epfd;
    /* It has waited with epoll_wait; not with epoll_pwait, which is not interposed. */
    bool waits;
    /* By descriptor. */
    registration *registrations;
    size_t capacity;
} loop;

static bool claim(int epfd);
static bool is_this_thread(void);
static void keep(int fd, const struct epoll_event *event);
static bool make_room(int fd);

void signet__loop_note(int epfd, int op, int fd, const struct epoll_event *event) {
    bool edge = op != EPOLL_CTL_DEL && (event->events & EPOLLET) != 0;
    loop_state state = atomic_load(&loop.state);

    if (state == LOOP_NONE && edge && claim(epfd))
        state = LOOP_SEEN;
    if (state != LOOP_SEEN)
        return;
    if (is_this_thread() ? edge && epfd != loop.epfd : epfd == loop.epfd)
        atomic_store(&loop.state, LOOP_MISFIT);
    else if (epfd == loop.epfd && op == EPOLL_CTL_DEL)
        signet__loop_forget_descriptor(fd);
    else if (epfd == loop.epfd)
        keep(fd, event);
}

bool signet__loop_waits(int epfd) {
    if (!signet__loop_thread() || epfd != loop.epfd)
        return false;
    loop.waits = true;
    return true;
}

/* Of a misfit too: handshakes may be left from before. */
bool signet__loop_thread(void) {
    loop_state state = atomic_load(&loop.state);

    return (state == LOOP_SEEN || state == LOOP_MISFIT) && is_this_thread();
}

bool signet__loop_is_here(void) {
    return signet__loop_thread() && loop.waits && atomic_load(&loop.state) == LOOP_SEEN;
}

const struct epoll_event *signet__loop_registered(int fd) {
    return fd >= 0 && (size_t)fd < loop.capacity && loop.registrations[fd].known ? &loop.registrations[fd].event : NULL;
}

void signet__loop_forget_descriptor(int fd) {
    if (fd >= 0 && (size_t)fd < loop.capacity)
        loop.registrations[fd].known = false;
}

void signet__loop_forget(void) {
    free(loop.registrations);
    memset(&loop, 0, sizeof loop);
}

static bool claim(int epfd) {
    loop_state none = LOOP_NONE;

    if (!atomic_compare_exchange_strong(&loop.state, &none, LOOP_CLAIMED))
        return false;
    loop.thread = pthread_self();
    loop.epfd = epfd;
    atomic_store(&loop.state, LOOP_SEEN);
    return true;
}

static bool is_this_thread(void) {
    return pthread_equal(loop.thread, pthread_self());
}

/* Without memory it stays unknown, and a handshake on it is woken only by what else happens to it. */
static void keep(int fd, const struct epoll_event *event) {
    if (!make_room(fd))
        return;
    loop.registrations[fd] = (registration){.known = true, .event = *event};
}

static bool make_room(int fd) {
    size_t capacity = loop.capacity > 0 ? loop.capacity : 64;
    registration *registrations;

    if ((size_t)fd < loop.capacity)
        return true;
    while (capacity <= (size_t)fd)
        capacity *= 2;
    registrations = realloc(loop.registrations, capacity * sizeof *registrations);
    if (registrations == NULL)
        return false;
    memset(registrations + loop.capacity, 0, (capacity - loop.capacity) * sizeof *registrations);
    loop.registrations = registrations;
    loop.capacity = capacity;
    return true;
}
