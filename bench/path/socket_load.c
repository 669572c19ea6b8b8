/*
 * A load on the socket transport from one thread, as an event loop makes it: many requests in flight over many
 * connections and keys, in turn. Prints `begin` and `end` around what is measured, then one line of JSON; latencies in
 * microseconds, CPU time of this process per answer.
 *
 *   socket_load --socket PATH --keys FILE --scheme CODE [--connections N] [--in-flight N | --rate PER-SECOND]
 *               [--seconds S] [--warmup S] [--timeout-ms N]
 *
 * FILE has the SHA-256 of a key's SubjectPublicKeyInfo in each line, in hexadecimal. With --in-flight the loop is
 * closed: an answer makes room for the next request. With --rate it is open: requests are due at a constant rate
 * whatever the answers do, and a latency counts from when the request was due, so that a stall is not omitted
 * (coordinated omission). What the service refuses as too much (RESOURCE_EXHAUSTED) is counted apart.
 *
 * Exit: 0 measured, 1 it failed, 2 wrong usage.
 */
#include "../native/samples.h"
#include "../native/settings.h"
#include "wire.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTIONS_MAX 20000
#define KEYS_MAX 10000
/* Requests without an answer, at most; one more that is due counts as failed. Ids are places in this table. */
#define PENDING_MAX 65536
/* Different messages, in turn. bench/path/null_token.c remembers as many signatures of a key. */
#define MESSAGES 256
#define READ_BYTES 65536
#define EVENTS_AT_ONCE 64
#define NS_PER_S 1e9

typedef struct {
    int fd;
    bool waits_for_room, is_touched;
    signet__buffer in, out;
} connection;

typedef struct {
    const char *socket, *keys_file;
    unsigned long scheme, connections, in_flight, timeout_ms;
    double rate, seconds, warmup;
} settings;

static settings wish = {.connections = 1, .seconds = 2, .warmup = 0.2, .timeout_ms = 1000};
static connection *connections;
static connection *touched[CONNECTIONS_MAX];
static size_t touched_count;
static unsigned char keys[KEYS_MAX][SIGNET_SPKI_SHA256_BYTES];
static size_t keys_count;

static uint64_t due_ns[PENDING_MAX];
static uint32_t free_ids[PENDING_MAX];
static size_t free_count;
static uint64_t begin_ns, end_ns;
static unsigned long sent, answered_in_time, failed;
static samples signed_samples, refused_samples;
static int epoll;

static void read_settings(int argc, char **argv);
static void read_keys(void);
static void open_connections(void);
static double run(void);
static void say(const char *word);
static void send_what_is_due(uint64_t start_ns, uint64_t now);
static void send_request(uint64_t due);
static void wait_for_answers(uint64_t start_ns, uint64_t until_ns);
static bool read_answers(connection *connection);
static void take_answer(const signet_v1_SignStreamResponse *response);
static void flush_touched(void);
static void flush_connection(connection *connection);
static void print_report(double cpu_us);

int main(int argc, char **argv) {
    double cpu_us;

    read_settings(argc, argv);
    read_keys();
    open_connections();
    cpu_us = run();
    print_report(cpu_us);
    return 0;
}

static void read_settings(int argc, char **argv) {
    static const struct option OPTIONS[] = {
        {"socket", required_argument, NULL, 's'},     {"keys", required_argument, NULL, 'k'},
        {"scheme", required_argument, NULL, 'a'},     {"connections", required_argument, NULL, 'c'},
        {"in-flight", required_argument, NULL, 'f'},  {"rate", required_argument, NULL, 'r'},
        {"seconds", required_argument, NULL, 'S'},    {"warmup", required_argument, NULL, 'w'},
        {"timeout-ms", required_argument, NULL, 't'}, {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1)
        switch (option) {
        case 's':
            wish.socket = optarg;
            break;
        case 'k':
            wish.keys_file = optarg;
            break;
        case 'a':
            wish.scheme = strtoul(optarg, NULL, 0);
            break;
        case 'c':
            wish.connections =
                (unsigned long)bench_number("--connections wants up to 20000, not", optarg, CONNECTIONS_MAX);
            break;
        case 'f':
            wish.in_flight = (unsigned long)bench_number("--in-flight wants up to 65536, not", optarg, PENDING_MAX);
            break;
        case 'r':
            wish.rate = bench_number("--rate wants up to 1e7 per second, not", optarg, 1e7);
            break;
        case 'S':
            wish.seconds = bench_number("--seconds wants up to 3600, not", optarg, 3600);
            break;
        case 'w':
            wish.warmup = bench_number("--warmup wants up to 3600, not", optarg, 3600);
            break;
        case 't':
            wish.timeout_ms = (unsigned long)bench_number("--timeout-ms wants up to 60000, not", optarg, 60000);
            break;
        default:
            exit(2);
        }
    if (!wish.socket || !wish.keys_file || !wish.scheme || !wish.connections || (wish.rate > 0) == (wish.in_flight > 0))
        bench_give_up(2, "needs --socket, --keys, --scheme, and one of --in-flight and", "--rate");
}

static void read_keys(void) {
    char line[2 * SIGNET_SPKI_SHA256_BYTES + 2];
    FILE *file = fopen(wish.keys_file, "r");
    size_t i;

    if (!file)
        bench_give_up(2, "cannot read", wish.keys_file);
    for (; keys_count < KEYS_MAX && fgets(line, sizeof line, file); keys_count++)
        for (i = 0; i < SIGNET_SPKI_SHA256_BYTES; i++)
            if (sscanf(line + 2 * i, "%2hhx", &keys[keys_count][i]) != 1)
                bench_give_up(2, "expected 64 hexadecimal digits in a line, not", line);
    fclose(file);
    if (keys_count == 0)
        bench_give_up(2, "no keys in", wish.keys_file);
}

static void connect_one(connection *connection) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    strncpy(address.sun_path, wish.socket, sizeof address.sun_path - 1);
    connection->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 || connect(connection->fd, (struct sockaddr *)&address, sizeof address) != 0)
        bench_give_up(1, "cannot connect:", strerror(errno));
    signet__wire_put_hello(&connection->out, 1, "bench/1");
    flush_connection(connection);
}

static void open_connections(void) {
    struct rlimit files;
    unsigned long i;

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    prctl(PR_SET_TIMERSLACK, 1);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    connections = calloc(wish.connections, sizeof *connections);
    for (i = 0; i < wish.connections; i++) {
        connection *connection = &connections[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        struct pollfd acknowledged = {.events = POLLIN};

        connect_one(connection);
        acknowledged.fd = connection->fd;
        if (poll(&acknowledged, 1, 10000) != 1 || !read_answers(connection))
            bench_give_up(1, "no HelloAck from", wish.socket);
        epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event);
    }
}

/* Gives the CPU time of the measured part, whose begin and end it says on stdout. */
static double run(void) {
    uint64_t start = bench_now_ns(), patience;
    double cpu_at_begin = -1, cpu_at_end;
    uint64_t now;

    begin_ns = start + (uint64_t)(wish.warmup * NS_PER_S);
    end_ns = begin_ns + (uint64_t)(wish.seconds * NS_PER_S);
    for (free_count = 0; free_count < PENDING_MAX; free_count++)
        free_ids[free_count] = (uint32_t)(PENDING_MAX - free_count);
    while ((now = bench_now_ns()) < end_ns) {
        if (cpu_at_begin < 0 && now >= begin_ns) {
            cpu_at_begin = bench_cpu_us();
            say("begin");
        }
        send_what_is_due(start, now);
        flush_touched();
        wait_for_answers(start, end_ns);
    }
    cpu_at_end = bench_cpu_us();
    say("end");
    /* This process may have slept over the end: what was due before counts. */
    if (wish.rate > 0) {
        send_what_is_due(start, end_ns);
        flush_touched();
    }
    patience = now + (uint64_t)wish.timeout_ms * 2000000;
    while (free_count < PENDING_MAX && bench_now_ns() < patience)
        wait_for_answers(0, patience);
    failed += PENDING_MAX - free_count;
    return cpu_at_end - (cpu_at_begin < 0 ? 0 : cpu_at_begin);
}

/* So that who started this can look at the other processes at the same time. */
static void say(const char *word) {
    puts(word);
    fflush(stdout);
}

static void send_what_is_due(uint64_t start_ns, uint64_t now) {
    if (wish.rate > 0)
        for (;;) {
            uint64_t due = start_ns + (uint64_t)((double)sent * NS_PER_S / wish.rate);
            if (due > now || due >= end_ns)
                break;
            send_request(due);
        }
    else
        while (PENDING_MAX - free_count < wish.in_flight)
            send_request(now);
}

/* RFC 8446, section 4.4.3, with the number of the message for a transcript hash. */
static const unsigned char *message(unsigned long n) {
    static unsigned char bytes[64 + 34 + 32];

    memset(bytes, ' ', 64);
    memcpy(bytes + 64, "TLS 1.3, server CertificateVerify", 34);
    memset(bytes + 98, (int)(n % MESSAGES), 32);
    return bytes;
}

static void send_request(uint64_t due) {
    connection *connection = &connections[sent % wish.connections];
    signet_sign_request request = {.scheme = (uint32_t)wish.scheme, .input = message(sent), .input_len = 130};
    unsigned char attempt_id[SIGNET__ATTEMPT_ID_BYTES];
    uint32_t id;

    memcpy(request.spki_sha256, keys[sent % keys_count], sizeof request.spki_sha256);
    sent++;
    if (free_count == 0) {
        failed++;
        return;
    }
    id = free_ids[--free_count];
    due_ns[id - 1] = due;
    if (getrandom(attempt_id, sizeof attempt_id, 0) != sizeof attempt_id ||
        !signet__wire_put_sign(&connection->out, id, &request, attempt_id, (uint32_t)(wish.timeout_ms * 1000)))
        bench_give_up(1, "cannot write a request", "");
    if (!connection->is_touched && !connection->waits_for_room) {
        connection->is_touched = true;
        touched[touched_count++] = connection;
    }
}

/* Until something comes, the next request is due, or the time is over. */
static void wait_for_answers(uint64_t start_ns, uint64_t until_ns) {
    struct epoll_event events[EVENTS_AT_ONCE];
    uint64_t wake = until_ns, now = bench_now_ns(), left;
    struct timespec timeout;
    int count, i;

    if (wish.rate > 0 && start_ns > 0) {
        uint64_t due = start_ns + (uint64_t)((double)sent * NS_PER_S / wish.rate);
        wake = due < wake ? due : wake;
    }
    left = wake > now ? wake - now : 0;
    timeout = (struct timespec){.tv_sec = (time_t)(left / 1000000000), .tv_nsec = (long)(left % 1000000000)};
    count = epoll_pwait2(epoll, events, EVENTS_AT_ONCE, &timeout, NULL);
    for (i = 0; i < count; i++) {
        connection *connection = events[i].data.ptr;

        if (events[i].events & EPOLLOUT)
            flush_connection(connection);
        if (events[i].events & ~(uint32_t)EPOLLOUT && !read_answers(connection))
            bench_give_up(1, "the service closed a connection of", wish.socket);
    }
}

/* False at the end of the stream. */
static bool read_answers(connection *connection) {
    signet_v1_SignStreamResponse response = signet_v1_SignStreamResponse_init_zero;
    signet__buffer *in = &connection->in;
    const char *what = NULL;
    signet__frame frame;
    ssize_t got;

    if (!signet__buffer_reserve(in, READ_BYTES))
        bench_give_up(1, "no memory for answers", "");
    got = recv(connection->fd, in->bytes + in->end, READ_BYTES, MSG_DONTWAIT);
    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    in->end += (size_t)got;
    while ((frame = signet__wire_take(in, &response, &what)) == SIGNET__FRAME_WHOLE)
        take_answer(&response);
    if (frame == SIGNET__FRAME_MALFORMED)
        bench_give_up(1, "the service", what);
    return true;
}

static void take_answer(const signet_v1_SignStreamResponse *response) {
    uint64_t now, due;

    if (response->which_body == signet_v1_SignStreamResponse_hello_ack_tag)
        return;
    if (response->id == 0 || response->id > PENDING_MAX)
        bench_give_up(1, "the service says goodbye or answers what was not asked:", wish.socket);
    now = bench_now_ns();
    due = due_ns[response->id - 1];
    free_ids[free_count++] = response->id;
    if (due < begin_ns || (wish.rate == 0 && now > end_ns))
        return;
    if (response->which_body == signet_v1_SignStreamResponse_sign_tag) {
        samples_add(&signed_samples, now - due);
        answered_in_time += now <= end_ns;
    } else if (response->body.error.code == signet_v1_ErrorCode_ERROR_CODE_RESOURCE_EXHAUSTED) {
        samples_add(&refused_samples, now - due);
    } else {
        failed++;
    }
}

static void flush_touched(void) {
    while (touched_count > 0) {
        connection *connection = touched[--touched_count];
        connection->is_touched = false;
        flush_connection(connection);
    }
}

/* What the socket does not take now goes when it has room again. */
static void flush_connection(connection *connection) {
    signet__buffer *out = &connection->out;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    bool waits;

    while (signet__buffer_length(out) > 0) {
        ssize_t wrote =
            send(connection->fd, out->bytes + out->start, signet__buffer_length(out), MSG_DONTWAIT | MSG_NOSIGNAL);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0 && errno != EAGAIN)
            bench_give_up(1, "cannot write to the service:", strerror(errno));
        if (wrote < 0)
            break;
        signet__buffer_use_up(out, (size_t)wrote);
    }
    waits = signet__buffer_length(out) > 0;
    if (waits == connection->waits_for_room)
        return;
    connection->waits_for_room = waits;
    event.events |= waits ? EPOLLOUT : 0;
    epoll_ctl(epoll, EPOLL_CTL_MOD, connection->fd, &event);
}

static void print_report(double cpu_us) {
    samples_sort(&signed_samples);
    samples_sort(&refused_samples);
    printf("{\"count\":%zu,\"refused\":%zu,\"failed\":%lu,\"seconds\":%.3f,\"per_second\":%.1f,\"refused_per_second\":%"
           ".1f,"
           "\"refused_p99_us\":%.1f,\"cpu_us\":%.2f,",
           signed_samples.count, refused_samples.count, failed, wish.seconds, (double)answered_in_time / wish.seconds,
           (double)refused_samples.count / wish.seconds, samples_quantile_us(&refused_samples, 0.99),
           signed_samples.count ? cpu_us / (double)signed_samples.count : 0);
    samples_print(&signed_samples);
    printf("}\n");
}
