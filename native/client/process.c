#include "process.h"

#include "client.h"
#include "reader.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

static struct {
    pthread_once_t once;
    /* 0 before the first client; REPAIRING while one thread tidies up after a fork. */
    _Atomic pid_t pid;
    pthread_mutex_t lock;
    pthread_cond_t turn_over;
    signet_client *clients;
    signet_client *turn;
} process = {
    .once = PTHREAD_ONCE_INIT,
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .turn_over = PTHREAD_COND_INITIALIZER,
};

#define REPAIRING (-1)

static void notice_fork(void);
static void install_fork_handlers(void);
static void before_fork(void);
static void after_fork_in_parent(void);
static void after_fork_in_child(void);
static void forget_parent(bool close_descriptors);
static void make_locks_anew(void);

signet__visit signet__process_enter(void) {
    signet__visit visit = {.error = errno};

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &visit.cancel_state);
    notice_fork();
    return visit;
}

void signet__process_leave(signet__visit visit) {
    pthread_setcancelstate(visit.cancel_state, NULL);
    errno = visit.error;
}

void signet__process_add(signet_client *client) {
    pthread_once(&process.once, install_fork_handlers);
    signet__process_lock();
    client->next = process.clients;
    if (client->next != NULL)
        client->next->previous = client;
    process.clients = client;
    signet__process_unlock();
}

void signet__process_remove(signet_client *client) {
    signet__process_lock();
    while (process.turn == client)
        pthread_cond_wait(&process.turn_over, &process.lock);
    if (client->previous != NULL)
        client->previous->next = client->next;
    else
        process.clients = client->next;
    if (client->next != NULL)
        client->next->previous = client->previous;
    signet__process_unlock();
}

void signet__process_lock(void) {
    pthread_mutex_lock(&process.lock);
}

void signet__process_unlock(void) {
    pthread_mutex_unlock(&process.lock);
}

signet_client *signet__process_first_client(void) {
    return process.clients;
}

void signet__process_set_turn(signet_client *client) {
    process.turn = client;
    if (client == NULL)
        pthread_cond_broadcast(&process.turn_over);
}

/* The first call of a process passes here too: there is nothing to forget yet. */
static void notice_fork(void) {
    pid_t self = getpid();
    pid_t seen = atomic_load(&process.pid);

    while (seen != self) {
        if (seen == REPAIRING) {
            sched_yield();
            seen = atomic_load(&process.pid);
        } else if (atomic_compare_exchange_weak(&process.pid, &seen, REPAIRING)) {
            /* No handler ran: who held the locks is unknown, and a descriptor's number may be somebody else's by now.
             */
            make_locks_anew();
            forget_parent(false);
            atomic_store(&process.pid, self);
            return;
        }
    }
}

static void install_fork_handlers(void) {
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* All locks are held while the process is copied, so that the child finds lists that are whole. */
static void before_fork(void) {
    signet_client *client;

    signet__process_lock();
    for (client = process.clients; client != NULL; client = client->next) {
        pthread_mutex_lock(&client->idle.lock);
        pthread_mutex_lock(&client->shared.lock);
    }
}

static void after_fork_in_parent(void) {
    signet_client *client;

    for (client = process.clients; client != NULL; client = client->next) {
        pthread_mutex_unlock(&client->shared.lock);
        pthread_mutex_unlock(&client->idle.lock);
    }
    signet__process_unlock();
}

static void after_fork_in_child(void) {
    make_locks_anew();
    forget_parent(true);
    atomic_store(&process.pid, getpid());
}

static void forget_parent(bool close_descriptors) {
    signet_client *client;

    process.turn = NULL;
    signet__reader_forget(close_descriptors);
    for (client = process.clients; client != NULL; client = client->next) {
        signet__idle_forget(&client->idle, close_descriptors);
        signet__shared_forget(&client->shared, close_descriptors);
    }
}

static void make_locks_anew(void) {
    signet_client *client;

    pthread_mutex_init(&process.lock, NULL);
    pthread_cond_init(&process.turn_over, NULL);
    for (client = process.clients; client != NULL; client = client->next) {
        pthread_mutex_init(&client->idle.lock, NULL);
        pthread_mutex_init(&client->shared.lock, NULL);
        pthread_cond_init(&client->shared.called, NULL);
    }
}
