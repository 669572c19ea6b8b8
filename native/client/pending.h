/* A request of signet_client_start, from its start to its end. Everything in it is guarded by the lock of its `shared`.
 */
#ifndef SIGNET_CLIENT_PENDING_H
#define SIGNET_CLIENT_PENDING_H

#include "lane.h"
#include "wire.h"

#include <pthread.h>

/*
 * Each is in one of these states, and only goes down the list.
 */
typedef enum {
    SIGNET__PENDING_WAITING, /* for an answer; in the list `waiting` of its shared */
    SIGNET__PENDING_CALLING, /* its outcome is there; the thread `caller` calls or is about to call `done`; in the list
                                `calling` */
    SIGNET__PENDING_DONE     /* `done` has returned; it belongs to whoever takes it */
} signet__pending_state;

struct signet_pending {
    struct signet_pending *next, *previous;
    struct signet__shared *shared;
    signet__pending_state state;
    /* CALLING: by whom, whether it has begun, and whether the request was taken or abandoned within its own callback.
     */
    pthread_t caller;
    bool called;
    bool released;
    void (*done)(void *);
    void *arg;
    /* Where it is in flight, and under which id; NULL when it is not. */
    signet__lane *lane;
    uint32_t id;
    /* Not a byte of it left before the connection was found dead. */
    bool unsent;
    unsigned retries_left;
    /* A socket whose service has no token for the key, or SIGNET__NO_SOCKET. */
    size_t avoid;
    uint64_t deadline_ns;
    unsigned char attempt_id[SIGNET__ATTEMPT_ID_BYTES];
    signet_sign_request request;
    signet_sign_result result;
    /* A copy of what `request.input` pointed to, for the retry. */
    unsigned char input[];
};

#endif
