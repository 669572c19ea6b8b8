/*
 * The work of a signer: frames come from the front on a socket, jobs are signed in the sessions of a token, and answers
 * leave. All of the contract that is needed for a job that goes well is here (src/pool/messages.ts has the whole of
 * it); whatever else comes up (an order of the front, a token that fails, a signature that does not verify) is handed
 * to the caller of sign_loop_next as an event.
 *
 * With one session the caller's own thread does the work, inside sign_loop_next. With several there is a thread for
 * each: whoever has nothing to sign reads, and goes on with what it has read, so that a job wakes one thread and no
 * event loop stands in its way (docs/performance.md).
 */
#ifndef SIGNET_SIGN_LOOP_H
#define SIGNET_SIGN_LOOP_H

#include "sign_job.h"

#define SIGN_SESSIONS_MAX 1024

typedef struct sign_loop sign_loop;

struct sign_loop_settings {
    /* A connected stream socket that blocks. */
    int fd;
    CK_FUNCTION_LIST *module;
    size_t sessions_max;
    /* How long to look for the next frame before it sleeps, with one session (busy_poll.h). */
    int64_t look_ns;
    /* How long a job is tried again because the token is busy; less if its deadline comes before. */
    int64_t token_busy_ns;
    enum sign_verify verify;
    /* What a token answers that is busy. Both arrays are the loop's from now on. */
    CK_RV *busy;
    size_t busy_count;
    /* At most 32. */
    struct sign_way *ways;
    size_t way_count;
};

enum sign_event_kind {
    /* The front has closed its end or is dead. */
    SIGN_EVENT_GONE,
    /* A frame that is no job. No session signs until the next call of sign_loop_next. */
    SIGN_EVENT_ORDER,
    /* A job that has not been answered: the token failed, or (with CKR_OK) its signature does not verify. */
    SIGN_EVENT_FAILED,
    /* What came is no frame of the contract. */
    SIGN_EVENT_BROKEN,
};

struct sign_event {
    enum sign_event_kind kind;
    /* GONE: whether a session still signs. */
    bool is_signing;
    /* ORDER: the whole frame, valid until the next call of sign_loop_next, and wiped then. */
    unsigned char *frame;
    size_t frame_length;
    /* FAILED. */
    uint32_t id;
    CK_RV rv;
    int64_t took_us;
    /* Its key, as an index of those of sign_loop_stand; its way, of the settings'. */
    size_t key, way;
    /* Whether the sessions are others by now than those it failed in. */
    bool is_stale;
    /* BROKEN: what was expected. */
    char what[96];
};

/* NULL if there is no memory or there are no more threads or descriptors. Nothing is signed before the first
 * sign_loop_next. */
sign_loop *sign_loop_open(const struct sign_loop_settings *settings);

/*
 * What jobs are signed with from now on; without sessions they are answered that there is none, with NULL they stay as
 * they are. To be called while no session signs: before the first sign_loop_next, after an order or after
 * sign_loop_quiet. Both arrays are the loop's.
 */
void sign_loop_stand(sign_loop *loop, CK_SESSION_HANDLE *sessions, size_t session_count, struct sign_key *keys,
                     size_t key_count);

/* Waits for what the caller must see to. */
void sign_loop_next(sign_loop *loop, struct sign_event *event);

/* Waits until no session signs, and keeps it so until the next sign_loop_next. */
void sign_loop_quiet(sign_loop *loop);

/* Sends frames, behind the answers that are held. What the front no longer takes is dropped: it is gone. */
void sign_loop_send(sign_loop *loop, const unsigned char *frames, size_t length);

#endif
