/* Orders faults of the module in faulty.c and shows what it has seen: `faultyctl STATE COMMAND …`. */
#include "state.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char USAGE[] =
    "usage: faultyctl STATE COMMAND\n"
    "  create                            makes the state file\n"
    "  latency FUNCTION US [JITTER_US]   how long the call takes in the token, +- the jitter; 0: as the real one\n"
    "  limit N                           C_Sign at once in all processes; 0: no limit\n"
    "  fail FUNCTION CKR TIMES           the next calls answer this code, a name or a number\n"
    "  hang FUNCTION TIMES               the next calls do not return\n"
    "  release                           all that hang go on, none more begins\n"
    "  crash FUNCTION N                  the N-th call from now is a SIGSEGV\n"
    "  corrupt TIMES                     signatures with a wrong bit\n"
    "  wrong-key TIMES                   signatures by another key of the same type\n"
    "  revoke CKR [permute]              a token restart: sessions open now answer the code; objects exchange handles\n"
    "  token-flags FLAGS                 a number: what C_GetTokenInfo says besides the token's own flags\n"
    "  clear                             no faults any more, and release\n"
    "  counters                          JSON: what was seen of each function\n"
    "  log [FROM]                        JSON lines: the calls from this number on, as far as they are kept\n"
    "TIMES: a number, `forever`, or a probability such as 2.5%\n";

typedef int command(struct state *state, int argc, char **argv);
static command latency, limit, fail, hang, release, crash, corrupt, wrong_key, revoke_sessions, token_flags, clear,
    counters, show_log;

static const struct {
    const char *name;
    command *run;
    int argc_min, argc_max;
} COMMANDS[] = {
    {"latency", latency, 2, 3},
    {"limit", limit, 1, 1},
    {"fail", fail, 3, 3},
    {"hang", hang, 2, 2},
    {"release", release, 0, 0},
    {"crash", crash, 2, 2},
    {"corrupt", corrupt, 1, 1},
    {"wrong-key", wrong_key, 1, 1},
    {"revoke", revoke_sessions, 1, 2},
    {"token-flags", token_flags, 1, 1},
    {"clear", clear, 0, 0},
    {"counters", counters, 0, 0},
    {"log", show_log, 0, 1},
};

static struct function_state *function_of(struct state *state, const char *name);
static uint64_t number(const char *text, uint64_t max);
static void set_dose(struct dose *dose, const char *times);
static uint64_t code(const char *text);
static void print_call(const struct state *state, uint64_t n);
static _Noreturn void die(const char *what, const char *which);

int main(int argc, char **argv) {
    if (argc < 3) {
        fputs(USAGE, stderr);
        return 2;
    }
    if (strcmp(argv[2], "create") == 0)
        return state_create(argv[1]) ? 0 : 1;
    struct state *state = state_open(argv[1]);
    if (!state)
        return 1;
    for (size_t i = 0; i < sizeof COMMANDS / sizeof *COMMANDS; i++) {
        int n = argc - 3;
        if (strcmp(COMMANDS[i].name, argv[2]) == 0 && n >= COMMANDS[i].argc_min && n <= COMMANDS[i].argc_max)
            return COMMANDS[i].run(state, n, argv + 3);
    }
    fputs(USAGE, stderr);
    return 2;
}

static int latency(struct state *state, int argc, char **argv) {
    struct function_state *f = function_of(state, argv[0]);
    uint32_t us = (uint32_t)number(argv[1], INT_MAX);
    uint32_t jitter_us = argc > 2 ? (uint32_t)number(argv[2], us) : 0;
    atomic_store(&f->jitter_us, 0); /* never more jitter than latency, in between either */
    atomic_store(&f->latency_us, us);
    atomic_store(&f->jitter_us, jitter_us);
    return 0;
}

static int limit(struct state *state, int argc, char **argv) {
    (void)argc;
    /* Those that wait look again within 20 ms. */
    atomic_store(&state->limit, (uint32_t)number(argv[0], FAULTY_LIMIT_MAX));
    return 0;
}

static int fail(struct state *state, int argc, char **argv) {
    (void)argc;
    struct function_state *f = function_of(state, argv[0]);
    atomic_store(&f->fail_rv, code(argv[1]));
    set_dose(&f->fail, argv[2]);
    return 0;
}

static int hang(struct state *state, int argc, char **argv) {
    (void)argc;
    set_dose(&function_of(state, argv[0])->hang, argv[1]);
    return 0;
}

static int release(struct state *state, int argc, char **argv) {
    (void)argc, (void)argv;
    for (int i = 0; i < FN_COUNT; i++)
        set_dose(&state->functions[i].hang, "0");
    atomic_fetch_add(&state->hang_release, 1);
    syscall(SYS_futex, &state->hang_release, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    return 0;
}

static int crash(struct state *state, int argc, char **argv) {
    (void)argc;
    atomic_store(&function_of(state, argv[0])->crash_at, (int64_t)number(argv[1], INT64_MAX));
    return 0;
}

static int corrupt(struct state *state, int argc, char **argv) {
    (void)argc;
    set_dose(&state->corrupt, argv[0]);
    return 0;
}

static int wrong_key(struct state *state, int argc, char **argv) {
    (void)argc;
    set_dose(&state->wrong_key, argv[0]);
    return 0;
}

static int revoke_sessions(struct state *state, int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "permute") != 0)
        die("expected `permute`, got", argv[1]);
    atomic_store(&state->revoke_rv, code(argv[0]));
    if (argc > 1)
        atomic_fetch_add(&state->permutations, 1);
    atomic_fetch_add(&state->generation, 1);
    return 0;
}

static int token_flags(struct state *state, int argc, char **argv) {
    (void)argc;
    char *end;
    errno = 0;
    uint64_t flags = strtoull(argv[0], &end, 0);
    if (errno != 0 || end == argv[0] || *end != '\0')
        die("expected flags such as 0x20000, got", argv[0]);
    atomic_store(&state->token_flags, flags);
    return 0;
}

static int clear(struct state *state, int argc, char **argv) {
    for (int i = 0; i < FN_COUNT; i++) {
        struct function_state *f = &state->functions[i];
        atomic_store(&f->jitter_us, 0);
        atomic_store(&f->latency_us, 0);
        atomic_store(&f->crash_at, 0);
        set_dose(&f->fail, "0");
    }
    set_dose(&state->corrupt, "0");
    set_dose(&state->wrong_key, "0");
    atomic_store(&state->limit, 0);
    atomic_store(&state->token_flags, 0);
    return release(state, argc, argv);
}

static int counters(struct state *state, int argc, char **argv) {
    (void)argc, (void)argv;
    for (int i = 0; i < FN_COUNT; i++) {
        const struct function_state *f = &state->functions[i];
        printf("%s\"%s\":{\"calls\":%" PRIu64 ",\"reached\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"hung\":%" PRIu64
               ",\"time_us\":%" PRIu64 "}",
               i == 0 ? "{" : ",", function_name(i), atomic_load(&f->calls), atomic_load(&f->reached),
               atomic_load(&f->failed), atomic_load(&f->hung), atomic_load(&f->time_us));
    }
    puts("}");
    return 0;
}

static int show_log(struct state *state, int argc, char **argv) {
    uint64_t last = atomic_load(&state->log_count);
    uint64_t first = last < FAULTY_LOG_CALLS ? 1 : last - FAULTY_LOG_CALLS + 1;
    uint64_t from = argc > 0 ? number(argv[0], UINT64_MAX) : 0;
    for (uint64_t n = from > first ? from : first; n <= last; n++)
        print_call(state, n);
    return 0;
}

/* Says nothing of a call that was overwritten while we looked. */
static void print_call(const struct state *state, uint64_t n) {
    const struct log_record *slot = &state->log[n % FAULTY_LOG_CALLS];
    if (atomic_load(&slot->number) != n)
        return;
    struct log_record r;
    memcpy(&r, (const void *)slot, sizeof r);
    if (atomic_load(&slot->number) != n)
        return;
    printf("{\"number\":%" PRIu64 ",\"time_us\":%" PRIu64
           ",\"pid\":%u,\"tid\":%u,\"function\":\"%s\",\"session\":%" PRIu64,
           n, r.time_us, r.pid, r.tid, function_name(r.function), r.session);
    if (r.mechanism != FAULTY_NO_MECHANISM)
        printf(",\"mechanism\":%" PRIu64, r.mechanism);
    uint64_t rv = r.rv;
    if (rv == FAULTY_RUNNING) {
        puts("}");
        return;
    }
    const char *name = ckr_name(rv);
    char hex[24];
    snprintf(hex, sizeof hex, "0x%" PRIx64, rv);
    printf(",\"rv\":\"%s\",\"duration_us\":%u,\"reached\":%s}\n", name ? name : hex, r.duration_us,
           r.reached ? "true" : "false");
}

static struct function_state *function_of(struct state *state, const char *name) {
    int function = function_named(name);
    if (function < 0)
        die("expected a function of PKCS#11 2.40 such as C_Sign, got", name);
    return &state->functions[function];
}

static uint64_t number(const char *text, uint64_t max) {
    char *end;
    errno = 0;
    uint64_t n = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' || n > max)
        die("expected a number within its limit, got", text);
    return n;
}

static void set_dose(struct dose *dose, const char *times) {
    size_t n = strlen(times);
    int64_t left = 0;
    double percent = 0;
    if (strcmp(times, "forever") == 0) {
        left = FAULTY_FOREVER;
    } else if (n > 0 && times[n - 1] == '%') {
        char *end;
        percent = strtod(times, &end);
        if (end != times + n - 1 || !(percent >= 0 && percent <= 100))
            die("expected a probability of 0% to 100%, got", times);
    } else {
        left = (int64_t)number(times, INT64_MAX);
    }
    atomic_store(&dose->ppm, (uint32_t)(percent * FAULTY_PPM / 100));
    atomic_store(&dose->left, left);
}

static uint64_t code(const char *text) {
    uint64_t rv;
    if (!ckr_parse(text, &rv))
        die("expected a code such as CKR_DEVICE_ERROR or 0x30, got", text);
    return rv;
}

static void die(const char *what, const char *which) {
    fprintf(stderr, "faultyctl: %s %s\n", what, which);
    exit(2);
}
