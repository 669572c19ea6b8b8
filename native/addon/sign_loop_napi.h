/* The face of native/signer/sign_loop.h for JavaScript; src/native-addon.ts says what each function takes and gives. */
#ifndef SIGNET_SIGN_LOOP_NAPI_H
#define SIGNET_SIGN_LOOP_NAPI_H
#include <node_api.h>

napi_value sign_loop_napi_open(napi_env env, napi_callback_info info);
napi_value sign_loop_napi_stand(napi_env env, napi_callback_info info);
napi_value sign_loop_napi_next(napi_env env, napi_callback_info info);
napi_value sign_loop_napi_quiet(napi_env env, napi_callback_info info);
napi_value sign_loop_napi_send(napi_env env, napi_callback_info info);

#endif
