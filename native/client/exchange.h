/* One request and its answer on a connection that the caller has to itself, waiting for it. */
#ifndef SIGNET_CLIENT_EXCHANGE_H
#define SIGNET_CLIENT_EXCHANGE_H

#include "connection.h"
#include "wire.h"

/* A request with what stays the same in its retry. */
typedef struct {
    const signet_sign_request *request;
    unsigned char attempt_id[SIGNET__ATTEMPT_ID_BYTES];
    uint64_t deadline_ns;
} signet__attempt;

typedef enum {
    SIGNET__ANSWERED, /* `result` is what the service answered */
    SIGNET__UNSENT,   /* the connection was found dead before a byte of the request left */
    SIGNET__BROKEN,   /* the connection broke before the answer: it may be tried on another */
    SIGNET__HOPELESS  /* another try is of no use; `result` says why */
} signet__verdict;

signet__verdict signet__exchange(signet__connection *connection, const signet__attempt *attempt,
                                 signet_sign_result *result);

#endif
