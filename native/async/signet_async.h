/*
 * What the provider and the preload library say to each other. The preload library exports one object under this name;
 * the provider looks it up once, and where it is absent, or the job that runs is none of the preload library's, it
 * signs as ever. All of it happens in the one thread that runs the event loop.
 */
#ifndef SIGNET_ASYNC_H
#define SIGNET_ASYNC_H

#include "signet_client.h"

#define SIGNET_ASYNC_SYMBOL "signet_async_v1"

/* A handshake that may pause in a signature: it is woken when the answer is there. */
typedef struct signet_async_job signet_async_job;

/* A client made with `driven`, and what the preload library keeps with it. */
typedef struct signet_async_driver {
    signet_client *client;
    size_t (*look)(signet_client *client, signet_descriptor *descriptors, size_t room, uint64_t *deadline_ns);
    void (*turn)(signet_client *client);
    /* From here on the preload library's own; zero at first. */
    struct signet_async_driver *next;
    struct signet__watch *watch;
} signet_async_driver;

typedef struct {
    /* The job of the handshake that runs now, if this library can wake it; else NULL. It lives until the handshake has
     * returned for good. */
    signet_async_job *(*current_job)(void);
    /* The connection is being closed: the job must unwind without another pause. */
    int (*is_cancelled)(const signet_async_job *job);
    /* `done` of a job's request: the job is resumed from within the next epoll_wait. */
    void (*answered)(void *job);
    /* After each start and abandon: the event loop looks at the client again. */
    void (*drive)(signet_async_driver *driver);
    /* Before the client is freed. */
    void (*stop)(signet_async_driver *driver);
} signet_async;

#endif
