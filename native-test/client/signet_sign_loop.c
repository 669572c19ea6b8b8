/*
 * A load generator: signs the same message again and again through the client library, in a closed loop with a number
 * of requests in flight, and prints one line of JSON. Latencies are in microseconds, CPU time is this process' own
 * (user and system) per signature.
 *
 *   signet_sign_loop --socket PATHS --spki HEX --scheme CODE --message FILE [--digest] [--count N] [--warmup N]
 *                    [--concurrency N] [--shared] [--timeout-ms N] [--for-ms N]
 *
 * --for-ms ends it after that time, if --count (then COUNT_IN_TIME_MAX by default) is not reached before.
 * Without --shared: N threads with a connection each (signet_client_sign). With it: one thread that keeps N in flight
 * on one connection (signet_client_start), as an event loop would. Exit: 0 all signed, 1 some failed, 2 wrong usage.
 */
#include "signet_client.h"

#include <getopt.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define CONCURRENCY_MAX 1024
#define COUNT_MAX 100000000UL
/* Of a measurement that lasts a given time; memory is not touched before it is used. */
#define COUNT_IN_TIME_MAX 4000000UL

typedef struct {
    const char *sockets;
    const char *spki;
    const char *message_file;
    unsigned long scheme, count, warmup, concurrency, timeout_ms, for_ms;
    bool digest, shared;
} settings;

/* What was measured; slots are given out by `next`. */
typedef struct {
    pthread_mutex_t lock;
    signet_client *client;
    signet_sign_request request;
    unsigned long count, next, errors;
    uint64_t until_ns;
    uint32_t *latency_ns;
    signet_sign_result first_error;
} measurement;

/* A place in the window of --shared. */
typedef struct place {
    struct place *next_done;
    struct window *window;
    signet_pending *pending;
    uint64_t started_ns;
    unsigned long number;
} place;

typedef struct window {
    pthread_mutex_t lock;
    pthread_cond_t some_done;
    place *done;
    place places[CONCURRENCY_MAX];
} window;

static settings read_settings(int argc, char **argv);
static void read_request(const settings *settings, signet_sign_request *request);
static void run(measurement *measurement, const settings *settings, unsigned long count);
static void run_threads(measurement *measurement, unsigned long concurrency);
static void *sign_in_thread(void *argument);
static void run_window(measurement *measurement, unsigned long concurrency);
static bool start_next(measurement *measurement, place *place);
static void note_done(void *argument);
static place *wait_for_done(window *window);
static bool take_number(measurement *measurement, unsigned long *number);
static void record(measurement *measurement, unsigned long number, uint64_t ns, const signet_sign_result *result);
static void print_report(measurement *measurement, const settings *settings, double seconds, double cpu_seconds);
static uint64_t now_ns(void);
static double cpu_seconds(void);
static void give_up(const char *what, const char *value);

int main(int argc, char **argv) {
    settings settings = read_settings(argc, argv);
    signet_client_options options = {
        .sockets = settings.sockets, .timeout_ms = (uint32_t)settings.timeout_ms, .agent = "signet-sign-loop/1"};
    measurement measurement = {.client = signet_client_new(&options)};
    uint64_t began_ns;
    double cpu_before;

    if (measurement.client == NULL)
        give_up("the list of sockets is too long or empty", settings.sockets);
    read_request(&settings, &measurement.request);
    pthread_mutex_init(&measurement.lock, NULL);
    measurement.latency_ns =
        calloc(settings.count > settings.warmup ? settings.count : settings.warmup, sizeof(uint32_t));
    if (measurement.latency_ns == NULL)
        give_up("out of memory for --count", "");
    run(&measurement, &settings, settings.warmup);
    began_ns = now_ns();
    measurement.until_ns = settings.for_ms ? began_ns + settings.for_ms * 1000000 : 0;
    cpu_before = cpu_seconds();
    run(&measurement, &settings, settings.count);
    print_report(&measurement, &settings, (double)(now_ns() - began_ns) / 1e9, cpu_seconds() - cpu_before);
    signet_client_free(measurement.client);
    free(measurement.latency_ns);
    free((void *)measurement.request.input);
    return measurement.errors == 0 ? 0 : 1;
}

static unsigned long parse_number(const char *name, const char *text, unsigned long max) {
    char *end;
    unsigned long number = strtoul(text, &end, 0);

    if (*text == '\0' || *end != '\0' || number > max)
        give_up(name, text);
    return number;
}

static settings read_settings(int argc, char **argv) {
    static const struct option OPTIONS[] = {
        {"socket", required_argument, NULL, 's'},     {"spki", required_argument, NULL, 'k'},
        {"scheme", required_argument, NULL, 'a'},     {"message", required_argument, NULL, 'm'},
        {"digest", no_argument, NULL, 'd'},           {"count", required_argument, NULL, 'n'},
        {"warmup", required_argument, NULL, 'w'},     {"concurrency", required_argument, NULL, 'c'},
        {"timeout-ms", required_argument, NULL, 't'}, {"shared", no_argument, NULL, 'S'},
        {"for-ms", required_argument, NULL, 'f'},     {NULL, 0, NULL, 0},
    };
    settings settings = {.concurrency = 1};
    int option;

    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1)
        switch (option) {
        case 's':
            settings.sockets = optarg;
            break;
        case 'k':
            settings.spki = optarg;
            break;
        case 'm':
            settings.message_file = optarg;
            break;
        case 'a':
            settings.scheme = parse_number("--scheme wants a code point such as 0x0403, not", optarg, 0xffff);
            break;
        case 'n':
            settings.count = parse_number("--count wants a number, not", optarg, COUNT_MAX);
            break;
        case 'w':
            settings.warmup = parse_number("--warmup wants a number, not", optarg, COUNT_MAX);
            break;
        case 'c':
            settings.concurrency = parse_number("--concurrency wants 1 to 1024, not", optarg, CONCURRENCY_MAX);
            break;
        case 't':
            settings.timeout_ms = parse_number("--timeout-ms wants a number, not", optarg, UINT32_MAX);
            break;
        case 'f':
            settings.for_ms = parse_number("--for-ms wants a number, not", optarg, UINT32_MAX);
            break;
        case 'd':
            settings.digest = true;
            break;
        case 'S':
            settings.shared = true;
            break;
        default:
            exit(2);
        }
    if (settings.count == 0)
        settings.count = settings.for_ms ? COUNT_IN_TIME_MAX : 10000;
    if (settings.spki == NULL || settings.message_file == NULL || settings.scheme == 0 || settings.concurrency == 0 ||
        optind != argc)
        give_up("needs --socket, --spki, --scheme, --message and numbers above 0", "");
    return settings;
}

static void read_request(const settings *settings, signet_sign_request *request) {
    unsigned char *input = malloc(SIGNET_MESSAGE_BYTES_MAX);
    FILE *file = fopen(settings->message_file, "rb");
    size_t i;

    if (input == NULL || file == NULL)
        give_up("cannot read the message from", settings->message_file);
    if (strlen(settings->spki) != 2 * SIGNET_SPKI_SHA256_BYTES)
        give_up("--spki wants 64 hexadecimal digits, not", settings->spki);
    for (i = 0; i < SIGNET_SPKI_SHA256_BYTES; i++)
        if (sscanf(settings->spki + 2 * i, "%2hhx", &request->spki_sha256[i]) != 1)
            give_up("--spki wants 64 hexadecimal digits, not", settings->spki);
    request->scheme = (uint32_t)settings->scheme;
    request->input = input;
    request->input_len = fread(input, 1, SIGNET_MESSAGE_BYTES_MAX, file);
    request->input_is_digest = settings->digest;
    fclose(file);
}

static void run(measurement *measurement, const settings *settings, unsigned long count) {
    measurement->count = count;
    measurement->next = measurement->errors = 0;
    if (settings->shared)
        run_window(measurement, settings->concurrency);
    else
        run_threads(measurement, settings->concurrency);
    measurement->count = measurement->next;
}

static void run_threads(measurement *measurement, unsigned long concurrency) {
    pthread_t threads[CONCURRENCY_MAX];
    unsigned long i;

    for (i = 0; i < concurrency; i++)
        if (pthread_create(&threads[i], NULL, sign_in_thread, measurement) != 0)
            give_up("the system gives no more threads for --concurrency", "");
    for (i = 0; i < concurrency; i++)
        pthread_join(threads[i], NULL);
}

static void *sign_in_thread(void *argument) {
    measurement *measurement = argument;
    unsigned long number;

    while (take_number(measurement, &number)) {
        signet_sign_result result;
        uint64_t began = now_ns();

        signet_client_sign(measurement->client, &measurement->request, &result);
        record(measurement, number, now_ns() - began, &result);
    }
    return NULL;
}

static void run_window(measurement *measurement, unsigned long concurrency) {
    static window window = {.lock = PTHREAD_MUTEX_INITIALIZER, .some_done = PTHREAD_COND_INITIALIZER};
    unsigned long in_flight = 0, i;

    for (i = 0; i < concurrency; i++) {
        window.places[i].window = &window;
        in_flight += start_next(measurement, &window.places[i]);
    }
    while (in_flight > 0) {
        place *place = wait_for_done(&window);
        uint64_t ended = now_ns();
        signet_sign_result result;

        signet_pending_take(place->pending, &result);
        record(measurement, place->number, ended - place->started_ns, &result);
        in_flight -= !start_next(measurement, place);
    }
}

/* `done` may come before the pending request is known here; it is not looked at before `done` has come and we are back.
 */
static bool start_next(measurement *measurement, place *place) {
    if (!take_number(measurement, &place->number))
        return false;
    place->started_ns = now_ns();
    place->pending = signet_client_start(measurement->client, &measurement->request, note_done, place);
    if (place->pending == NULL)
        give_up("out of memory for a request", "");
    return true;
}

static void note_done(void *argument) {
    place *place = argument;
    window *window = place->window;

    pthread_mutex_lock(&window->lock);
    place->next_done = window->done;
    window->done = place;
    pthread_cond_signal(&window->some_done);
    pthread_mutex_unlock(&window->lock);
}

static place *wait_for_done(window *window) {
    place *place;

    pthread_mutex_lock(&window->lock);
    while (window->done == NULL)
        pthread_cond_wait(&window->some_done, &window->lock);
    place = window->done;
    window->done = place->next_done;
    pthread_mutex_unlock(&window->lock);
    return place;
}

static bool take_number(measurement *measurement, unsigned long *number) {
    bool more;

    pthread_mutex_lock(&measurement->lock);
    more = measurement->next < measurement->count && (measurement->until_ns == 0 || now_ns() < measurement->until_ns);
    *number = measurement->next;
    measurement->next += more;
    pthread_mutex_unlock(&measurement->lock);
    return more;
}

static void record(measurement *measurement, unsigned long number, uint64_t ns, const signet_sign_result *result) {
    measurement->latency_ns[number] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
    if (result->status == SIGNET_OK)
        return;
    pthread_mutex_lock(&measurement->lock);
    if (measurement->errors++ == 0)
        measurement->first_error = *result;
    pthread_mutex_unlock(&measurement->lock);
}

static int compare(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

    return (a > b) - (a < b);
}

static double quantile_us(const measurement *measurement, double quantile) {
    return measurement->latency_ns[(unsigned long)(quantile * (double)(measurement->count - 1) + 0.5)] / 1000.0;
}

/* The reason is printable ASCII by contract; what JSON would mind in it is replaced. */
static void print_report(measurement *measurement, const settings *settings, double seconds, double cpu) {
    char *at;

    qsort(measurement->latency_ns, measurement->count, sizeof(uint32_t), compare);
    printf("{\"mode\":\"%s\",\"concurrency\":%lu,\"count\":%lu,\"errors\":%lu,\"seconds\":%.3f,\"per_second\":%.1f,"
           "\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f,\"cpu_us\":%.2f",
           settings->shared ? "shared" : "threads", settings->concurrency, measurement->count, measurement->errors,
           seconds, (double)(measurement->count - measurement->errors) / seconds, quantile_us(measurement, 0.5),
           quantile_us(measurement, 0.9), quantile_us(measurement, 0.99), quantile_us(measurement, 0.999),
           quantile_us(measurement, 1), cpu * 1e6 / (double)measurement->count);
    for (at = measurement->first_error.reason; *at != '\0'; at++)
        if (*at == '"' || *at == '\\')
            *at = '\'';
    if (measurement->errors > 0)
        printf(",\"first_error\":\"%s: %s\"", signet_status_word(measurement->first_error.status),
               measurement->first_error.reason);
    printf("}\n");
}

static uint64_t now_ns(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static double cpu_seconds(void) {
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void give_up(const char *what, const char *value) {
    fprintf(stderr, "signet_sign_loop: %s %s\n", what, value);
    exit(2);
}
