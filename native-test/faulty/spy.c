#include "spy.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint64_t epoch_us(void);

void spy_begin(struct call *call) {
    uint64_t number = atomic_fetch_add(&state->log_count, 1) + 1;
    struct log_record *record = &state->log[number % FAULTY_LOG_CALLS];
    atomic_store(&record->number, 0);
    record->time_us = epoch_us();
    record->pid = (uint32_t)getpid();
    record->tid = (uint32_t)syscall(SYS_gettid);
    record->session = call->session;
    record->mechanism = call->mechanism ? call->mechanism->mechanism : FAULTY_NO_MECHANISM;
    atomic_store(&record->rv, FAULTY_RUNNING);
    record->duration_us = 0;
    record->function = (uint16_t)call->function;
    record->reached = 0;
    atomic_store(&record->number, number);
    call->log_number = number;
    atomic_fetch_add(&state->functions[call->function].calls, 1);
}

void spy_end(const struct call *call) {
    uint64_t duration_us = (now_ns() - call->began_ns) / 1000;
    struct function_state *function = &state->functions[call->function];
    atomic_fetch_add(&function->time_us, duration_us);
    if (call->reached)
        atomic_fetch_add(&function->reached, 1);
    if (call->rv != CKR_OK)
        atomic_fetch_add(&function->failed, 1);

    struct log_record *record = &state->log[call->log_number % FAULTY_LOG_CALLS];
    if (atomic_load(&record->number) != call->log_number)
        return; /* the ring has gone round meanwhile */
    record->duration_us = (uint32_t)duration_us;
    record->reached = call->reached;
    atomic_store(&record->rv, call->rv);
}

static uint64_t epoch_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}
