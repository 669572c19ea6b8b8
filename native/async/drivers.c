/*
 * Each socket of a client is registered level-triggered, with an address of this library as its data, which no program
 * uses: what was not read in one turn is reported again. A closed descriptor leaves the set by itself, since clients
 * open theirs close-on-exec and close the copies of a fork.
 */
#include "drivers.h"

#include "real.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Connections of one client at once: one per service of its list, and those that only finish what is in flight. More
 * are moved on with the others, and by their deadlines. */
#define WATCHED_MAX 16
/* Where a descriptor cannot be registered (max_user_watches, memory), it is looked at so often. */
#define UNWATCHED_TURN_NS (UINT64_C(2) * 1000 * 1000)

typedef struct signet__watch {
    /* Looked at since the last change. */
    bool fresh;
    size_t count;
    signet_descriptor watched[WATCHED_MAX];
    uint64_t due_ns;
} watch;

static signet_async_driver *drivers;
/* Its address marks our events. */
static char marker;

static void look(signet_async_driver *driver, int epfd);
static bool register_descriptor(int epfd, const signet_descriptor *before, const signet_descriptor *descriptor);
static const signet_descriptor *find_watched(const watch *watch, uint64_t serial);

bool signet__drivers_any(void) {
    return drivers != NULL;
}

void signet__drivers_note(signet_async_driver *driver) {
    if (driver->watch != NULL) {
        driver->watch->fresh = false;
        return;
    }
    /* Without memory the requests of this client end when it is noted the next time, or with their deadlines. */
    driver->watch = calloc(1, sizeof *driver->watch);
    if (driver->watch == NULL)
        return;
    driver->next = drivers;
    drivers = driver;
}

void signet__drivers_remove(signet_async_driver *driver) {
    signet_async_driver **link = &drivers;

    while (*link != NULL && *link != driver)
        link = &(*link)->next;
    if (*link == NULL)
        return;
    *link = driver->next;
    free(driver->watch);
    driver->watch = NULL;
}

uint64_t signet__drivers_watch(int epfd) {
    uint64_t due_ns = SIGNET__NEVER;
    signet_async_driver *driver;

    for (driver = drivers; driver != NULL; driver = driver->next) {
        if (!driver->watch->fresh)
            look(driver, epfd);
        if (driver->watch->due_ns < due_ns)
            due_ns = driver->watch->due_ns;
    }
    return due_ns;
}

bool signet__drivers_own(const struct epoll_event *event) {
    return event->data.ptr == &marker;
}

void signet__drivers_turn(void) {
    signet_async_driver *driver;

    for (driver = drivers; driver != NULL; driver = driver->next) {
        driver->turn(driver->client);
        driver->watch->fresh = false;
    }
}

void signet__drivers_forget(void) {
    while (drivers != NULL)
        signet__drivers_remove(drivers);
}

uint64_t signet__now_ns(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void look(signet_async_driver *driver, int epfd) {
    watch *watch = driver->watch;
    signet_descriptor now[WATCHED_MAX];
    size_t count = driver->look(driver->client, now, WATCHED_MAX, &watch->due_ns);
    size_t kept = 0;

    if (count > WATCHED_MAX)
        count = WATCHED_MAX;
    for (size_t i = 0; i < count; i++)
        if (register_descriptor(epfd, find_watched(watch, now[i].serial), &now[i]))
            now[kept++] = now[i];
    memcpy(watch->watched, now, kept * sizeof *now);
    watch->count = kept;
    watch->fresh = kept == count;
    if (!watch->fresh && watch->due_ns != SIGNET__NEVER)
        watch->due_ns = signet__now_ns() + UNWATCHED_TURN_NS;
}

static bool register_descriptor(int epfd, const signet_descriptor *before, const signet_descriptor *descriptor) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &marker};

    if (before != NULL && before->events == descriptor->events)
        return true;
    if ((descriptor->events & POLLOUT) != 0)
        event.events |= EPOLLOUT;
    return signet__real_libc()->epoll_ctl(epfd, before != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, descriptor->fd,
                                          &event) == 0;
}

static const signet_descriptor *find_watched(const watch *watch, uint64_t serial) {
    for (size_t i = 0; i < watch->count; i++)
        if (watch->watched[i].serial == serial)
            return &watch->watched[i];
    return NULL;
}
