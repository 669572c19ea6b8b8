/*
 * A request is submitted to an open lane, preferably the one of the service that answered last; if there is none, a
 * connection is opened. It stays in `waiting` until its outcome is there: an answer, its deadline, or a break with no
 * retry left. Then it moves to `calling`, and the thread that found the outcome calls `done` after it has given the
 * lock back.
 *
 * A lane is removed only in `settle`, never on the way, so that whoever walks the lanes may submit.
 */
#include "shared_connection.h"

#include "client.h"
#include "completion.h"
#include "deadline.h"
#include "reader.h"
#include "status.h"

#include <errno.h>
#include <stdlib.h>

/* As in client.c. */
#define RETRIES_MAX 1
/* As in exchange.c: the service's own "too late" says more than ours. */
#define ANSWER_GRACE_NS (10 * SIGNET__NS_PER_MS)
/* Reads per lane and turn, so that one talkative service cannot hold up the rest. */
#define READS_PER_TURN_MAX 32

static bool prepare(signet__shared *shared, signet_pending *pending);
static void submit(signet__shared *shared, signet_pending *pending);
static signet__lane *choose_lane(signet__shared *shared, const signet_pending *pending, signet_sign_result *failure);
static signet__lane *find_open_lane(const signet__shared *shared, size_t avoid);
static signet__lane *open_lane(signet__shared *shared, size_t avoid, signet_sign_result *failure);
static void send_on(signet__shared *shared, signet__lane *lane, signet_pending *pending);
static void read_lane(signet__shared *shared, signet__lane *lane, unsigned reads_max);
static void take_answers(signet__shared *shared, signet__lane *lane);
static void take_answer(signet__shared *shared, signet__lane *lane, signet_pending *pending,
                        const signet_v1_SignStreamResponse *response);
static bool may_retry_elsewhere(const signet__shared *shared, const signet__lane *lane, const signet_pending *pending);
static void settle(signet__shared *shared);
static signet__lane *unlink_finished_lane(signet__shared *shared);
static bool is_finished(const signet__lane *lane);
static void move_requests(signet__shared *shared, signet__lane *lane);
static void retry_or_fail(signet__shared *shared, const signet__lane *lane, signet_pending *pending);
static void expire(signet__shared *shared, uint64_t now_ns);
static void free_lanes(signet__shared *shared);

void signet__shared_init(signet__shared *shared, signet_client *client) {
    pthread_mutex_init(&shared->lock, NULL);
    pthread_cond_init(&shared->called, NULL);
    shared->client = client;
    shared->holders = 1;
    shared->preferred = SIGNET__NO_SOCKET;
}

bool signet__shared_end(signet__shared *shared) {
    bool last, watched;

    pthread_mutex_lock(&shared->lock);
    watched = shared->lanes != NULL && !shared->client->driven;
    while (shared->waiting != NULL) {
        signet__fail(&shared->waiting->result, SIGNET_INTERNAL, NULL, "the client was freed");
        signet__completion_complete(shared, shared->waiting);
    }
    free_lanes(shared);
    pthread_mutex_unlock(&shared->lock);
    /* A connection that a thread polls ends when the poll does, not when it is closed (get_file in the kernel's
     * __pollwait). */
    if (watched)
        signet__reader_notice(SIGNET__NEVER, true);
    signet__completion_call(shared);
    pthread_mutex_lock(&shared->lock);
    last = --shared->holders == 0;
    pthread_mutex_unlock(&shared->lock);
    return last;
}

void signet__shared_destroy(signet__shared *shared) {
    pthread_mutex_destroy(&shared->lock);
    pthread_cond_destroy(&shared->called);
    free(shared->client);
}

void signet__shared_forget(signet__shared *shared, bool close_descriptors) {
    signet__lane *lane;

    while (shared->waiting != NULL) {
        signet__fail(&shared->waiting->result, SIGNET_UNREACHABLE, NULL,
                     "the process was forked while the request was in flight");
        signet__completion_withdraw(shared, shared->waiting);
    }
    signet__completion_forget(shared);
    for (lane = shared->lanes; lane != NULL && !close_descriptors; lane = lane->next)
        lane->connection->fd = -1;
    free_lanes(shared);
}

void signet__shared_start(signet__shared *shared, signet_pending *pending) {
    bool has_reader = shared->client->driven || signet__reader_start();
    int reader_error = errno;
    uint64_t deadline_ns;
    bool changed;

    pthread_mutex_lock(&shared->lock);
    signet__completion_await(shared, pending);
    if (!has_reader) {
        signet__fail_errno(&pending->result, SIGNET_INTERNAL, NULL, "cannot start the reader thread", reader_error);
        signet__completion_complete(shared, pending);
    } else if (prepare(shared, pending)) {
        submit(shared, pending);
        settle(shared);
    } else {
        signet__completion_complete(shared, pending);
    }
    deadline_ns = signet__shared_deadline(shared);
    changed = shared->changed;
    shared->changed = false;
    pthread_mutex_unlock(&shared->lock);
    if (!shared->client->driven && (changed || deadline_ns != SIGNET__NEVER))
        signet__reader_notice(deadline_ns, changed);
    signet__completion_call(shared);
}

void signet__shared_turn(signet__shared *shared) {
    signet__lane *lane;

    pthread_mutex_lock(&shared->lock);
    for (lane = shared->lanes; lane != NULL; lane = lane->next) {
        signet__connection_flush(lane->connection);
        read_lane(shared, lane, READS_PER_TURN_MAX);
    }
    settle(shared);
    expire(shared, signet__now_ns());
    pthread_mutex_unlock(&shared->lock);
    signet__completion_call(shared);
}

uint64_t signet__shared_deadline(const signet__shared *shared) {
    return shared->waiting != NULL ? shared->waiting->deadline_ns + ANSWER_GRACE_NS : SIGNET__NEVER;
}

void signet__shared_cancel(signet__shared *shared, signet_pending *pending) {
    signet__connection *connection = pending->lane != NULL ? pending->lane->connection : NULL;

    if (connection == NULL)
        return;
    /* Without memory for the Cancel the service makes a signature in vain. */
    signet__wire_put_cancel(&connection->out, pending->id);
    signet__connection_flush(connection);
    shared->changed |= signet__buffer_length(&connection->out) > 0;
}

/* Deadlines are given under the lock, so that `waiting` stays in their order. */
static bool prepare(signet__shared *shared, signet_pending *pending) {
    pending->retries_left = RETRIES_MAX;
    pending->deadline_ns = signet__deadline_in_ms(shared->client->timeout_ms);
    if (!signet__client_accepts(&pending->request, &pending->result))
        return false;
    if (!signet__make_attempt_id(pending->attempt_id)) {
        signet__fail_errno(&pending->result, SIGNET_INTERNAL, NULL, "no random bytes for the attempt id", errno);
        return false;
    }
    return true;
}

static void submit(signet__shared *shared, signet_pending *pending) {
    signet_sign_result failure;
    signet__lane *lane = choose_lane(shared, pending, &failure);

    if (lane != NULL && !signet__lane_is_full(lane)) {
        send_on(shared, lane, pending);
        return;
    }
    if (lane != NULL)
        signet__fail(&pending->result, SIGNET_BUSY, lane->connection->path, "%zu requests are in flight already",
                     lane->in_flight);
    else if (pending->avoid == SIGNET__NO_SOCKET)
        pending->result = failure;
    /* Else the answer of the service that was to be avoided stands. */
    signet__completion_complete(shared, pending);
}

static signet__lane *choose_lane(signet__shared *shared, const signet_pending *pending, signet_sign_result *failure) {
    signet__lane *lane = find_open_lane(shared, pending->avoid);

    if (lane == NULL)
        lane = open_lane(shared, pending->avoid, failure);
    if (lane != NULL && pending->avoid != SIGNET__NO_SOCKET)
        shared->preferred = lane->connection->socket_index;
    return lane;
}

static signet__lane *find_open_lane(const signet__shared *shared, size_t avoid) {
    signet__lane *lane, *found = NULL;

    for (lane = shared->lanes; lane != NULL; lane = lane->next) {
        if (!signet__lane_is_open(lane) || lane->connection->socket_index == avoid)
            continue;
        if (found == NULL || lane->connection->socket_index == shared->preferred)
            found = lane;
    }
    return found;
}

static signet__lane *open_lane(signet__shared *shared, size_t avoid, signet_sign_result *failure) {
    signet__connection *connection = signet__connection_open(shared->client, avoid, SIGNET__DO_NOT_WAIT, failure);
    signet__lane *lane = connection != NULL ? signet__lane_new(connection) : NULL;

    if (lane == NULL) {
        if (connection != NULL)
            signet__fail(failure, SIGNET_INTERNAL, NULL, "out of memory");
        return NULL;
    }
    lane->next = shared->lanes;
    shared->lanes = lane;
    shared->changed = true;
    return lane;
}

static void send_on(signet__shared *shared, signet__lane *lane, signet_pending *pending) {
    signet__connection *connection = lane->connection;
    size_t before = signet__buffer_length(&connection->out);
    bool used = lane->used;

    pending->lane = lane;
    pending->id = signet__lane_attach(lane, pending);
    if (!signet__wire_put_sign(&connection->out, pending->id, &pending->request, pending->attempt_id,
                               signet__remaining_us(pending->deadline_ns))) {
        signet__fail(&pending->result, SIGNET_INTERNAL, connection->path, "out of memory");
        signet__completion_complete(shared, pending);
        return;
    }
    signet__connection_flush(connection);
    pending->unsent = used && connection->unsendable && signet__buffer_length(&connection->out) > before;
    shared->changed |= signet__buffer_length(&connection->out) > 0;
}

static void read_lane(signet__shared *shared, signet__lane *lane, unsigned reads_max) {
    while (reads_max-- > 0 && signet__connection_fill(lane->connection))
        take_answers(shared, lane);
}

static void take_answers(signet__shared *shared, signet__lane *lane) {
    signet_v1_SignStreamResponse response;
    signet__take taken;

    while ((taken = signet__connection_take(lane->connection, &response, &lane->why)) == SIGNET__TAKE_ANSWER) {
        signet_pending *pending = signet__lane_find(lane, response.id);

        /* An id that nobody waits for: the answer to a withdrawn request. */
        if (pending != NULL)
            take_answer(shared, lane, pending, &response);
    }
    lane->refused = taken == SIGNET__TAKE_FAILED;
}

static void take_answer(signet__shared *shared, signet__lane *lane, signet_pending *pending,
                        const signet_v1_SignStreamResponse *response) {
    signet__completion_detach(pending);
    if (signet__answer(&pending->result, lane->connection->path, response) != SIGNET_NO_TOKEN ||
        !may_retry_elsewhere(shared, lane, pending)) {
        signet__completion_complete(shared, pending);
        return;
    }
    pending->retries_left--;
    pending->avoid = lane->connection->going_away ? SIGNET__NO_SOCKET : lane->connection->socket_index;
    submit(shared, pending);
}

/* A draining service may answer UNAVAILABLE to what crossed its GoAway: its successor listens at the same path. */
static bool may_retry_elsewhere(const signet__shared *shared, const signet__lane *lane, const signet_pending *pending) {
    return pending->retries_left > 0 && (lane->connection->going_away || shared->client->sockets.count > 1);
}

/* Until no lane is broken: a request that moves from one may find the next one broken too. Each request moves at most
 * once for its retry, and once for every lane that broke before it was sent. */
static void settle(signet__shared *shared) {
    signet__lane *lane;

    while ((lane = unlink_finished_lane(shared)) != NULL) {
        move_requests(shared, lane);
        signet__lane_free(lane);
    }
}

/* What can only be read any more is read to its end first: it may hold answers. */
static signet__lane *unlink_finished_lane(signet__shared *shared) {
    signet__lane **link, *lane;

    for (lane = shared->lanes; lane != NULL; lane = lane->next)
        if (lane->connection->unsendable && !lane->connection->broken) {
            read_lane(shared, lane, SIGNET__LAST_READS_MAX);
            lane->connection->broken = true;
        }
    for (link = &shared->lanes; (lane = *link) != NULL; link = &lane->next)
        if (is_finished(lane)) {
            *link = lane->next;
            return lane;
        }
    return NULL;
}

static bool is_finished(const signet__lane *lane) {
    return lane->connection->broken || (lane->connection->going_away && lane->in_flight == 0);
}

static void move_requests(signet__shared *shared, signet__lane *lane) {
    size_t slot;

    for (slot = 0; slot < SIGNET__LANE_IN_FLIGHT_MAX && lane->in_flight > 0; slot++)
        if (lane->slots[slot] != NULL) {
            signet_pending *pending = lane->slots[slot];

            signet__completion_detach(pending);
            retry_or_fail(shared, lane, pending);
        }
}

static void retry_or_fail(signet__shared *shared, const signet__lane *lane, signet_pending *pending) {
    if (lane->refused)
        pending->result = lane->why;
    else
        signet__connection_explain(lane->connection, &pending->result);
    if (lane->refused && pending->result.status != SIGNET_NO_TOKEN) {
        signet__completion_complete(shared, pending);
        return;
    }
    if (!pending->unsent && pending->retries_left == 0) {
        signet__completion_complete(shared, pending);
        return;
    }
    pending->retries_left -= !pending->unsent;
    pending->avoid = SIGNET__NO_SOCKET;
    submit(shared, pending);
}

static void expire(signet__shared *shared, uint64_t now_ns) {
    signet_pending *pending;

    while ((pending = shared->waiting) != NULL && pending->deadline_ns + ANSWER_GRACE_NS <= now_ns) {
        const char *path = pending->lane != NULL ? pending->lane->connection->path : NULL;

        signet__fail(&pending->result, SIGNET_LATE, path, "no answer within the time");
        signet__shared_cancel(shared, pending);
        signet__completion_complete(shared, pending);
    }
}

static void free_lanes(signet__shared *shared) {
    while (shared->lanes != NULL) {
        signet__lane *lane = shared->lanes;

        shared->lanes = lane->next;
        signet__lane_free(lane);
    }
}
