/* One signature from the service: waits in place, or, inside an ASYNC_JOB, lets the thread do something else meanwhile.
 */
#ifndef SIGNET_WAIT_H
#define SIGNET_WAIT_H

#include "loop.h"
#include "signet_client.h"

/* As signet_client_sign; under the preload library by `loop`, which may be NULL. No lock, no thread-local and no mark
 * on the error queue may be held here: another job may run in between. */
signet_status signet__sign_and_wait(signet_client *client, signet__loop *loop, const signet_sign_request *request,
                                    signet_sign_result *result);
/* SIGNET_INTERNAL, with a reason for the log. */
signet_status signet__wait_failed(signet_sign_result *result, const char *reason);

#endif
