#include "faults.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* How often one that waits for a place looks whether its holder is still alive, in nanoseconds. */
#define DEAD_HOLDER_CHECK_NS 20000000

static void crash(void);
static uint32_t random_below(uint32_t limit);
static void futex_wait(_Atomic uint32_t *word, uint32_t seen, const struct timespec *timeout);
static void futex_wake(_Atomic uint32_t *word, int n);
static bool take_free_slot(uint32_t limit);
static void free_slots_of_the_dead(uint32_t limit);

bool dose_taken(struct dose *dose) {
    int64_t left = atomic_load(&dose->left);
    while (left > 0)
        if (atomic_compare_exchange_weak(&dose->left, &left, left - 1))
            return true;
    if (left == FAULTY_FOREVER)
        return true;
    uint32_t ppm = atomic_load(&dose->ppm);
    return ppm > 0 && random_below(FAULTY_PPM) < ppm;
}

void crash_or_hang(enum function function) {
    struct function_state *f = &state->functions[function];
    if (atomic_load(&f->crash_at) > 0 && atomic_fetch_sub(&f->crash_at, 1) == 1)
        crash();
    /* The word before the dose: a release that comes between the two must count. */
    uint32_t seen = atomic_load(&state->hang_release);
    if (!dose_taken(&f->hang))
        return;
    atomic_fetch_add(&f->hung, 1);
    while (atomic_load(&state->hang_release) == seen)
        futex_wait(&state->hang_release, seen, NULL);
}

/* A real one, as a vendor's library has it: the sanitizers are to look away. */
__attribute__((no_sanitize("undefined", "address"))) static void crash(void) {
    volatile int *volatile nowhere = NULL;
    *nowhere = 1;
}

bool fails(enum function function, CK_RV *rv) {
    struct function_state *f = &state->functions[function];
    if (!dose_taken(&f->fail))
        return false;
    *rv = (CK_RV)atomic_load(&f->fail_rv);
    return true;
}

bool slot_take(void) {
    const struct timespec check = {.tv_nsec = DEAD_HOLDER_CHECK_NS};
    for (;;) {
        uint32_t freed = atomic_load(&state->slots_freed);
        uint32_t limit = atomic_load(&state->limit);
        if (limit == 0)
            return false;
        if (take_free_slot(limit))
            return true;
        futex_wait(&state->slots_freed, freed, &check);
        free_slots_of_the_dead(limit);
    }
}

void slot_give(void) {
    uint32_t self = (uint32_t)getpid();
    for (int i = 0; i < FAULTY_LIMIT_MAX; i++) {
        uint32_t holder = self;
        if (!atomic_compare_exchange_strong(&state->slots[i], &holder, 0))
            continue;
        atomic_fetch_add(&state->slots_freed, 1);
        futex_wake(&state->slots_freed, 1);
        return;
    }
}

static bool take_free_slot(uint32_t limit) {
    for (uint32_t i = 0; i < limit; i++) {
        uint32_t nobody = 0;
        if (atomic_compare_exchange_strong(&state->slots[i], &nobody, (uint32_t)getpid()))
            return true;
    }
    return false;
}

static void free_slots_of_the_dead(uint32_t limit) {
    for (uint32_t i = 0; i < limit; i++) {
        uint32_t holder = atomic_load(&state->slots[i]);
        if (holder != 0 && kill((pid_t)holder, 0) < 0 && errno == ESRCH)
            atomic_compare_exchange_strong(&state->slots[i], &holder, 0);
    }
}

void sleep_latency(enum function function, uint64_t began_ns) {
    const struct function_state *f = &state->functions[function];
    uint64_t latency_us = atomic_load(&f->latency_us);
    uint32_t jitter_us = atomic_load(&f->jitter_us);
    if (latency_us == 0)
        return;
    if (jitter_us > 0)
        latency_us = latency_us - jitter_us + random_below(2 * jitter_us + 1);
    /* The default slack of 50 us would make a token of 0.5 ms one of 0.55. */
    static _Thread_local bool is_exact;
    if (!is_exact)
        is_exact = prctl(PR_SET_TIMERSLACK, 1UL) == 0;
    uint64_t until = began_ns + latency_us * 1000;
    const struct timespec t = {.tv_sec = (time_t)(until / 1000000000), .tv_nsec = (long)(until % 1000000000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

/* xorshift64*: even enough for faults, and each thread has its own. */
static uint32_t random_below(uint32_t limit) {
    static _Thread_local uint64_t x;
    if (x == 0)
        x = now_ns() ^ (uint64_t)syscall(SYS_gettid) << 32;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    return (uint32_t)(((x * 0x2545F4914F6CDD1D) >> 32) * limit >> 32);
}

/* The word lies in a file mapped by several processes: no FUTEX_PRIVATE_FLAG. */
static void futex_wait(_Atomic uint32_t *word, uint32_t seen, const struct timespec *timeout) {
    syscall(SYS_futex, word, FUTEX_WAIT, seen, timeout, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word, int n) {
    syscall(SYS_futex, word, FUTEX_WAKE, n, NULL, NULL, 0);
}
