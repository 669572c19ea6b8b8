/*
 * Jobs, orders, failures and new sessions by chance, from a seed that is printed where it fails: each job is answered
 * exactly once, what is answered as a signature is one, and nobody signs while the caller sees to an order.
 */
#include "scene.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As the front does (src/pool/jobs-at-signer.ts). */
#define JOBS_PER_SESSION 32
#define JOBS_MAX 40000
/* An order after which the caller ends. */
#define THE_LAST FRAME_PIN
/* How many come at once. */
#define HEAP_MAX 12
#define SESSIONS_MAX 8
/* One call in so many is a failure of the token. */
#define ONE_IN 16

static const CK_RV MOODS[] = {CKR_DEVICE_ERROR, CKR_FUNCTION_FAILED, CKR_OPERATION_ACTIVE};

struct stress {
    scene scene;
    int sessions;
    uint32_t jobs;
    uint32_t seed;
    pthread_mutex_t lock;
    pthread_cond_t answered;
    uint32_t under_way;
    unsigned char expected[JOBS_MAX];
    frames last;
};

static uint32_t roll(uint32_t *random, uint32_t sides) {
    *random = *random * 1664525 + 1013904223;
    return (*random >> 8) % sides;
}

/* ---- the front ---- */

enum kind { KIND_P256, KIND_DIGEST, KIND_ED25519, KIND_MISFIT, KIND_LATE, KIND_COUNT };

static void add_kind(frames *frames, uint32_t id, enum kind kind) {
    static const unsigned char ZEROS[32];
    char message[16];
    const size_t length = (size_t)snprintf(message, sizeof message, "job %u", id);
    switch (kind) {
    case KIND_DIGEST:
        return add_job(frames, id, P256, true, ZEROS, sizeof ZEROS, NEVER);
    case KIND_ED25519:
        return add_job(frames, id, ED25519, false, message, length, NEVER);
    case KIND_MISFIT:
        return add_job(frames, id, P256, true, ZEROS, 31, NEVER);
    case KIND_LATE:
        return add_job(frames, id, P256, false, message, length, 1);
    default:
        return add_job(frames, id, P256, false, message, length, NEVER);
    }
}

static void wait_for_room(struct stress *stress, uint32_t most) {
    pthread_mutex_lock(&stress->lock);
    while (stress->under_way > most)
        pthread_cond_wait(&stress->answered, &stress->lock);
    pthread_mutex_unlock(&stress->lock);
}

/* In pieces of any length. */
static void send_in_pieces(struct stress *stress, frames *frames, uint32_t *random) {
    for (size_t sent = 0; sent < frames->length;) {
        size_t piece = 1 + roll(random, 400);
        if (piece > frames->length - sent)
            piece = frames->length - sent;
        front_send_bytes(&stress->scene, frames->bytes + sent, piece);
        sent += piece;
    }
    frames->length = 0;
}

static void *run_front(void *argument) {
    struct stress *stress = argument;
    static frames frames;
    uint32_t random = stress->seed;
    for (uint32_t id = 0; id < stress->jobs;) {
        wait_for_room(stress, JOBS_PER_SESSION * (uint32_t)stress->sessions - HEAP_MAX);
        for (uint32_t heap = 1 + roll(&random, HEAP_MAX); heap > 0 && id < stress->jobs; heap--, id++) {
            const enum kind kind = (enum kind)roll(&random, KIND_COUNT);
            pthread_mutex_lock(&stress->lock);
            stress->expected[id] = 1 + (unsigned char)kind;
            stress->under_way++;
            pthread_mutex_unlock(&stress->lock);
            add_kind(&frames, id, kind);
        }
        if (roll(&random, 10) == 0)
            add_frame(&frames, FRAME_REFRESH, 0, NULL, 0);
        send_in_pieces(stress, &frames, &random);
    }
    return NULL;
}

static void check_answer(enum kind kind, const answer *answer) {
    static const unsigned REFUSALS[KIND_COUNT] = {OK, OK, OK, MISFIT, EXPIRED};
    char message[16];
    const size_t length = (size_t)snprintf(message, sizeof message, "job %u", answer->id);
    if (answer->status == NO_SESSION || answer->status == TOKEN_ERROR || answer->status == BAD_SIGNATURE)
        return;
    assert_int_equal(answer->status, REFUSALS[kind]);
    if (kind == KIND_P256 || kind == KIND_ED25519)
        assert_signature(kind == KIND_P256 ? P256 : ED25519, message, length, answer);
}

static void read_answers(struct stress *stress) {
    for (uint32_t i = 0; i < stress->jobs; i++) {
        const answer answer = front_receive(&stress->scene);
        assert_true(answer.id < stress->jobs);
        pthread_mutex_lock(&stress->lock);
        const unsigned char expected = stress->expected[answer.id];
        stress->expected[answer.id] = 0;
        stress->under_way--;
        pthread_cond_signal(&stress->answered);
        pthread_mutex_unlock(&stress->lock);
        if (expected == 0)
            fail_msg("seed %u: job %u was answered twice, or never asked", stress->seed, answer.id);
        check_answer((enum kind)(expected - 1), &answer);
    }
}

/* ---- the caller ---- */

static void answer_failure(struct stress *stress, const struct sign_event *event) {
    frames frames = {.length = 0};
    unsigned char body[5] = {event->rv == CKR_OK ? BAD_SIGNATURE : TOKEN_ERROR};
    add_frame(&frames, FRAME_ANSWER, event->id, body, sizeof body);
    sign_loop_send(stress->scene.loop, frames.bytes, frames.length);
}

/* Nobody signs: new sessions, some or none of them, or new keys alone. */
static void stand_anew(struct stress *stress, uint32_t *random) {
    static CK_SESSION_HANDLE first = 1;
    fake_forbid(true);
    /* Whoever were to sign now is given the time to be seen. */
    for (int i = 0; i < 20; i++)
        sched_yield();
    first = first + SESSIONS_MAX + SESSIONS_MAX > FAKE_SESSIONS ? 1 : first + SESSIONS_MAX;
    const int how = (int)roll(random, (uint32_t)stress->sessions + 4);
    scene_stand(&stress->scene, first,
                how <= stress->sessions       ? how
                : how == stress->sessions + 1 ? -1
                                              : stress->sessions);
    fake_forbid(false);
}

static void *run_caller(void *argument) {
    struct stress *stress = argument;
    struct sign_event event;
    uint32_t random = stress->seed + 1;
    for (;;) {
        sign_loop_next(stress->scene.loop, &event);
        switch (event.kind) {
        case SIGN_EVENT_GONE:
        case SIGN_EVENT_BROKEN:
            fprintf(stderr, "seed %u: %s\n", stress->seed, event.what);
            abort();
        case SIGN_EVENT_FAILED:
            answer_failure(stress, &event);
            if (roll(&random, 4) > 0)
                break;
            sign_loop_quiet(stress->scene.loop);
            stand_anew(stress, &random);
            break;
        case SIGN_EVENT_ORDER:
            if (event.frame[4] == THE_LAST)
                return NULL;
            stand_anew(stress, &random);
            break;
        }
    }
}

static void run(int sessions, uint32_t jobs, uint32_t seed) {
    struct stress *stress = calloc(1, sizeof *stress);
    pthread_t front, caller;
    assert_non_null(stress);
    assert_true(jobs <= JOBS_MAX);
    stress->scene = scene_open_bare((size_t)sessions, VERIFY_ALWAYS, 100000000);
    stress->sessions = sessions;
    stress->jobs = jobs;
    stress->seed = seed;
    pthread_mutex_init(&stress->lock, NULL);
    pthread_cond_init(&stress->answered, NULL);
    scene_stand(&stress->scene, 1, sessions);
    fake_be_moody(ONE_IN, MOODS, sizeof MOODS / sizeof MOODS[0]);
    assert_int_equal(pthread_create(&caller, NULL, run_caller, stress), 0);
    assert_int_equal(pthread_create(&front, NULL, run_front, stress), 0);
    read_answers(stress);
    pthread_join(front, NULL);
    assert_false(front_has_answers(&stress->scene));
    add_frame(&stress->last, THE_LAST, 0, NULL, 0);
    front_send(&stress->scene, &stress->last);
    pthread_join(caller, NULL);
    scene_close(&stress->scene);
    pthread_cond_destroy(&stress->answered);
    pthread_mutex_destroy(&stress->lock);
    free(stress);
}

/* Others may be asked for: SEED=7 JOBS=40000. */
static uint32_t asked(const char *name, uint32_t otherwise) {
    const char *value = getenv(name);
    return value ? (uint32_t)strtoul(value, NULL, 10) : otherwise;
}

static void each_job_is_answered_once_by_one_session(void **state) {
    (void)state;
    for (uint32_t seed = 0; seed < 3; seed++)
        run(1, asked("JOBS", 400), asked("SEED", 1) + seed);
}

static void each_job_is_answered_once_by_eight_sessions(void **state) {
    (void)state;
    for (uint32_t seed = 0; seed < 3; seed++)
        run(SESSIONS_MAX, asked("JOBS", 800), asked("SEED", 1) + seed);
}

static void each_job_is_answered_once_by_two_sessions(void **state) {
    (void)state;
    for (uint32_t seed = 0; seed < 3; seed++)
        run(2, asked("JOBS", 400), asked("SEED", 1) + seed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_job_is_answered_once_by_one_session),
        cmocka_unit_test(each_job_is_answered_once_by_two_sessions),
        cmocka_unit_test(each_job_is_answered_once_by_eight_sessions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
