/* Two ways to look for the next message for a short while before the process sleeps; busy_poll.c says why and when. */
#ifndef SIGNET_BUSY_POLL_H
#define SIGNET_BUSY_POLL_H
#include <node_api.h>

napi_value busy_poll_events(napi_env env, napi_callback_info info);
napi_value busy_poll_receive(napi_env env, napi_callback_info info);

#endif
