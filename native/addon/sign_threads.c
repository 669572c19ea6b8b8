/*
 * A token that is slow but does many things at once, as an HSM in a network does, is kept busy by a thread for each
 * session. The threads share one queue, so that who has made a signature goes on to the next job without a word to
 * the event loop: through libuv's pool each job waited for the event loop twice and woke two threads, which with 32
 * sessions of 10 ms left a sixth of the token's time unused (docs/performance.md).
 *
 * The module is the one that pkcs11js has loaded and initialised in this process; only C_SignInit, C_Sign and, after
 * CKR_OPERATION_ACTIVE, C_SignFinal are called here.
 */
#define _GNU_SOURCE
#include "sign_threads.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <p11-kit/pkcs11.h>

/* Jobs that may wait for each thread; the front hands out at most 32 (src/pool/jobs-at-signer.ts). */
#define JOBS_PER_THREAD_MAX 64
#define THREADS_MAX 1024
/* More than any signature of ours (RSA-4096: 512), so that CKR_BUFFER_TOO_SMALL cannot leave an operation open. */
#define SIGNATURE_BYTES_MAX 1024
/* What a job is answered whose caller had stopped waiting before a thread came to it; no CKR_ is negative. */
#define EXPIRED (-1)

struct job {
    struct job *next;
    uint32_t ticket;
    CK_OBJECT_HANDLE key;
    CK_MECHANISM_TYPE mechanism;
    /* hashAlg is 0 where the mechanism has no parameter. */
    CK_RSA_PKCS_PSS_PARAMS pss;
    int64_t deadline_ns;
    /* A CK_RV or EXPIRED. */
    int64_t outcome;
    int64_t took_ns;
    CK_ULONG signature_length;
    unsigned char signature[SIGNATURE_BYTES_MAX];
    size_t input_length;
    unsigned char input[];
};

struct queue {
    struct job *first, *last;
    size_t length;
};

struct sign_threads {
    CK_FUNCTION_LIST *module;
    pthread_mutex_t lock;
    pthread_cond_t something_to_do;
    struct queue waiting, made;
    bool stopping;
    /* Whether the event loop knows that something is made. */
    bool told;
    /* Held to use `tell`, which ends with node's environment, be the threads at work or not. */
    pthread_mutex_t telling;
    napi_threadsafe_function tell;
    bool joined;
    /* Of the event loop only: jobs that it has not heard of again, for which it stays. */
    size_t outstanding;
    size_t count;
    struct thread {
        struct sign_threads *all;
        CK_SESSION_HANDLE session;
        pthread_t id;
    } threads[];
};

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void push(struct queue *queue, struct job *job) {
    job->next = NULL;
    if (queue->last)
        queue->last->next = job;
    else
        queue->first = job;
    queue->last = job;
    queue->length++;
}

static struct job *shift(struct queue *queue) {
    struct job *job = queue->first;
    if (!job)
        return NULL;
    queue->first = job->next;
    if (!queue->first)
        queue->last = NULL;
    queue->length--;
    return job;
}

/*
 * An operation that was left active is ended without a signature: PKCS#11 2.40 has no call for it, but C_SignFinal
 * "always terminates the active signing operation" (section 5.11), and there is no data yet.
 */
static CK_RV sign_init(CK_FUNCTION_LIST *module, CK_SESSION_HANDLE session, const struct job *job) {
    CK_RSA_PKCS_PSS_PARAMS pss = job->pss;
    CK_MECHANISM mechanism = {job->mechanism, NULL, 0};
    if (pss.hashAlg != 0)
        mechanism = (CK_MECHANISM){job->mechanism, &pss, sizeof pss};
    const CK_RV rv = module->C_SignInit(session, &mechanism, job->key);
    if (rv == CKR_OPERATION_ACTIVE) {
        unsigned char dropped[SIGNATURE_BYTES_MAX];
        CK_ULONG length = sizeof dropped;
        module->C_SignFinal(session, dropped, &length);
    }
    return rv;
}

/* One C_SignInit and one C_Sign. */
static void make(CK_FUNCTION_LIST *module, CK_SESSION_HANDLE session, struct job *job) {
    const int64_t begun_ns = now_ns();
    if (begun_ns >= job->deadline_ns) {
        job->outcome = EXPIRED;
        return;
    }
    CK_RV rv = sign_init(module, session, job);
    if (rv == CKR_OK) {
        job->signature_length = sizeof job->signature;
        rv = module->C_Sign(session, job->input, job->input_length, job->signature, &job->signature_length);
        /* A module that says so has written past the end, or lies. */
        if (rv == CKR_OK && job->signature_length > sizeof job->signature)
            rv = CKR_GENERAL_ERROR;
    }
    job->outcome = (int64_t)rv;
    job->took_ns = now_ns() - begun_ns;
}

/* The next job of the queue; NULL when it is empty and the threads are to end. */
static struct job *take(struct sign_threads *all) {
    pthread_mutex_lock(&all->lock);
    while (!all->waiting.first && !all->stopping)
        pthread_cond_wait(&all->something_to_do, &all->lock);
    struct job *job = shift(&all->waiting);
    pthread_mutex_unlock(&all->lock);
    return job;
}

static void give(struct sign_threads *all, struct job *job) {
    pthread_mutex_lock(&all->lock);
    push(&all->made, job);
    const bool knows = all->told;
    all->told = true;
    pthread_mutex_unlock(&all->lock);
    if (knows)
        return;
    pthread_mutex_lock(&all->telling);
    if (all->tell)
        napi_call_threadsafe_function(all->tell, NULL, napi_tsfn_nonblocking);
    pthread_mutex_unlock(&all->telling);
}

static void *work(void *argument) {
    const struct thread *self = argument;
    for (struct job *job = take(self->all); job; job = take(self->all)) {
        make(self->all->module, self->session, job);
        give(self->all, job);
    }
    return NULL;
}

/* [ticket, outcome, microseconds, signature or undefined] of a job, behind those that stand there. */
static bool put(napi_env env, napi_value array, uint32_t at, const struct job *job) {
    napi_value ticket, outcome, took_us, signature;
    const bool made = job->outcome == CKR_OK;
    return napi_create_uint32(env, job->ticket, &ticket) == napi_ok &&
           napi_create_int64(env, job->outcome, &outcome) == napi_ok &&
           napi_create_int64(env, (job->took_ns + 500) / 1000, &took_us) == napi_ok &&
           (made ? napi_create_buffer_copy(env, job->signature_length, job->signature, NULL, &signature)
                 : napi_get_undefined(env, &signature)) == napi_ok &&
           napi_set_element(env, array, at, ticket) == napi_ok &&
           napi_set_element(env, array, at + 1, outcome) == napi_ok &&
           napi_set_element(env, array, at + 2, took_us) == napi_ok &&
           napi_set_element(env, array, at + 3, signature) == napi_ok;
}

/* In the event loop: all that is made by now, in one call. */
static void tell(napi_env env, napi_value callback, void *context, void *data) {
    (void)data;
    struct sign_threads *all = context;
    /* What is told after the end comes behind `release`. */
    if (!env)
        return;
    pthread_mutex_lock(&all->lock);
    struct queue made = all->made;
    all->made = (struct queue){0};
    all->told = false;
    pthread_mutex_unlock(&all->lock);
    all->outstanding -= made.length;
    if (all->outstanding == 0 && made.length > 0)
        napi_unref_threadsafe_function(env, all->tell);
    napi_value array, nobody;
    bool well = napi_create_array_with_length(env, 4 * made.length, &array) == napi_ok;
    uint32_t at = 0;
    for (struct job *job = shift(&made); job; job = shift(&made)) {
        well = well && put(env, array, at, job);
        at += 4;
        free(job);
    }
    if (well && at > 0 && napi_get_undefined(env, &nobody) == napi_ok)
        napi_call_function(env, nobody, callback, 1, &array, NULL);
}

/* A handle as pkcs11js has it: the bytes of a CK_ULONG. */
static bool get_handle(napi_env env, napi_value value, CK_ULONG *handle) {
    void *bytes;
    size_t length;
    if (napi_get_buffer_info(env, value, &bytes, &length) != napi_ok || length != sizeof *handle)
        return false;
    memcpy(handle, bytes, sizeof *handle);
    return true;
}

/* Undefined, or [hashAlg, mgf, sLen]. */
static bool get_pss(napi_env env, napi_value value, CK_RSA_PKCS_PSS_PARAMS *pss) {
    napi_valuetype type;
    if (napi_typeof(env, value, &type) != napi_ok)
        return false;
    if (type == napi_undefined)
        return true;
    CK_ULONG *const members[] = {&pss->hashAlg, &pss->mgf, &pss->sLen};
    for (uint32_t i = 0; i < 3; i++) {
        napi_value member;
        int64_t number;
        if (napi_get_element(env, value, i, &member) != napi_ok ||
            napi_get_value_int64(env, member, &number) != napi_ok || number <= 0)
            return false;
        *members[i] = (CK_ULONG)number;
    }
    return true;
}

static CK_FUNCTION_LIST *functions_of(const char *path) {
    CK_FUNCTION_LIST *list = NULL;
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
    CK_C_GetFunctionList get = module ? (CK_C_GetFunctionList)dlsym(module, "C_GetFunctionList") : NULL;
    return get && get(&list) == CKR_OK ? list : NULL;
}

/* Joins the first `started` of them. None of them has a job. */
static void join(struct sign_threads *all, size_t started) {
    pthread_mutex_lock(&all->lock);
    all->stopping = true;
    pthread_cond_broadcast(&all->something_to_do);
    pthread_mutex_unlock(&all->lock);
    for (size_t i = 0; i < started; i++)
        pthread_join(all->threads[i].id, NULL);
    all->joined = true;
}

/* Signals are for node's own threads. False if not all could be started; then none is left. */
static bool start(struct sign_threads *all) {
    sigset_t all_signals, before;
    sigfillset(&all_signals);
    pthread_sigmask(SIG_SETMASK, &all_signals, &before);
    size_t started = 0;
    all->joined = false;
    while (started < all->count && pthread_create(&all->threads[started].id, NULL, work, &all->threads[started]) == 0)
        started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (started == all->count)
        return true;
    join(all, started);
    return false;
}

/*
 * When the threads are joined and the last `tell` has run; or when node ends while they work: then nothing is freed,
 * since they go on until the process is gone.
 */
static void release(napi_env env, void *data, void *hint) {
    (void)env, (void)hint;
    struct sign_threads *all = data;
    pthread_mutex_lock(&all->telling);
    all->tell = NULL;
    pthread_mutex_unlock(&all->telling);
    if (!all->joined)
        return;
    for (struct job *job = shift(&all->made); job; job = shift(&all->made))
        free(job);
    pthread_cond_destroy(&all->something_to_do);
    pthread_mutex_destroy(&all->lock);
    pthread_mutex_destroy(&all->telling);
    free(all);
}

static struct sign_threads *new_threads(napi_env env, napi_value sessions, CK_FUNCTION_LIST *module) {
    uint32_t count = 0;
    if (napi_get_array_length(env, sessions, &count) != napi_ok || count == 0 || count > THREADS_MAX)
        return NULL;
    struct sign_threads *all = calloc(1, sizeof *all + count * sizeof all->threads[0]);
    if (!all)
        return NULL;
    all->module = module;
    all->count = count;
    /* There is none yet that would have to be. */
    all->joined = true;
    pthread_mutex_init(&all->lock, NULL);
    pthread_mutex_init(&all->telling, NULL);
    pthread_cond_init(&all->something_to_do, NULL);
    for (uint32_t i = 0; i < count; i++) {
        napi_value session;
        all->threads[i].all = all;
        if (napi_get_element(env, sessions, i, &session) == napi_ok &&
            get_handle(env, session, &all->threads[i].session))
            continue;
        release(env, all, NULL);
        return NULL;
    }
    return all;
}

/*
 * signThreadsStart(path, sessions, made) -> threads: a thread for each session of a module that this process has loaded
 * from `path` and initialised. `made` is called in the event loop with what was made since it was called last, four
 * elements for each job: [ticket, CKR_ or -1 if it had expired, microseconds of the token, signature or undefined, …].
 */
napi_value sign_threads_start(napi_env env, napi_callback_info info) {
    size_t argc = 3;
    napi_value arguments[3], name, result;
    char path[PATH_MAX];
    size_t length;
    struct sign_threads *all = NULL;
    if (napi_get_cb_info(env, info, &argc, arguments, NULL, NULL) != napi_ok || argc < 3 ||
        napi_get_value_string_utf8(env, arguments[0], path, sizeof path, &length) != napi_ok ||
        napi_create_string_utf8(env, "signThreads", NAPI_AUTO_LENGTH, &name) != napi_ok) {
        napi_throw_type_error(env, NULL, "signThreadsStart: expected a path, sessions and a function");
        return NULL;
    }
    CK_FUNCTION_LIST *module = functions_of(path);
    if (!module) {
        napi_throw_error(env, NULL, "signThreadsStart: expected a PKCS#11 module that is loaded");
        return NULL;
    }
    all = new_threads(env, arguments[1], module);
    if (!all || napi_create_threadsafe_function(env, arguments[2], NULL, name, 0, 1, all, release, all, tell,
                                                &all->tell) != napi_ok) {
        if (all)
            release(env, all, NULL);
        napi_throw_type_error(env, NULL, "signThreadsStart: expected 1 to 1024 handles of sessions and a function");
        return NULL;
    }
    napi_unref_threadsafe_function(env, all->tell);
    if (start(all) && napi_create_external(env, all, NULL, NULL, &result) == napi_ok)
        return result;
    napi_release_threadsafe_function(all->tell, napi_tsfn_abort);
    napi_throw_error(env, NULL, "signThreadsStart: no more threads; raise the limit of processes (ulimit -u)");
    return NULL;
}

static struct job *new_job(napi_env env, const napi_value arguments[7]) {
    uint32_t ticket;
    CK_OBJECT_HANDLE key;
    int64_t mechanism;
    CK_RSA_PKCS_PSS_PARAMS pss = {0};
    void *input;
    size_t length;
    double left_ms;
    if (napi_get_value_uint32(env, arguments[1], &ticket) != napi_ok || !get_handle(env, arguments[2], &key) ||
        napi_get_value_int64(env, arguments[3], &mechanism) != napi_ok || !get_pss(env, arguments[4], &pss) ||
        napi_get_buffer_info(env, arguments[5], &input, &length) != napi_ok ||
        napi_get_value_double(env, arguments[6], &left_ms) != napi_ok)
        return NULL;
    struct job *job = malloc(sizeof *job + length);
    if (!job)
        return NULL;
    *job = (struct job){.ticket = ticket, .key = key, .mechanism = (CK_MECHANISM_TYPE)mechanism, .pss = pss};
    job->deadline_ns = left_ms < 1e9 ? now_ns() + (int64_t)(left_ms * 1e6) : INT64_MAX;
    job->input_length = length;
    memcpy(job->input, input, length);
    return job;
}

/*
 * signThreadsSubmit(threads, ticket, key, mechanism, pss, input, leftMs): C_SignInit and C_Sign in whichever session is
 * free first, in the order in which jobs come. `pss` is undefined or [hashAlg, mgf, sLen]; the caller waits `leftMs`.
 */
napi_value sign_threads_submit(napi_env env, napi_callback_info info) {
    size_t argc = 7;
    napi_value arguments[7];
    void *data;
    struct job *job = NULL;
    if (napi_get_cb_info(env, info, &argc, arguments, NULL, NULL) != napi_ok || argc < 7 ||
        napi_get_value_external(env, arguments[0], &data) != napi_ok || !(job = new_job(env, arguments))) {
        napi_throw_type_error(
            env, NULL,
            "signThreadsSubmit: expected threads, a ticket, a key, a mechanism, its parameter, an input and a time");
        return NULL;
    }
    struct sign_threads *all = data;
    pthread_mutex_lock(&all->lock);
    const bool has_room = all->waiting.length < JOBS_PER_THREAD_MAX * all->count;
    if (has_room)
        push(&all->waiting, job);
    pthread_mutex_unlock(&all->lock);
    if (!has_room) {
        free(job);
        napi_throw_error(env, NULL, "signThreadsSubmit: too many jobs wait");
        return NULL;
    }
    pthread_cond_signal(&all->something_to_do);
    if (all->outstanding++ == 0)
        napi_ref_threadsafe_function(env, all->tell);
    return NULL;
}

/* signThreadsStop(threads): ends them. The caller has seen to it that none has a job; they are not to be used again. */
napi_value sign_threads_stop(napi_env env, napi_callback_info info) {
    size_t argc = 1;
    napi_value argument;
    void *data;
    if (napi_get_cb_info(env, info, &argc, &argument, NULL, NULL) != napi_ok || argc < 1 ||
        napi_get_value_external(env, argument, &data) != napi_ok) {
        napi_throw_type_error(env, NULL, "signThreadsStop: expected threads");
        return NULL;
    }
    struct sign_threads *all = data;
    join(all, all->count);
    napi_release_threadsafe_function(all->tell, napi_tsfn_abort);
    return NULL;
}
