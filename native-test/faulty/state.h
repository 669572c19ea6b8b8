/*
 * What every instance of the faulty module and faultyctl share: a file mapped into all of them. It holds the faults
 * that are ordered, the counters and the spy log. Every field is an atomic of its own; an order that sets several
 * writes the one that makes it take effect last.
 */
#ifndef FAULTY_STATE_H
#define FAULTY_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define CRYPTOKI_COMPAT
#include <p11-kit/pkcs11.h>

enum function {
#define X(name, ...) FN_##name,
#include "functions.def"
#undef X
    FN_COUNT
};

#define FAULTY_FOREVER (-1)
#define FAULTY_PPM 1000000
/* Calls that the token takes at once, at most. */
#define FAULTY_LIMIT_MAX 256
/* Calls that the spy log holds; older ones are overwritten. */
#define FAULTY_LOG_CALLS 65536
#define FAULTY_NO_MECHANISM UINT64_MAX
/* In place of a return value while the call has not returned. */
#define FAULTY_RUNNING UINT64_MAX

/* How often a fault happens: the next `left` times (FAULTY_FOREVER: always), and else with a probability in parts per
 * million. */
struct dose {
    _Atomic int64_t left;
    _Atomic uint32_t ppm;
};

/* The faults of one function, and what has been seen of it. */
struct function_state {
    _Atomic uint32_t latency_us;
    _Atomic uint32_t jitter_us;
    _Atomic uint64_t fail_rv;
    struct dose fail;
    struct dose hang;
    /* The n-th call from now crashes; 0: none. */
    _Atomic int64_t crash_at;

    _Atomic uint64_t calls;   /* begun */
    _Atomic uint64_t reached; /* handed to the real module */
    _Atomic uint64_t failed;  /* returned something else than CKR_OK */
    _Atomic uint64_t hung;    /* began to hang */
    _Atomic uint64_t time_us; /* of those that returned, in sum */
};

struct log_record {
    _Atomic uint64_t number; /* counts from 1; 0: nothing here yet */
    uint64_t time_us;        /* since the epoch, at the beginning */
    uint32_t pid, tid;
    uint64_t session;
    uint64_t mechanism;
    _Atomic uint64_t rv;
    uint32_t duration_us;
    uint16_t function;
    uint16_t reached;
};

struct state {
    char magic[8];
    uint64_t size;

    /* Calls of C_Sign at once in all processes; 0: no limit. Each slot holds the pid that occupies it. */
    _Atomic uint32_t limit;
    _Atomic uint32_t slots_freed;
    _Atomic uint32_t slots[FAULTY_LIMIT_MAX];

    /* Changes when hung calls may go on. */
    _Atomic uint32_t hang_release;

    struct dose corrupt;
    struct dose wrong_key;

    /* Sessions opened under an earlier generation answer revoke_rv. */
    _Atomic uint64_t revoke_rv;
    _Atomic uint32_t permutations;
    _Atomic uint32_t generation;

    /* What C_GetTokenInfo says besides the token's own flags. */
    _Atomic uint64_t token_flags;

    struct function_state functions[FN_COUNT];

    _Atomic uint64_t log_count;
    struct log_record log[FAULTY_LOG_CALLS];
};

/* Makes the file, mode 0600. Returns NULL and says why on stderr: it exists, no space, no permission. */
struct state *state_create(const char *path);
/* Maps the file. Returns NULL and says why on stderr: not there, not made by this version. */
struct state *state_open(const char *path);

/* `C_Sign` or the like; -1 if there is no such function. */
int function_named(const char *name);
const char *function_name(int function);
/* `CKR_DEVICE_ERROR`, or NULL for a code that PKCS#11 2.40 does not name. */
const char *ckr_name(uint64_t rv);
/* A name or a number (0x…); false if it is neither. */
bool ckr_parse(const char *text, uint64_t *rv);

#endif
