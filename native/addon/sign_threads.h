/* Sessions of a PKCS#11 module that sign side by side, each in a thread of its own; sign_threads.c says why. */
#ifndef SIGNET_SIGN_THREADS_H
#define SIGNET_SIGN_THREADS_H
#include <node_api.h>

napi_value sign_threads_start(napi_env env, napi_callback_info info);
napi_value sign_threads_submit(napi_env env, napi_callback_info info);
napi_value sign_threads_stop(napi_env env, napi_callback_info info);

#endif
