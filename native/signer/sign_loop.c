#define _GNU_SOURCE
#include "sign_loop.h"

#include "busy_poll.h"
#include "now.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- the contract with the front, src/pool/messages.ts ---- */

#define LENGTH_BYTES 4
#define HEADER_BYTES 9
#define FRAME_JOB 2
#define FRAME_ANSWER 0x82
/* u16 scheme, u8 flags, SHA-256 of the SPKI, f64 deadline. */
#define JOB_HEADER_BYTES (2 + 1 + SPKI_SHA256_BYTES + 8)
/* u8 status, u32 token time. */
#define ANSWER_HEADER_BYTES 5
#define ANSWER_FRAME_BYTES_MAX (HEADER_BYTES + ANSWER_HEADER_BYTES + SIGNATURE_BYTES_MAX)
/* Indexes of JOB_STATUSES. */
enum status { STATUS_OK = 0, STATUS_MISFIT = 2, STATUS_UNKNOWN_KEY = 3, STATUS_NO_SESSION = 6, STATUS_EXPIRED = 9 };

/* ---- bounds ---- */

/* The longest frame; a job has at most 16 KiB and some. */
#define RECEIVE_BYTES (128 * 1024)
/* Jobs that may wait for each session; the front hands out at most 32 (src/pool/jobs-at-signer.ts). */
#define JOBS_PER_SESSION_MAX 64
/* How many answers may be held, and how long: half of the work that may lie at a session. */
#define ANSWERS_MAX 32
#define HOLD_US_MAX 500
/* The first wait for a busy token and the longest; each is twice the one before, less up to a half so that sessions do
 * not come all at once. */
#define BUSY_WAIT_NS_MIN 2000000
#define BUSY_WAIT_NS_MAX 100000000

struct job {
    struct job *next;
    uint32_t id;
    uint16_t scheme;
    bool is_digest;
    unsigned char spki_sha256[SPKI_SHA256_BYTES];
    int64_t deadline_ns;
    size_t length;
    unsigned char input[];
};

/* A job that the caller of sign_loop_next has to answer. */
struct failure {
    struct failure *next;
    uint32_t id;
    CK_RV rv;
    int64_t took_us;
    size_t key, way;
    unsigned generation;
};

/* Who signs in the session of this index. */
struct lane {
    sign_loop *loop;
    size_t index;
};

struct sign_loop {
    struct sign_loop_settings settings;
    /* Who waits in sign_loop_next is told by it, with several sessions. */
    int news_fd;

    pthread_mutex_t lock;
    /* A lane may have something to do; no session signs any more. */
    pthread_cond_t work, quiet;
    struct job *first, *last;
    size_t waiting;
    /* Lanes that sign, and lanes that wait for `work`. */
    size_t signing, idle;
    /* One lane waits for frames. */
    bool reading;
    /* Nobody is to begin a job: the caller of sign_loop_next sees to something. */
    bool is_held;
    bool gone;
    /* Of SIGN_EVENT_BROKEN; empty unless it is to be told. */
    char broken[sizeof((struct sign_event *)0)->what];
    /* A frame that is no job. What came behind it is not looked at before it has been seen to. */
    unsigned char *order;
    size_t order_length;
    bool is_order_told;
    struct failure *first_failure, *last_failure;

    /* Change only while no session signs. */
    CK_SESSION_HANDLE *sessions;
    size_t session_count;
    struct sign_key *keys;
    size_t key_count;
    /* Indexes of keys, plus 1, by the first bytes of their names; the size is a power of two. */
    uint32_t *table;
    size_t table_size;
    /* How often the sessions have changed. */
    unsigned generation;

    /* Bytes received and not yet parsed; whoever reads has them to itself. */
    unsigned char received[RECEIVE_BYTES];
    size_t received_from, received_to;

    pthread_mutex_t sending;
    unsigned char answers[ANSWERS_MAX * ANSWER_FRAME_BYTES_MAX];
    size_t answers_length;
    size_t held;
    int64_t held_since_ns;
    /* The front takes nothing any more. */
    bool is_deaf;

    struct lane lanes[];
};

static bool is_lone(const sign_loop *loop) {
    return loop->settings.sessions_max == 1;
}

static uint32_t get_u32(const unsigned char *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put_u32(unsigned char *at, uint32_t number) {
    at[0] = (unsigned char)(number >> 24);
    at[1] = (unsigned char)(number >> 16);
    at[2] = (unsigned char)(number >> 8);
    at[3] = (unsigned char)number;
}

/* ---- sending ---- */

static void send_all(sign_loop *loop, const unsigned char *bytes, size_t length) {
    while (length > 0 && !loop->is_deaf) {
        const ssize_t sent = send(loop->settings.fd, bytes, length, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            loop->is_deaf = true;
        if (sent > 0)
            bytes += sent, length -= (size_t)sent;
    }
}

static void send_held(sign_loop *loop) {
    send_all(loop, loop->answers, loop->answers_length);
    loop->answers_length = loop->held = 0;
}

static void flush(sign_loop *loop) {
    pthread_mutex_lock(&loop->sending);
    send_held(loop);
    pthread_mutex_unlock(&loop->sending);
}

void sign_loop_send(sign_loop *loop, const unsigned char *frames, size_t length) {
    pthread_mutex_lock(&loop->sending);
    send_held(loop);
    send_all(loop, frames, length);
    pthread_mutex_unlock(&loop->sending);
}

/* With one session it waits for others (work_alone), else it leaves at once. */
static void answer(sign_loop *loop, uint32_t id, enum status status, int64_t took_us, const void *content,
                   size_t length) {
    pthread_mutex_lock(&loop->sending);
    if (sizeof loop->answers - loop->answers_length < ANSWER_FRAME_BYTES_MAX)
        send_held(loop);
    unsigned char *at = loop->answers + loop->answers_length;
    const size_t frame_length = HEADER_BYTES + ANSWER_HEADER_BYTES + length;
    put_u32(at, (uint32_t)(frame_length - LENGTH_BYTES));
    at[4] = FRAME_ANSWER;
    put_u32(at + 5, id);
    at[9] = (unsigned char)status;
    put_u32(at + 10, took_us > UINT32_MAX ? UINT32_MAX : (uint32_t)took_us);
    memcpy(at + 14, content, length);
    loop->answers_length += frame_length;
    if (loop->held++ == 0)
        loop->held_since_ns = now_ns();
    if (!is_lone(loop))
        send_held(loop);
    pthread_mutex_unlock(&loop->sending);
}

/* Answers do not wait for a job that takes so long. */
static void hold_for(sign_loop *loop, int64_t job_us) {
    if (!is_lone(loop) || loop->held == 0)
        return;
    const int64_t held_us = (now_ns() - loop->held_since_ns) / 1000;
    if (job_us > HOLD_US_MAX - held_us)
        flush(loop);
}

/* ---- one job ---- */

static void refuse(sign_loop *loop, const struct job *job, enum status status, const char *why) {
    answer(loop, job->id, status, 0, why, strlen(why));
}

/* For the caller of sign_loop_next to answer. */
static void fail(sign_loop *loop, const struct job *job, CK_RV rv, int64_t took_us, size_t key, size_t way) {
    struct failure *failure = malloc(sizeof *failure);
    if (!failure)
        abort();
    pthread_mutex_lock(&loop->lock);
    *failure = (struct failure){NULL, job->id, rv, took_us, key, way, loop->generation};
    if (loop->last_failure)
        loop->last_failure->next = failure;
    else
        loop->first_failure = failure;
    loop->last_failure = failure;
    pthread_mutex_unlock(&loop->lock);
    if (!is_lone(loop))
        eventfd_write(loop->news_fd, 1);
}

static bool is_busy(const sign_loop *loop, CK_RV rv) {
    for (size_t i = 0; i < loop->settings.busy_count; i++)
        if (loop->settings.busy[i] == rv)
            return true;
    return false;
}

/*
 * Again and again as long as the token answers that it is busy and patience lasts. The thread sleeps in between: it has
 * one session, and whatever else it could ask for would come to the same busy token.
 */
static CK_RV make_patiently(sign_loop *loop, CK_SESSION_HANDLE session, const struct sign_key *key,
                            const struct sign_way *way, const struct job *job, struct sign_made *made) {
    const struct sign_input input = {job->input, job->length, job->is_digest};
    int64_t wait_ns = BUSY_WAIT_NS_MIN, until_ns = 0;
    for (;;) {
        const CK_RV rv = sign_make(loop->settings.module, session, key, way, &input, made);
        if (rv == CKR_OK || !is_busy(loop, rv))
            return rv;
        const int64_t asked_ns = now_ns();
        if (until_ns == 0) {
            until_ns = asked_ns + loop->settings.token_busy_ns;
            if (job->deadline_ns < until_ns)
                until_ns = job->deadline_ns;
        }
        const int64_t sleep_ns = wait_ns / 2 + wait_ns / 2 * (asked_ns % 1024) / 1024;
        if (sleep_ns > until_ns - asked_ns)
            return rv;
        flush(loop);
        const struct timespec sleep = {sleep_ns / 1000000000, sleep_ns % 1000000000};
        nanosleep(&sleep, NULL);
        wait_ns = 2 * wait_ns < BUSY_WAIT_NS_MAX ? 2 * wait_ns : BUSY_WAIT_NS_MAX;
    }
}

static size_t place_of(const unsigned char *spki_sha256, size_t table_size) {
    uint64_t hash;
    memcpy(&hash, spki_sha256, sizeof hash);
    return (size_t)hash & (table_size - 1);
}

/* NULL if there is none. */
static struct sign_key *find_key(const sign_loop *loop, const unsigned char *spki_sha256) {
    for (size_t at = place_of(spki_sha256, loop->table_size);; at = (at + 1) & (loop->table_size - 1)) {
        if (loop->table[at] == 0)
            return NULL;
        struct sign_key *key = &loop->keys[loop->table[at] - 1];
        if (memcmp(key->spki_sha256, spki_sha256, SPKI_SHA256_BYTES) == 0)
            return key;
    }
}

/* NULL if the key may not go it. */
static const struct sign_way *find_way(const sign_loop *loop, const struct sign_key *key, uint16_t scheme) {
    for (size_t i = 0; i < loop->settings.way_count; i++)
        if (loop->settings.ways[i].scheme == scheme)
            return key->ways >> i & 1 ? &loop->settings.ways[i] : NULL;
    return NULL;
}

static void sign(sign_loop *loop, CK_SESSION_HANDLE session, struct sign_key *key, const struct sign_way *way,
                 const struct job *job) {
    const size_t key_at = (size_t)(key - loop->keys), way_at = (size_t)(way - loop->settings.ways);
    struct sign_made made;
    const CK_RV rv = make_patiently(loop, session, key, way, job, &made);
    if (rv != CKR_OK)
        return fail(loop, job, rv, 0, key_at, way_at);
    atomic_store_explicit(&key->last_us, made.took_us, memory_order_relaxed);
    const struct sign_input input = {job->input, job->length, job->is_digest};
    const bool is_due = sign_is_due(loop->settings.verify, key, way);
    if ((is_due || made.is_odd) && !sign_verifies(key, way, &input, &made))
        return fail(loop, job, CKR_OK, made.took_us, key_at, way_at);
    answer(loop, job->id, STATUS_OK, made.took_us, made.bytes, made.length);
}

/* The job is answered, or has failed. */
static void serve(sign_loop *loop, const CK_SESSION_HANDLE *session, const struct job *job) {
    char why[128];
    if (!session)
        return refuse(loop, job, STATUS_NO_SESSION, "the signer has lost its session");
    struct sign_key *key = find_key(loop, job->spki_sha256);
    if (!key)
        return refuse(loop, job, STATUS_UNKNOWN_KEY, "the signer has no such key");
    const struct sign_way *way = find_way(loop, key, job->scheme);
    if (!way) {
        snprintf(why, sizeof why, "scheme 0x%x does not fit the key, or its token cannot make it", job->scheme);
        return refuse(loop, job, STATUS_MISFIT, why);
    }
    if (job->is_digest && (!way->hash || job->length != way->digest_length)) {
        snprintf(why, sizeof why, "expected a digest of %zu bytes; %zu came", way->digest_length, job->length);
        return refuse(loop, job, STATUS_MISFIT, why);
    }
    if (job->deadline_ns <= now_ns())
        return refuse(loop, job, STATUS_EXPIRED, "the caller has stopped waiting");
    hold_for(loop, atomic_load_explicit(&key->last_us, memory_order_relaxed));
    sign(loop, *session, key, way, job);
}

/* ---- receiving; all with the lock held, but where it says otherwise ---- */

/* The front's clock is the machine's own (CLOCK_MONOTONIC), in milliseconds; it may be infinite. No number and one that
 * no int64_t holds are that too; what lies before the clock began is over. */
static int64_t get_deadline_ns(const unsigned char *at) {
    const uint64_t bits = (uint64_t)get_u32(at) << 32 | get_u32(at + 4);
    double milliseconds;
    memcpy(&milliseconds, &bits, sizeof milliseconds);
    if (milliseconds < 0)
        return 0;
    return milliseconds < 9e12 ? (int64_t)(milliseconds * 1e6) : INT64_MAX;
}

static void push_job(sign_loop *loop, const unsigned char *frame, size_t length) {
    const size_t body = HEADER_BYTES + JOB_HEADER_BYTES;
    if (length < body || loop->waiting >= JOBS_PER_SESSION_MAX * loop->settings.sessions_max) {
        snprintf(loop->broken, sizeof loop->broken, "expected a job of at least %zu bytes, one of at most %zu", body,
                 JOBS_PER_SESSION_MAX * loop->settings.sessions_max);
        return;
    }
    struct job *job = malloc(sizeof *job + length - body);
    if (!job)
        abort();
    const unsigned char *at = frame + HEADER_BYTES;
    job->next = NULL;
    job->id = get_u32(frame + LENGTH_BYTES + 1);
    job->scheme = (uint16_t)(at[0] << 8 | at[1]);
    job->is_digest = at[2] == 1;
    memcpy(job->spki_sha256, at + 3, SPKI_SHA256_BYTES);
    job->deadline_ns = get_deadline_ns(at + 3 + SPKI_SHA256_BYTES);
    job->length = length - body;
    memcpy(job->input, frame + body, job->length);
    if (loop->last)
        loop->last->next = job;
    else
        loop->first = job;
    loop->last = job;
    loop->waiting++;
}

static struct job *shift_job(sign_loop *loop) {
    struct job *job = loop->first;
    loop->first = job->next;
    if (!loop->first)
        loop->last = NULL;
    loop->waiting--;
    return job;
}

/* It may hold a PIN: no second copy stays. */
static void keep_order(sign_loop *loop, unsigned char *frame, size_t length) {
    loop->order = malloc(length);
    if (!loop->order)
        abort();
    memcpy(loop->order, frame, length);
    loop->order_length = length;
    explicit_bzero(frame, length);
}

/* The whole frames that have come, up to the first order. */
static void parse(sign_loop *loop) {
    while (!loop->order && !loop->broken[0] && loop->received_to - loop->received_from >= LENGTH_BYTES) {
        unsigned char *frame = loop->received + loop->received_from;
        const size_t length = LENGTH_BYTES + (size_t)get_u32(frame);
        if (length < HEADER_BYTES || length > RECEIVE_BYTES) {
            snprintf(loop->broken, sizeof loop->broken, "expected a frame of %d to %d bytes; one of %zu came",
                     HEADER_BYTES, RECEIVE_BYTES, length);
            return;
        }
        if (length > loop->received_to - loop->received_from)
            return;
        if (frame[LENGTH_BYTES] == FRAME_JOB)
            push_job(loop, frame, length);
        else
            keep_order(loop, frame, length);
        loop->received_from += length;
    }
}

/* Whether there may be more to read; what follows an order waits for it. And whoever were to read while nobody may sign
 * would go back to recv with jobs in hand, and not be there to sign them when that is over. */
static bool may_read(const sign_loop *loop) {
    return !loop->reading && !loop->is_held && !loop->order && !loop->gone && !loop->broken[0];
}

static void took(sign_loop *loop, ssize_t got, int error) {
    if (got > 0) {
        loop->received_to += (size_t)got;
        parse(loop);
    } else if (got == 0 || error == ECONNRESET) {
        loop->gone = true;
    } else if (error != EAGAIN && error != EINTR) {
        snprintf(loop->broken, sizeof loop->broken, "the socket of the front: %s", strerror(error));
    }
}

/* There is room: no frame is longer than all of it, and parse() leaves less than one. */
static unsigned char *make_room(sign_loop *loop, size_t *room) {
    const size_t left = loop->received_to - loop->received_from;
    if (loop->received_from > 0) {
        memmove(loop->received, loop->received + loop->received_from, left);
        /* It may be a piece of an order. */
        if (left > 0)
            explicit_bzero(loop->received + left, loop->received_from);
        loop->received_from = 0;
        loop->received_to = left;
    }
    *room = RECEIVE_BYTES - left;
    return loop->received + left;
}

/* Without the lock while it waits. */
static void receive(sign_loop *loop) {
    size_t room;
    unsigned char *into = make_room(loop, &room);
    ssize_t got;
    loop->reading = true;
    pthread_mutex_unlock(&loop->lock);
    if (is_lone(loop))
        got = busy_poll_recv(loop->settings.fd, into, room, loop->settings.look_ns);
    else
        got = recv(loop->settings.fd, into, room, 0);
    const int error = errno;
    pthread_mutex_lock(&loop->lock);
    loop->reading = false;
    took(loop, got, error);
}

/* What has come meanwhile. */
static void look(sign_loop *loop) {
    size_t room;
    if (!may_read(loop))
        return;
    unsigned char *into = make_room(loop, &room);
    const ssize_t got = recv(loop->settings.fd, into, room, MSG_DONTWAIT);
    took(loop, got, errno);
}

/* ---- lanes ---- */

static bool is_order_due(const sign_loop *loop) {
    return loop->order && !loop->is_order_told && !loop->first && loop->signing == 0;
}

/* A front that has said its last is answered by the one session; several may sign for long. */
static bool is_gone(const sign_loop *loop) {
    return loop->gone && (!loop->first || !is_lone(loop));
}

static bool has_news(const sign_loop *loop) {
    return loop->first_failure || loop->broken[0] || is_gone(loop) || is_order_due(loop);
}

/* Whether this lane may take a job: it has a session, or nobody has one and all are refused. */
static bool may_serve(const sign_loop *loop, const struct lane *lane) {
    return loop->first && !loop->is_held && !is_gone(loop) &&
           (lane->index < loop->session_count || loop->session_count == 0);
}

/* Serves the next job. The lock is held before and after it. */
static void serve_next(struct lane *lane) {
    sign_loop *loop = lane->loop;
    struct job *job = shift_job(loop);
    const CK_SESSION_HANDLE *session = loop->session_count > 0 ? &loop->sessions[lane->index] : NULL;
    loop->signing++;
    pthread_mutex_unlock(&loop->lock);
    serve(loop, session, job);
    free(job);
    pthread_mutex_lock(&loop->lock);
    if (--loop->signing == 0 && loop->is_held)
        pthread_cond_broadcast(&loop->quiet);
}

/* Another lane takes the next job, or reads. */
static void wake_another(sign_loop *loop) {
    if (loop->idle == 0 || !((loop->first && !loop->is_held) || may_read(loop)))
        return;
    if (loop->session_count == loop->settings.sessions_max || loop->session_count == 0)
        pthread_cond_signal(&loop->work);
    else
        pthread_cond_broadcast(&loop->work);
}

static void *run_lane(void *argument) {
    struct lane *lane = argument;
    sign_loop *loop = lane->loop;
    pthread_mutex_lock(&loop->lock);
    while (!loop->gone) {
        if (may_serve(loop, lane)) {
            if (loop->first->next || may_read(loop))
                wake_another(loop);
            serve_next(lane);
        } else if (may_read(loop)) {
            receive(loop);
            if (!may_serve(loop, lane))
                wake_another(loop);
        } else {
            loop->idle++;
            pthread_cond_wait(&loop->work, &loop->lock);
            loop->idle--;
            continue;
        }
        if (has_news(loop))
            eventfd_write(loop->news_fd, 1);
    }
    pthread_mutex_unlock(&loop->lock);
    return NULL;
}

/*
 * While one half of the jobs that lie here is worked on, the answers to the other half leave together, and what comes
 * for them is on its way: so neither waits for the other, and both are woken half as often as there are jobs, or less.
 */
static void work_alone(sign_loop *loop) {
    struct lane *lane = &loop->lanes[0];
    if (!may_serve(loop, lane))
        return receive(loop);
    serve_next(lane);
    if (loop->held < loop->waiting)
        return;
    /* Who asks one at a time waits for this answer. */
    if (loop->held > 1)
        look(loop);
    if (loop->held >= loop->waiting)
        flush(loop);
}

/* Until a lane has news or the front is gone, even if all lanes sign. The lock is not held meanwhile. */
static void wait_for_news(sign_loop *loop) {
    struct pollfd fds[] = {{.fd = loop->news_fd, .events = POLLIN}, {.fd = loop->settings.fd, .events = POLLRDHUP}};
    eventfd_t count;
    pthread_mutex_unlock(&loop->lock);
    poll(fds, 2, -1);
    if (fds[0].revents)
        eventfd_read(loop->news_fd, &count);
    pthread_mutex_lock(&loop->lock);
    if (fds[1].revents)
        loop->gone = true;
}

/* ---- for the caller ---- */

static bool tell(sign_loop *loop, struct sign_event *event) {
    *event = (struct sign_event){.kind = SIGN_EVENT_FAILED};
    struct failure *failure = loop->first_failure;
    if (failure) {
        loop->first_failure = failure->next;
        if (!loop->first_failure)
            loop->last_failure = NULL;
        event->id = failure->id;
        event->rv = failure->rv;
        event->took_us = failure->took_us;
        event->key = failure->key;
        event->way = failure->way;
        event->is_stale = failure->generation != loop->generation;
        free(failure);
    } else if (is_gone(loop)) {
        event->kind = SIGN_EVENT_GONE;
        event->is_signing = loop->signing > 0;
    } else if (loop->broken[0]) {
        event->kind = SIGN_EVENT_BROKEN;
        memcpy(event->what, loop->broken, sizeof event->what);
    } else if (is_order_due(loop)) {
        event->kind = SIGN_EVENT_ORDER;
        event->frame = loop->order;
        event->frame_length = loop->order_length;
        loop->is_order_told = loop->is_held = true;
    } else {
        return false;
    }
    return true;
}

/* The caller has seen to it. */
static void go_on(sign_loop *loop) {
    if (loop->is_order_told) {
        explicit_bzero(loop->order, loop->order_length);
        free(loop->order);
        loop->order = NULL;
        loop->is_order_told = false;
        parse(loop);
    }
    if (!loop->is_held)
        return;
    loop->is_held = false;
    pthread_cond_broadcast(&loop->work);
}

void sign_loop_next(sign_loop *loop, struct sign_event *event) {
    pthread_mutex_lock(&loop->lock);
    go_on(loop);
    while (!tell(loop, event)) {
        if (is_lone(loop))
            work_alone(loop);
        else
            wait_for_news(loop);
    }
    pthread_mutex_unlock(&loop->lock);
}

void sign_loop_quiet(sign_loop *loop) {
    pthread_mutex_lock(&loop->lock);
    loop->is_held = true;
    while (loop->signing > 0)
        pthread_cond_wait(&loop->quiet, &loop->lock);
    pthread_mutex_unlock(&loop->lock);
}

static void make_table(sign_loop *loop) {
    size_t size = 8;
    while (size < 2 * loop->key_count)
        size *= 2;
    free(loop->table);
    loop->table = calloc(size, sizeof *loop->table);
    if (!loop->table)
        abort();
    loop->table_size = size;
    for (size_t i = 0; i < loop->key_count; i++) {
        size_t at = place_of(loop->keys[i].spki_sha256, size);
        while (loop->table[at] != 0)
            at = (at + 1) & (size - 1);
        loop->table[at] = (uint32_t)i + 1;
    }
}

void sign_loop_stand(sign_loop *loop, CK_SESSION_HANDLE *sessions, size_t session_count, struct sign_key *keys,
                     size_t key_count) {
    pthread_mutex_lock(&loop->lock);
    for (size_t i = 0; i < loop->key_count; i++)
        sign_key_clear(&loop->keys[i]);
    free(loop->keys);
    loop->keys = keys;
    loop->key_count = key_count;
    make_table(loop);
    if (sessions) {
        free(loop->sessions);
        loop->sessions = sessions;
        loop->session_count = session_count;
        loop->generation++;
    }
    pthread_mutex_unlock(&loop->lock);
}

/* Signals are for node's own threads. */
static bool start_lanes(sign_loop *loop) {
    if (is_lone(loop))
        return true;
    sigset_t all_signals, before;
    pthread_t thread;
    size_t started = 0;
    sigfillset(&all_signals);
    pthread_sigmask(SIG_SETMASK, &all_signals, &before);
    while (started < loop->settings.sessions_max &&
           pthread_create(&thread, NULL, run_lane, &loop->lanes[started]) == 0) {
        pthread_detach(thread);
        started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started == loop->settings.sessions_max;
}

sign_loop *sign_loop_open(const struct sign_loop_settings *settings) {
    sign_loop *loop = calloc(1, sizeof *loop + settings->sessions_max * sizeof loop->lanes[0]);
    if (!loop)
        return NULL;
    loop->settings = *settings;
    loop->is_held = true;
    pthread_mutex_init(&loop->lock, NULL);
    pthread_mutex_init(&loop->sending, NULL);
    pthread_cond_init(&loop->work, NULL);
    pthread_cond_init(&loop->quiet, NULL);
    make_table(loop);
    for (size_t i = 0; i < settings->sessions_max; i++)
        loop->lanes[i] = (struct lane){loop, i};
    loop->news_fd = is_lone(loop) ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    /* Threads that were started stay: whoever fails here ends the process. */
    return (is_lone(loop) || loop->news_fd >= 0) && start_lanes(loop) ? loop : NULL;
}
