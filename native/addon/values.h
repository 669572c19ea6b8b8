/* Values for JavaScript. */
#ifndef SIGNET_VALUES_H
#define SIGNET_VALUES_H
#include <stdbool.h>

#include <node_api.h>

static inline bool set_number(napi_env env, napi_value object, const char *name, double number) {
    napi_value value;
    return napi_create_double(env, number, &value) == napi_ok &&
           napi_set_named_property(env, object, name, value) == napi_ok;
}

#endif
