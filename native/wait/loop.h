/* Signatures in the event loop of a program that has the preload library (native/async): its own thread reads the
 * client's socket. */
#ifndef SIGNET_WAIT_LOOP_H
#define SIGNET_WAIT_LOOP_H

#include "signet_async.h"
#include "signet_client.h"

typedef struct signet__loop signet__loop;

/* With a client of its own, of the same options. NULL: there is no preload library in this program, or no memory. */
signet__loop *signet__loop_new(const signet_client_options *options);
void signet__loop_free(signet__loop *loop);

/* The job to pause for a signature; NULL: wait in another way. `loop` may be NULL. */
signet_async_job *signet__loop_job(const signet__loop *loop);
/* As signet_client_sign; pauses the job. The rules of signet__sign_and_wait hold. */
signet_status signet__loop_sign(signet__loop *loop, signet_async_job *job, const signet_sign_request *request,
                                signet_sign_result *result);

#endif
