#include "exchange.h"

#include "deadline.h"
#include "status.h"

#include <poll.h>

/*
 * The service was told the same deadline, and its answer says more than our own silence: where the time went. So it
 * gets this much longer, well within the 50 ms that a caller may be kept beyond its deadline.
 */
#define ANSWER_GRACE_NS (10 * SIGNET__NS_PER_MS)

static signet__verdict send_all(signet__connection *connection, uint64_t deadline_ns, signet_sign_result *result);
static signet__verdict last_words(signet__connection *connection, bool unsent, signet_sign_result *result);
static signet__verdict await_answer(signet__connection *connection, uint32_t id, uint64_t deadline_ns,
                                    signet_sign_result *result);
static signet__verdict take_answer(signet__connection *connection, uint32_t id, signet_sign_result *result);
static signet__verdict broken(signet__connection *connection, signet_sign_result *result);
static signet__verdict late(signet__connection *connection, signet_sign_result *result);

signet__verdict signet__exchange(signet__connection *connection, const signet__attempt *attempt,
                                 signet_sign_result *result) {
    uint32_t id = signet__connection_next_id(connection);
    uint32_t timeout_us = signet__remaining_us(attempt->deadline_ns);
    signet__verdict verdict;

    if (timeout_us == 0)
        return late(connection, result);
    if (!signet__wire_put_sign(&connection->out, id, attempt->request, attempt->attempt_id, timeout_us)) {
        signet__fail(result, SIGNET_INTERNAL, connection->path, "out of memory");
        return SIGNET__HOPELESS;
    }
    verdict = send_all(connection, attempt->deadline_ns, result);
    if (verdict != SIGNET__ANSWERED)
        return verdict;
    return await_answer(connection, id, attempt->deadline_ns + ANSWER_GRACE_NS, result);
}

/* ANSWERED stands here for: it is sent. */
static signet__verdict send_all(signet__connection *connection, uint64_t deadline_ns, signet_sign_result *result) {
    size_t whole = signet__buffer_length(&connection->out);

    for (;;) {
        signet__connection_flush(connection);
        if (connection->unsendable)
            return last_words(connection, signet__buffer_length(&connection->out) == whole, result);
        if (signet__buffer_length(&connection->out) == 0)
            return SIGNET__ANSWERED;
        if (!signet__wait_ready(connection->fd, POLLOUT, deadline_ns))
            return late(connection, result);
    }
}

/* A service that turns the whole connection away says why before it closes; that is worth more than EPIPE. */
static signet__verdict last_words(signet__connection *connection, bool unsent, signet_sign_result *result) {
    unsigned reads = 0;

    while (reads++ < SIGNET__LAST_READS_MAX && signet__connection_fill(connection)) {
        signet__verdict verdict = take_answer(connection, 0, result);

        if (verdict != SIGNET__UNSENT)
            return verdict;
    }
    connection->broken = true;
    broken(connection, result);
    return unsent ? SIGNET__UNSENT : SIGNET__BROKEN;
}

/* What the service said before it closed may hold the answer: all that came is looked at before the break counts. */
static signet__verdict await_answer(signet__connection *connection, uint32_t id, uint64_t deadline_ns,
                                    signet_sign_result *result) {
    for (;;) {
        if (!signet__wait_ready(connection->fd, POLLIN, deadline_ns))
            return late(connection, result);
        if (signet__connection_fill(connection)) {
            signet__verdict verdict = take_answer(connection, id, result);

            if (verdict != SIGNET__UNSENT)
                return verdict;
        }
        if (connection->broken)
            return broken(connection, result);
    }
}

/* UNSENT stands here for: it is not there yet. */
static signet__verdict take_answer(signet__connection *connection, uint32_t id, signet_sign_result *result) {
    signet_v1_SignStreamResponse response;

    for (;;) {
        switch (signet__connection_take(connection, &response, result)) {
        case SIGNET__TAKE_NOTHING:
            return SIGNET__UNSENT;
        case SIGNET__TAKE_FAILED:
            return result->status == SIGNET_NO_TOKEN ? SIGNET__ANSWERED : SIGNET__HOPELESS;
        case SIGNET__TAKE_ANSWER:
            break;
        }
        if (response.id != id)
            continue;
        signet__answer(result, connection->path, &response);
        return result->status == SIGNET_PROTOCOL ? SIGNET__HOPELESS : SIGNET__ANSWERED;
    }
}

static signet__verdict broken(signet__connection *connection, signet_sign_result *result) {
    signet__connection_explain(connection, result);
    return SIGNET__BROKEN;
}

/* Out of step from now on: its answer could still come. Closing tells the service that nobody waits. */
static signet__verdict late(signet__connection *connection, signet_sign_result *result) {
    connection->broken = true;
    signet__fail(result, SIGNET_LATE, connection->path, "no answer within the time");
    return SIGNET__HOPELESS;
}
