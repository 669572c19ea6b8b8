#include "reader.h"

#include "client.h"
#include "deadline.h"
#include "process.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* The thread's own needs are some 8 KiB; the rest is for what `done` does, and for programs with much thread-local
 * storage. */
#define STACK_BYTES ((size_t)256 * 1024)
/*
 * After its last request the thread sleeps in short pieces for a while: the next request then needs no wake-up, which
 * would cost a system call and a switch each. Short enough for the exactness of a deadline, long enough to cost
 * nothing.
 */
#define LINGER_PIECE_NS (20 * SIGNET__NS_PER_MS)
#define LINGER_NS (500 * SIGNET__NS_PER_MS)
#define DESCRIPTORS_AT_FIRST 8

/* Guarded by the lock of the process. */
static struct {
    bool running;
    int wake_fd;
    /* When it wakes by itself. */
    uint64_t wakes_at_ns;
    uint64_t busy_until_ns;
    struct pollfd *fds;
    size_t fds_capacity;
} reader = {.wake_fd = -1};

static bool start_thread(void);
static void *run(void *unused);
static size_t look_around(uint64_t *wake_at_ns);
static bool add_descriptor(size_t count, int fd, short events);
static void drain_wake_ups(int wake_fd);
static void give_turns(void);

bool signet__reader_start(void) {
    bool running;

    signet__process_lock();
    if (!reader.running)
        reader.running = start_thread();
    running = reader.running;
    signet__process_unlock();
    return running;
}

void signet__reader_notice(uint64_t deadline_ns, bool at_once) {
    static const uint64_t ONE = 1;

    signet__process_lock();
    if (at_once || deadline_ns < reader.wakes_at_ns) {
        /* It cannot fail but by a full counter, and then the thread is being woken anyhow. */
        ssize_t ignored = write(reader.wake_fd, &ONE, sizeof(ONE));

        (void)ignored;
    }
    signet__process_unlock();
}

void signet__reader_forget(bool close_descriptors) {
    if (reader.wake_fd >= 0 && close_descriptors)
        close(reader.wake_fd);
    reader.wake_fd = -1;
    reader.running = false;
}

static bool start_thread(void) {
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_t thread;
    int error;

    reader.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (reader.wake_fd < 0)
        return false;
    reader.wakes_at_ns = 0;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, &attributes, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (error == 0)
        return true;
    signet__reader_forget(true);
    errno = error;
    return false;
}

static void *run(void *unused) {
    (void)unused;
    pthread_setname_np(pthread_self(), "signet-reader");
    for (;;) {
        uint64_t wake_at_ns;
        size_t count = look_around(&wake_at_ns);

        signet__poll_until(reader.fds, count, wake_at_ns);
        give_turns();
    }
    return NULL;
}

/* Which descriptors to watch and for how long. Only this thread changes `fds`. */
static size_t look_around(uint64_t *wake_at_ns) {
    uint64_t now = signet__now_ns();
    uint64_t deadline_ns = SIGNET__NEVER;
    size_t count = 0;
    signet_client *client;

    signet__process_lock();
    drain_wake_ups(reader.wake_fd);
    count += add_descriptor(count, reader.wake_fd, POLLIN);
    for (client = signet__process_first_client(); client != NULL; client = client->next) {
        signet__shared *shared = &client->shared;
        signet__lane *lane;

        if (client->driven)
            continue;
        pthread_mutex_lock(&shared->lock);
        if (signet__shared_deadline(shared) < deadline_ns)
            deadline_ns = signet__shared_deadline(shared);
        for (lane = shared->lanes; lane != NULL; lane = lane->next)
            count += add_descriptor(count, lane->connection->fd, signet__lane_events(lane));
        pthread_mutex_unlock(&shared->lock);
    }
    if (deadline_ns != SIGNET__NEVER)
        reader.busy_until_ns = now + LINGER_NS;
    if (now < reader.busy_until_ns && deadline_ns > now + LINGER_PIECE_NS)
        deadline_ns = now + LINGER_PIECE_NS;
    reader.wakes_at_ns = *wake_at_ns = deadline_ns;
    signet__process_unlock();
    return count;
}

/* Without memory for one more descriptor it is left out: its requests then end by their deadline. */
static bool add_descriptor(size_t count, int fd, short events) {
    if (count == reader.fds_capacity) {
        size_t capacity = count == 0 ? DESCRIPTORS_AT_FIRST : count * 2;
        struct pollfd *fds = realloc(reader.fds, capacity * sizeof(*fds));

        if (fds == NULL)
            return false;
        reader.fds = fds;
        reader.fds_capacity = capacity;
    }
    reader.fds[count] = (struct pollfd){.fd = fd, .events = events};
    return true;
}

static void drain_wake_ups(int wake_fd) {
    uint64_t count;
    ssize_t ignored = read(wake_fd, &count, sizeof(count));

    (void)ignored;
}

/* A client cannot go while it has its turn (process.c), so its successor in the list is known afterwards. */
static void give_turns(void) {
    signet_client *client;

    signet__process_lock();
    for (client = signet__process_first_client(); client != NULL; client = client->next) {
        if (client->driven)
            continue;
        signet__process_set_turn(client);
        signet__process_unlock();
        signet__shared_turn(&client->shared);
        signet__process_lock();
        signet__process_set_turn(NULL);
    }
    signet__process_unlock();
}
