/* The event loop of node looks for the next message for a short while before it sleeps; native/signer/busy_poll.c says
 * why and when.
 */
#ifndef SIGNET_BUSY_POLL_NAPI_H
#define SIGNET_BUSY_POLL_NAPI_H
#include <node_api.h>

napi_value busy_poll_events(napi_env env, napi_callback_info info);

#endif
