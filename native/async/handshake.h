/* One step of a handshake, in an ASYNC_JOB so that it may pause in a signature. */
#ifndef SIGNET_ASYNC_HANDSHAKE_H
#define SIGNET_ASYNC_HANDSHAKE_H

#include "jobs.h"

#include <stdbool.h>

typedef enum {
    SIGNET__ASIDE, /* as without this library */
    SIGNET__STEP,  /* in a job */
    SIGNET__WAITS  /* its answer is not there yet: nothing is to be done */
} signet__step;

/* Before the real function. */
signet__step signet__handshake_begin(SSL *ssl);
/* After it. True: it has to be called again. */
bool signet__handshake_goes_on(SSL *ssl, signet__step *step);
/* The job of the handshake that runs now; made if there is none. NULL: none runs, or out of memory. */
signet_async_job *signet__handshake_job(void);
/* Whether a handshake runs now, in this thread. */
bool signet__handshake_runs(void);
/* Before the SSL goes: nothing of it may be left behind. */
void signet__handshake_end(SSL *ssl);

/* In the child of a fork, which may come from within a handshake's callback: that handshake is the parent's. */
void signet__handshake_forget(void);

#endif
