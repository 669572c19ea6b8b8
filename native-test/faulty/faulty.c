/*
 * A PKCS#11 module that wraps a real one (SIGNET_FAULTY_MODULE) and misbehaves as the state file (SIGNET_FAULTY_STATE)
 * says.
 *
 * All functions take the same way: call_begin, the real function unless call_begin says no, call_end. One lock lies
 * around the real call: for reading as a rule, so calls go in parallel as far as the real module lets them; for writing
 * where sessions or objects are taken away under the caller's feet. Nobody sleeps or hangs while holding it.
 */
#include "call.h"
#include "faults.h"
#include "objects.h"
#include "sessions.h"
#include "spy.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* A signature of RSA-8192; larger ones do not occur. */
#define SIGNATURE_BYTES_MAX 1024

#ifdef __SANITIZE_ADDRESS__
#define LOAD_FLAGS (RTLD_NOW | RTLD_LOCAL) /* AddressSanitizer forbids RTLD_DEEPBIND */
#else
#define LOAD_FLAGS (RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND)
#endif

CK_FUNCTION_LIST *real;
struct state *state;

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

static void load(void);
static bool call_begin(struct call *call);
static CK_RV call_end(struct call *call);
static bool is_size_query(const struct call *call);
static bool enter_token(struct call *call);
static void lock_for(struct call *call, bool wrong_key);
static void end_operation(const struct call *call);
static void after_real(struct call *call);

#define X(name, parameters, arguments, ...)                                                                            \
    static CK_RV faulty_##name parameters {                                                                            \
        struct call call = {.function = FN_##name, __VA_ARGS__};                                                       \
        if (call_begin(&call))                                                                                         \
            call.rv = real->name arguments;                                                                            \
        return call_end(&call);                                                                                        \
    }
#include "functions.def"
#undef X

static CK_FUNCTION_LIST functions = {
    .version = {2, 40},
    .C_GetFunctionList = C_GetFunctionList,
#define X(name, ...) .name = faulty_##name,
#include "functions.def"
#undef X
};

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    if (!list)
        return CKR_ARGUMENTS_BAD;
    if (!real || !state)
        return CKR_GENERAL_ERROR;
    *list = &functions;
    return CKR_OK;
}

static void load(void) {
    const char *module = getenv("SIGNET_FAULTY_MODULE"), *path = getenv("SIGNET_FAULTY_STATE");
    if (!module || !path) {
        fprintf(stderr, "faulty: SIGNET_FAULTY_MODULE must name the real module, SIGNET_FAULTY_STATE the state file\n");
        return;
    }
    state = state_open(path);
    if (state)
        sessions_start();
    void *library = dlopen(module, LOAD_FLAGS);
    CK_RV (*get_list)(CK_FUNCTION_LIST **) = NULL;
    if (library)
        *(void **)&get_list = dlsym(library, "C_GetFunctionList");
    if (!get_list || get_list(&real) != CKR_OK)
        fprintf(stderr, "faulty: SIGNET_FAULTY_MODULE %s is no PKCS#11 module: %s\n", module, library ? "" : dlerror());
}

/* Whether the real function is to be called; if not, call->rv says what to answer. */
static bool call_begin(struct call *call) {
    call->began_ns = now_ns();
    spy_begin(call);
    if (is_size_query(call))
        return call->reached = enter_token(call);
    crash_or_hang(call->function);
    if (fails(call->function, &call->rv)) {
        end_operation(call);
        return false;
    }
    call->holds_slot = call->function == FN_C_Sign && slot_take();
    call->token_began_ns = now_ns();
    return call->reached = enter_token(call);
}

static CK_RV call_end(struct call *call) {
    if (call->reached)
        after_real(call);
    if (call->locked)
        pthread_rwlock_unlock(&lock);
    if (call->reached && !is_size_query(call))
        sleep_latency(call->function, call->token_began_ns);
    if (call->holds_slot)
        slot_give();
    spy_end(call);
    return call->rv;
}

/* How long would the signature be? Costs the token nothing, so no fault is spent on it. */
static bool is_size_query(const struct call *call) {
    return call->signature_n && !call->signature;
}

/* Takes the lock and puts the real module's handles in place of the caller's. */
static bool enter_token(struct call *call) {
    if (call->function == FN_C_WaitForSlotEvent)
        return true; /* may wait for ever: not under the lock, and it names no session */
    bool wrong_key = call->function == FN_C_SignInit && dose_taken(&state->wrong_key);
    lock_for(call, wrong_key);
    if (session_is_revoked(call)) {
        if (call->function == FN_C_Sign)
            end_operation(call);
        return false;
    }
    objects_translate_in(call);
    CK_SLOT_ID slot;
    if (wrong_key && session_slot(call->session, &slot))
        *call->in[0] = object_like(slot, *call->in[0]);
    return true;
}

static void lock_for(struct call *call, bool wrong_key) {
    call->locked = true;
    pthread_rwlock_rdlock(&lock);
    if (!wrong_key && !sessions_are_behind() && !objects_are_lost(call))
        return;
    pthread_rwlock_unlock(&lock);
    pthread_rwlock_wrlock(&lock);
    sessions_catch_up();
    CK_SLOT_ID slot;
    if (objects_are_lost(call) && session_slot(call->session, &slot))
        objects_find(slot);
}

/* A C_Sign that fails ends the operation (PKCS#11 5.11), so the real module has to end its own. */
static void end_operation(const struct call *call) {
    if (call->function != FN_C_Sign || call->rv == CKR_BUFFER_TOO_SMALL)
        return;
    unsigned char signature[SIGNATURE_BYTES_MAX];
    CK_ULONG n = sizeof signature;
    real->C_Sign(call->session, call->data, call->data_n, signature, &n);
}

static void after_real(struct call *call) {
    if (call->rv != CKR_OK)
        return;
    sessions_note(call);
    if (call->found)
        objects_translate_found(call);
    if (call->token_info)
        call->token_info->flags |= (CK_FLAGS)atomic_load(&state->token_flags);
    if (call->signature && *call->signature_n > 0 && dose_taken(&state->corrupt))
        call->signature[*call->signature_n - 1] ^= 1;
}

uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}
