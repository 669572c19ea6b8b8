/*
 * The floor: what a token can do when nothing but a C loop stands before it. Signs again and again with C_SignInit +
 * C_Sign in a number of sessions, each with a thread of its own, in one process or spread over several, and prints one
 * line of JSON. Latencies are of the pair of calls, in microseconds; CPU time is that of the threads (user and system)
 * per signature.
 *
 *   floor --module FILE --token LABEL --pin-file FILE --key LABEL --mechanism ecdsa-p256|rsa-pkcs1|rsa-pss
 *         [--sessions N] [--processes N] [--seconds S | --count N]
 *
 * floor_openssl takes the same words and signs with a key of its own in libcrypto, beside which a token stands.
 *
 * Exit: 0 measured, 1 the token failed, 2 wrong usage.
 */
#include "../native/samples.h"
#include "floor_token.h"

#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SESSIONS_MAX 256
/* Latencies kept of one session; signatures beyond it are counted only. Pages are not touched before they are used. */
#define SAMPLES_MAX (1u << 20)
/* Signatures of each session before the measurement begins. */
#define WARMUP 20

typedef struct {
    floor_token token;
    unsigned long sessions, processes, count;
    double seconds;
} settings;

/* Of one session. Written by its thread, read by the parent when all have ended. */
typedef struct {
    unsigned long signatures;
    uint64_t ended_ns;
    uint32_t latency_ns[SAMPLES_MAX];
} session_samples;

/* Shared by the processes. */
typedef struct {
    pthread_barrier_t begin;
    /* One process after the other opens the token: of many at once, some find none in SoftHSM. */
    pthread_mutex_t opening;
    _Atomic uint64_t began_ns;
    _Atomic uint64_t cpu_ns;
    session_samples of[];
} measurement;

typedef struct {
    const settings *settings;
    measurement *measurement;
    session_samples *samples;
} worker;

static settings read_settings(int argc, char **argv);
static measurement *share(unsigned long sessions);
static bool run_processes(const settings *settings, measurement *measurement);
static int be_process(const settings *settings, measurement *measurement, unsigned long first, unsigned long end);
static void *be_session(void *argument);
static void sign_until_enough(const worker *worker, floor_session *session);
static void print_report(const settings *settings, measurement *measurement);
static uint64_t thread_cpu_ns(void);
static _Noreturn void give_up(const char *what, const char *value);

int main(int argc, char **argv) {
    settings settings = read_settings(argc, argv);
    measurement *measurement = share(settings.sessions);
    if (!run_processes(&settings, measurement))
        return 1;
    print_report(&settings, measurement);
    return 0;
}

static double parse_number(const char *name, const char *text, double min, double max) {
    char *end;
    double number = strtod(text, &end);
    if (*text == '\0' || *end != '\0' || !(number >= min && number <= max))
        give_up(name, text);
    return number;
}

static settings read_settings(int argc, char **argv) {
    static const struct option OPTIONS[] = {
        {"module", required_argument, NULL, 'm'},    {"token", required_argument, NULL, 't'},
        {"pin-file", required_argument, NULL, 'p'},  {"key", required_argument, NULL, 'k'},
        {"mechanism", required_argument, NULL, 'a'}, {"sessions", required_argument, NULL, 's'},
        {"processes", required_argument, NULL, 'P'}, {"seconds", required_argument, NULL, 'S'},
        {"count", required_argument, NULL, 'n'},     {NULL, 0, NULL, 0},
    };
    settings s = {.sessions = 1, .processes = 1, .seconds = 2};
    int option;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1)
        switch (option) {
        case 'm':
            s.token.module = optarg;
            break;
        case 't':
            s.token.label = optarg;
            break;
        case 'p':
            s.token.pin_file = optarg;
            break;
        case 'k':
            s.token.key_label = optarg;
            break;
        case 'a':
            s.token.mechanism = optarg;
            break;
        case 's':
            s.sessions = (unsigned long)parse_number("--sessions wants 1 to 256, not", optarg, 1, SESSIONS_MAX);
            break;
        case 'P':
            s.processes = (unsigned long)parse_number("--processes wants 1 to 256, not", optarg, 1, SESSIONS_MAX);
            break;
        case 'S':
            s.seconds = parse_number("--seconds wants up to 3600, not", optarg, 0.01, 3600);
            break;
        case 'n':
            s.count = (unsigned long)parse_number("--count wants 1 to 1e9, not", optarg, 1, 1e9);
            break;
        default:
            exit(2);
        }
    if (!s.token.module || !s.token.label || !s.token.pin_file || !s.token.key_label || !s.token.mechanism)
        give_up("needs --module, --token, --pin-file, --key and", "--mechanism");
    if (s.processes > s.sessions || optind != argc)
        give_up("has more processes than sessions, or a word too many", "");
    return s;
}

static measurement *share(unsigned long sessions) {
    size_t size = sizeof(measurement) + sessions * sizeof(session_samples);
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        give_up("has no memory for the sessions", "");
    measurement *shared = at;
    pthread_barrierattr_t attributes;
    pthread_barrierattr_init(&attributes);
    pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&shared->begin, &attributes, (unsigned)sessions);
    pthread_mutexattr_t mutex_attributes;
    pthread_mutexattr_init(&mutex_attributes);
    pthread_mutexattr_setpshared(&mutex_attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&shared->opening, &mutex_attributes);
    return shared;
}

/*
 * The module is loaded in the children only: none is forked with a module inside. One that fails would leave the others
 * at the barrier, so all are killed then.
 */
static bool run_processes(const settings *settings, measurement *measurement) {
    pid_t children[SESSIONS_MAX];
    for (unsigned long i = 0; i < settings->processes; i++) {
        unsigned long first = i * settings->sessions / settings->processes;
        unsigned long end = (i + 1) * settings->sessions / settings->processes;
        children[i] = fork();
        if (children[i] == 0)
            _exit(be_process(settings, measurement, first, end));
        if (children[i] < 0)
            give_up("cannot fork", "");
    }
    bool all_well = true;
    for (unsigned long i = 0; i < settings->processes; i++) {
        int status;
        wait(&status);
        if (status == 0)
            continue;
        for (unsigned long j = 0; all_well && j < settings->processes; j++)
            kill(children[j], SIGKILL);
        all_well = false;
    }
    return all_well;
}

static int be_process(const settings *settings, measurement *measurement, unsigned long first, unsigned long end) {
    pthread_t threads[SESSIONS_MAX];
    worker workers[SESSIONS_MAX];
    pthread_mutex_lock(&measurement->opening);
    floor_token_open(&settings->token);
    pthread_mutex_unlock(&measurement->opening);
    for (unsigned long i = first; i < end; i++) {
        workers[i] = (worker){settings, measurement, &measurement->of[i]};
        if (pthread_create(&threads[i], NULL, be_session, &workers[i]) != 0)
            give_up("gets no more threads", "");
    }
    for (unsigned long i = first; i < end; i++)
        pthread_join(threads[i], NULL);
    floor_token_close();
    return 0;
}

static void *be_session(void *argument) {
    const worker *worker = argument;
    floor_session session = floor_session_open(&worker->settings->token);
    for (int i = 0; i < WARMUP; i++)
        floor_sign(&session);
    pthread_barrier_wait(&worker->measurement->begin);
    uint64_t nobody = 0;
    atomic_compare_exchange_strong(&worker->measurement->began_ns, &nobody, bench_now_ns());
    uint64_t cpu_before = thread_cpu_ns();
    sign_until_enough(worker, &session);
    atomic_fetch_add(&worker->measurement->cpu_ns, thread_cpu_ns() - cpu_before);
    return NULL;
}

static void sign_until_enough(const worker *worker, floor_session *session) {
    const settings *settings = worker->settings;
    session_samples *samples = worker->samples;
    uint64_t began = atomic_load(&worker->measurement->began_ns), now = began;
    uint64_t until = settings->count ? UINT64_MAX : began + (uint64_t)(settings->seconds * 1e9);
    unsigned long enough = settings->count ? settings->count / settings->sessions + 1 : SIZE_MAX;
    while (now < until && samples->signatures < enough) {
        floor_sign(session);
        uint64_t ended = bench_now_ns();
        if (samples->signatures < SAMPLES_MAX)
            samples->latency_ns[samples->signatures] = (uint32_t)(ended - now);
        samples->signatures++;
        now = ended;
    }
    samples->ended_ns = now;
}

static void print_report(const settings *settings, measurement *measurement) {
    unsigned long signatures = 0;
    uint64_t ended = 0;
    samples all = {.ns = malloc(settings->sessions * SAMPLES_MAX * sizeof(uint32_t))};
    if (!all.ns)
        give_up("has no memory for the report", "");
    for (unsigned long i = 0; i < settings->sessions; i++) {
        const session_samples *s = &measurement->of[i];
        unsigned long kept = s->signatures < SAMPLES_MAX ? s->signatures : SAMPLES_MAX;
        memcpy(all.ns + all.count, s->latency_ns, kept * sizeof *all.ns);
        all.count += kept;
        signatures += s->signatures;
        ended = s->ended_ns > ended ? s->ended_ns : ended;
    }
    samples_sort(&all);
    double seconds = (double)(ended - measurement->began_ns) / 1e9;
    printf("{\"mechanism\":\"%s\",\"sessions\":%lu,\"processes\":%lu,\"count\":%lu,\"seconds\":%.3f,"
           "\"per_second\":%.1f,\"cpu_us\":%.2f,",
           settings->token.mechanism, settings->sessions, settings->processes, signatures, seconds,
           (double)signatures / seconds, (double)measurement->cpu_ns / 1000 / (double)signatures);
    samples_print(&all);
    printf("}\n");
    free(all.ns);
}

static uint64_t thread_cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static _Noreturn void give_up(const char *what, const char *value) {
    fprintf(stderr, "floor: %s %s\n", what, value);
    exit(2);
}
