#define _GNU_SOURCE
#include "sign_loop_napi.h"

#include "../signer/sign_loop.h"
#include "values.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* ---- what JavaScript gives ---- */

static bool get_member(napi_env env, napi_value object, const char *name, napi_value *value) {
    return napi_get_named_property(env, object, name, value) == napi_ok;
}

static bool get_number(napi_env env, napi_value object, const char *name, double min, double max, double *number) {
    napi_value value;
    return get_member(env, object, name, &value) && napi_get_value_double(env, value, number) == napi_ok &&
           *number >= min && *number <= max;
}

static bool get_bytes(napi_env env, napi_value value, void **bytes, size_t *length) {
    return napi_get_buffer_info(env, value, bytes, length) == napi_ok;
}

/* Exactly `length` of them. */
static bool get_bytes_into(napi_env env, napi_value object, const char *name, void *into, size_t length) {
    napi_value value;
    void *bytes;
    size_t given;
    if (!get_member(env, object, name, &value) || !get_bytes(env, value, &bytes, &given) || given != length)
        return false;
    memcpy(into, bytes, length);
    return true;
}

static bool is_undefined(napi_env env, napi_value value) {
    napi_valuetype type;
    return napi_typeof(env, value, &type) == napi_ok && type == napi_undefined;
}

/* Undefined, or [hashAlg, mgf, sLen]. */
static bool get_pss(napi_env env, napi_value value, struct sign_way *way) {
    if (is_undefined(env, value))
        return true;
    CK_ULONG *const members[] = {&way->pss.hashAlg, &way->pss.mgf, &way->pss.sLen};
    for (uint32_t i = 0; i < 3; i++) {
        napi_value member;
        int64_t number;
        if (napi_get_element(env, value, i, &member) != napi_ok ||
            napi_get_value_int64(env, member, &number) != napi_ok || number <= 0)
            return false;
        *members[i] = (CK_ULONG)number;
    }
    way->padding = PADDING_PSS;
    return true;
}

/* Undefined, or OpenSSL's name of a hash. */
static bool get_hash(napi_env env, napi_value value, struct sign_way *way) {
    char name[16];
    size_t length;
    if (is_undefined(env, value))
        return true;
    if (napi_get_value_string_utf8(env, value, name, sizeof name, &length) != napi_ok ||
        !(way->hash = EVP_MD_fetch(NULL, name, NULL)))
        return false;
    way->digest_length = (size_t)EVP_MD_get_size(way->hash);
    return true;
}

static bool get_way(napi_env env, napi_value value, void *into) {
    struct sign_way *way = into;
    napi_value hash, pss, digest_info;
    double scheme, mechanism;
    if (!get_number(env, value, "scheme", 0, UINT16_MAX, &scheme) ||
        !get_number(env, value, "mechanism", 0, UINT32_MAX, &mechanism) || !get_member(env, value, "hash", &hash) ||
        !get_hash(env, hash, way) || !get_member(env, value, "pss", &pss) || !get_pss(env, pss, way) ||
        !get_member(env, value, "digestInfo", &digest_info))
        return false;
    way->scheme = (uint16_t)scheme;
    way->mechanism = (CK_MECHANISM_TYPE)mechanism;
    way->is_ecdsa = way->mechanism == CKM_ECDSA;
    if (is_undefined(env, digest_info))
        return true;
    way->padding = PADDING_PKCS1;
    return get_bytes_into(env, value, "digestInfo", way->digest_info, sizeof way->digest_info);
}

static bool get_busy(napi_env env, napi_value value, void *into) {
    int64_t rv;
    if (napi_get_value_int64(env, value, &rv) != napi_ok)
        return false;
    *(CK_RV *)into = (CK_RV)rv;
    return true;
}

/* A handle as pkcs11js has it: the bytes of a CK_ULONG. */
static bool get_session(napi_env env, napi_value value, void *into) {
    void *bytes;
    size_t length;
    if (!get_bytes(env, value, &bytes, &length) || length != sizeof(CK_SESSION_HANDLE))
        return false;
    memcpy(into, bytes, length);
    return true;
}

static bool get_key(napi_env env, napi_value value, void *into) {
    struct sign_key *key = into;
    napi_value spki;
    void *bytes;
    double ways;
    if (!get_bytes_into(env, value, "spkiSha256", key->spki_sha256, sizeof key->spki_sha256) ||
        !get_bytes_into(env, value, "handle", &key->handle, sizeof key->handle) ||
        !get_number(env, value, "ways", 0, UINT32_MAX, &ways) || !get_member(env, value, "spki", &spki) ||
        !get_bytes(env, spki, &bytes, &key->spki_length) || !(key->spki = malloc(key->spki_length)))
        return false;
    memcpy(key->spki, bytes, key->spki_length);
    key->ways = (uint32_t)ways;
    key->last_us = NEVER_SIGNED_US;
    return true;
}

/* An array as one of C, each element zeroed before `get` fills it in; NULL if it is none. */
static void *get_array(napi_env env, napi_value array, size_t max, size_t size,
                       bool (*get)(napi_env, napi_value, void *), size_t *count) {
    uint32_t length;
    if (napi_get_array_length(env, array, &length) != napi_ok || length > max)
        return NULL;
    unsigned char *all = calloc((size_t)length + 1, size);
    for (uint32_t i = 0; all && i < length; i++) {
        napi_handle_scope scope;
        napi_value element;
        napi_open_handle_scope(env, &scope);
        const bool well = napi_get_element(env, array, i, &element) == napi_ok && get(env, element, all + i * size);
        napi_close_handle_scope(env, scope);
        if (well)
            continue;
        free(all);
        return NULL;
    }
    *count = length;
    return all;
}

static CK_FUNCTION_LIST *functions_of(napi_env env, napi_value options) {
    napi_value value;
    char path[PATH_MAX];
    size_t length;
    if (!get_member(env, options, "module", &value) ||
        napi_get_value_string_utf8(env, value, path, sizeof path, &length) != napi_ok)
        return NULL;
    CK_FUNCTION_LIST *list = NULL;
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
    CK_C_GetFunctionList get = module ? (CK_C_GetFunctionList)dlsym(module, "C_GetFunctionList") : NULL;
    return get && get(&list) == CKR_OK ? list : NULL;
}

static bool get_verify(napi_env env, napi_value options, enum sign_verify *verify) {
    static const char *const NAMES[] = {"always", "first", "sample"};
    napi_value value;
    char name[16];
    size_t length;
    if (!get_member(env, options, "verify", &value) ||
        napi_get_value_string_utf8(env, value, name, sizeof name, &length) != napi_ok)
        return false;
    for (size_t i = 0; i < 3; i++)
        if (strcmp(name, NAMES[i]) == 0) {
            *verify = (enum sign_verify)i;
            return true;
        }
    return false;
}

#define MICROSECONDS_MAX 1e9
#define MILLISECONDS_MAX 1e9
#define WAYS_MAX 32
#define KEYS_MAX 1000000

static bool get_settings(napi_env env, napi_value options, struct sign_loop_settings *settings) {
    napi_value busy, ways;
    double fd, sessions, look_us, busy_ms;
    if (!get_number(env, options, "fd", 0, INT32_MAX, &fd) ||
        !get_number(env, options, "sessions", 1, SIGN_SESSIONS_MAX, &sessions) ||
        !get_number(env, options, "busyPollUs", 0, MICROSECONDS_MAX, &look_us) ||
        !get_number(env, options, "tokenBusyMs", 0, MILLISECONDS_MAX, &busy_ms) ||
        !get_verify(env, options, &settings->verify) || !get_member(env, options, "busy", &busy) ||
        !get_member(env, options, "ways", &ways) || !(settings->module = functions_of(env, options)))
        return false;
    settings->fd = (int)fd;
    settings->sessions_max = (size_t)sessions;
    settings->look_ns = (int64_t)(look_us * 1e3);
    settings->token_busy_ns = (int64_t)(busy_ms * 1e6);
    settings->busy = get_array(env, busy, SIZE_MAX, sizeof(CK_RV), get_busy, &settings->busy_count);
    settings->ways = get_array(env, ways, WAYS_MAX, sizeof(struct sign_way), get_way, &settings->way_count);
    return settings->busy && settings->ways;
}

/* The loop is the first argument of all functions but that which opens it. Throws and gives NULL if it is not there. */
static sign_loop *get_call(napi_env env, napi_callback_info info, size_t wanted, napi_value *arguments,
                           const char *expected) {
    size_t argc = wanted;
    void *loop;
    if (napi_get_cb_info(env, info, &argc, arguments, NULL, NULL) == napi_ok && argc >= wanted &&
        napi_get_value_external(env, arguments[0], &loop) == napi_ok)
        return loop;
    napi_throw_type_error(env, NULL, expected);
    return NULL;
}

/* ---- what it is given ---- */

static bool set_string(napi_env env, napi_value object, const char *name, const char *text) {
    napi_value value;
    return napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value) == napi_ok &&
           napi_set_named_property(env, object, name, value) == napi_ok;
}

static bool set_boolean(napi_env env, napi_value object, const char *name, bool is_true) {
    napi_value value;
    return napi_get_boolean(env, is_true, &value) == napi_ok &&
           napi_set_named_property(env, object, name, value) == napi_ok;
}

static bool set_frame(napi_env env, napi_value object, const struct sign_event *event) {
    napi_value value;
    return napi_create_buffer_copy(env, event->frame_length, event->frame, NULL, &value) == napi_ok &&
           napi_set_named_property(env, object, "frame", value) == napi_ok;
}

static bool describe(napi_env env, const struct sign_event *event, napi_value object) {
    switch (event->kind) {
    case SIGN_EVENT_GONE:
        return set_string(env, object, "kind", "gone") && set_boolean(env, object, "isSigning", event->is_signing);
    case SIGN_EVENT_ORDER:
        return set_string(env, object, "kind", "order") && set_frame(env, object, event);
    case SIGN_EVENT_BROKEN:
        return set_string(env, object, "kind", "broken") && set_string(env, object, "what", event->what);
    case SIGN_EVENT_FAILED:
        return set_string(env, object, "kind", "failed") && set_number(env, object, "id", event->id) &&
               set_number(env, object, "rv", (double)event->rv) &&
               set_number(env, object, "tokenUs", (double)event->took_us) &&
               set_number(env, object, "key", (double)event->key) &&
               set_number(env, object, "way", (double)event->way) &&
               set_boolean(env, object, "isStale", event->is_stale);
    }
    return false;
}

/* ---- the functions ---- */

napi_value sign_loop_napi_open(napi_env env, napi_callback_info info) {
    size_t argc = 1;
    napi_value options, result;
    struct sign_loop_settings settings = {0};
    if (napi_get_cb_info(env, info, &argc, &options, NULL, NULL) != napi_ok || argc < 1 ||
        !get_settings(env, options, &settings)) {
        free(settings.busy);
        free(settings.ways);
        napi_throw_type_error(env, NULL, "signLoopOpen: expected settings and a PKCS#11 module that is loaded");
        return NULL;
    }
    sign_loop *loop = sign_loop_open(&settings);
    if (loop && napi_create_external(env, loop, NULL, NULL, &result) == napi_ok)
        return result;
    napi_throw_error(env, NULL, "signLoopOpen: no more threads; raise the limit of processes (ulimit -u)");
    return NULL;
}

napi_value sign_loop_napi_stand(napi_env env, napi_callback_info info) {
    static const char EXPECTED[] = "signLoopStand: expected a loop, handles of sessions and keys";
    napi_value arguments[3];
    size_t session_count = 0, key_count = 0;
    sign_loop *loop = get_call(env, info, 3, arguments, EXPECTED);
    if (!loop)
        return NULL;
    const bool stays = is_undefined(env, arguments[1]);
    CK_SESSION_HANDLE *sessions = NULL;
    if (!stays)
        sessions = get_array(env, arguments[1], SIGN_SESSIONS_MAX, sizeof *sessions, get_session, &session_count);
    struct sign_key *keys = get_array(env, arguments[2], KEYS_MAX, sizeof *keys, get_key, &key_count);
    if ((sessions || stays) && keys) {
        sign_loop_stand(loop, sessions, session_count, keys, key_count);
        return NULL;
    }
    free(sessions);
    free(keys);
    napi_throw_type_error(env, NULL, EXPECTED);
    return NULL;
}

napi_value sign_loop_napi_next(napi_env env, napi_callback_info info) {
    napi_value arguments[1], result;
    struct sign_event event;
    sign_loop *loop = get_call(env, info, 1, arguments, "signLoopNext: expected a loop");
    if (!loop)
        return NULL;
    sign_loop_next(loop, &event);
    return napi_create_object(env, &result) == napi_ok && describe(env, &event, result) ? result : NULL;
}

napi_value sign_loop_napi_quiet(napi_env env, napi_callback_info info) {
    napi_value arguments[1];
    sign_loop *loop = get_call(env, info, 1, arguments, "signLoopQuiet: expected a loop");
    if (loop)
        sign_loop_quiet(loop);
    return NULL;
}

napi_value sign_loop_napi_send(napi_env env, napi_callback_info info) {
    napi_value arguments[2];
    void *frames;
    size_t length;
    sign_loop *loop = get_call(env, info, 2, arguments, "signLoopSend: expected a loop and frames");
    if (!loop)
        return NULL;
    if (get_bytes(env, arguments[1], &frames, &length))
        sign_loop_send(loop, frames, length);
    else
        napi_throw_type_error(env, NULL, "signLoopSend: expected a loop and frames");
    return NULL;
}
