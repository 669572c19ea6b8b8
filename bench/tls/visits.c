/*
 * Visits to a server on this machine, and nothing else: full TLS handshakes, of which no session is resumed and nothing
 * is asked, or plain pages, each on a connection of its own. Prints `begin` and `end` around what is measured, then one
 * line of JSON; latencies in microseconds, to the end of the handshake or of the page.
 *
 *   visits --port PORT --version 1.2|1.3|plain [--concurrent N | --rate PER-SECOND] [--seconds S] [--warmup S]
 *
 * With --concurrent the loop is closed: a visit's end makes room for the next, and a latency counts from connect(2).
 * With --rate it is open: visits are due at a constant rate whatever becomes of the others, and a latency counts from
 * when the visit was due, so that a stall is not omitted (coordinated omission). How late this program itself began
 * them, which is part of their latency, is told apart (late_p99_us).
 *
 * Most handshakes are made by a light client (light_client.h), since OpenSSL's takes as much of the processor as the
 * server and would be what is measured; one of VERIFIED_IN is OpenSSL's own, which verifies the server's signature.
 *
 * Exit: 0 measured, 1 a visit failed (its reason is on stderr), 2 wrong usage.
 */
#include "../native/samples.h"
#include "../native/settings.h"
#include "light_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* At once; an open loop that wants more has failed. */
#define VISITORS_MAX 1024
#define EVENTS_AT_ONCE 64
#define VERIFIED_IN 64
#define NS_PER_S 1e9
/* How long nothing may happen where something must, and how long visits may still take when the time is over. */
#define PATIENCE_NS 10000000000
/* The shortest that the kernel takes. */
#define SLICE_NS 100000

typedef struct visitor {
    int fd;
    uint64_t began_ns;
    SSL *ssl; /* NULL: the light client's, or wants a page */
    bool has_asked, is_answered;
    light_handshake light;
} visitor;

static struct {
    unsigned long port, concurrent;
    double rate, seconds, warmup;
    int version; /* 0: plain */
} wish = {.version = -1, .seconds = 2, .warmup = 0.2};

static visitor visitors[VISITORS_MAX];
static visitor *idle[VISITORS_MAX];
static size_t idle_count;
static SSL_CTX *context;
static unsigned long begun, handshakes, ended_in_time;
static samples latencies, delays;
static uint64_t start_ns, begin_ns, end_ns;
static int epoll;

static void read_settings(int argc, char **argv);
static void set_up(void);
static void be_punctual(void);
static double run(void);
static void say(const char *word);
static void begin_what_is_due(uint64_t now);
static uint64_t due_ns(unsigned long n);
static int go_on_until(uint64_t wake_ns);
static void begin(visitor *visitor, uint64_t due);
static bool is_served(visitor *visitor);
static bool is_greeted(visitor *visitor);
static bool has_page(visitor *visitor);
static void end(visitor *visitor);
static void print_report(double cpu_us);

int main(int argc, char **argv) {
    double cpu_us;

    read_settings(argc, argv);
    set_up();
    cpu_us = run();
    print_report(cpu_us);
    return 0;
}

static void read_settings(int argc, char **argv) {
    static const struct option OPTIONS[] = {
        {"port", required_argument, NULL, 'p'},
        {"version", required_argument, NULL, 'v'},
        {"concurrent", required_argument, NULL, 'c'},
        {"rate", required_argument, NULL, 'r'},
        {"seconds", required_argument, NULL, 's'},
        {"warmup", required_argument, NULL, 'w'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1)
        switch (option) {
        case 'p':
            wish.port = (unsigned long)bench_number("--port wants up to 65535, not", optarg, 65535);
            break;
        case 'v':
            wish.version = strcmp(optarg, "1.2") == 0     ? TLS1_2_VERSION
                           : strcmp(optarg, "1.3") == 0   ? TLS1_3_VERSION
                           : strcmp(optarg, "plain") == 0 ? 0
                                                          : -1;
            break;
        case 'c':
            wish.concurrent = (unsigned long)bench_number("--concurrent wants up to 1024, not", optarg, VISITORS_MAX);
            break;
        case 'r':
            wish.rate = bench_number("--rate wants up to 1e6 per second, not", optarg, 1e6);
            break;
        case 's':
            wish.seconds = bench_number("--seconds wants up to 3600, not", optarg, 3600);
            break;
        case 'w':
            wish.warmup = bench_number("--warmup wants up to 3600, not", optarg, 3600);
            break;
        default:
            exit(2);
        }
    if (!wish.port || wish.version < 0 || (wish.rate > 0) == (wish.concurrent > 0))
        bench_give_up(2, "needs --port, --version 1.2, 1.3 or plain, and one of --concurrent and", "--rate");
}

static void set_up(void) {
    be_punctual();
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (wish.version > 0) {
        context = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_min_proto_version(context, wish.version);
        SSL_CTX_set_max_proto_version(context, wish.version);
        if (!light_set_up(wish.version))
            bench_give_up(1, "libcrypto lacks X25519 or AES-128-GCM", "");
    }
    for (size_t i = 0; i < VISITORS_MAX; i++)
        idle[idle_count++] = &visitors[i];
    start_ns = bench_now_ns();
    begin_ns = start_ns + (uint64_t)(wish.warmup * NS_PER_S);
    end_ns = begin_ns + (uint64_t)(wish.seconds * NS_PER_S);
}

/*
 * Timers come 50 us late by default. And a plain page wants little of the processor but wants it at once: with a slice
 * so short (sched_setattr(2); Linux 6.12 heeds it, others take no notice) it need not wait until those that make
 * handshakes and signatures beside it have used up theirs, which would be told of the server. It gets no more than its
 * share thereby.
 */
static void be_punctual(void) {
    /* struct sched_attr; <linux/sched/types.h> does not go together with <sched.h>. */
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime_ns, deadline, period;
    } slice = {.size = sizeof slice, .runtime_ns = SLICE_NS};

    prctl(PR_SET_TIMERSLACK, 1);
    if (wish.version == 0)
        syscall(SYS_sched_setattr, 0, &slice, 0);
}

/* Gives the CPU time of the measured part, whose begin and end it says on stdout. */
static double run(void) {
    double cpu_us = 0;
    bool is_warm = false;
    uint64_t now;

    while ((now = bench_now_ns()) < end_ns) {
        if (!is_warm && now >= begin_ns) {
            is_warm = true;
            cpu_us = bench_cpu_us();
            say("begin");
        }
        begin_what_is_due(now);
        if (wish.rate > 0)
            go_on_until(due_ns(begun));
        else if (go_on_until(now + PATIENCE_NS) == 0)
            bench_give_up(1, "a visit did not come to its end in time", "");
    }
    cpu_us = bench_cpu_us() - cpu_us;
    say("end");
    /* This process may have slept over the end: what was due before counts. */
    if (wish.rate > 0)
        begin_what_is_due(end_ns);
    while (wish.rate > 0 && idle_count < VISITORS_MAX)
        if (go_on_until(end_ns + PATIENCE_NS) == 0)
            bench_give_up(1, "visits did not come to their end in time", "");
    return cpu_us;
}

/* So that who started this can look at the other processes at the same time. */
static void say(const char *word) {
    puts(word);
    fflush(stdout);
}

static void begin_what_is_due(uint64_t now) {
    if (wish.rate == 0)
        while (VISITORS_MAX - idle_count < wish.concurrent)
            begin(idle[--idle_count], bench_now_ns());
    for (; wish.rate > 0 && due_ns(begun) <= now && due_ns(begun) < end_ns; begun++) {
        if (idle_count == 0)
            bench_give_up(1, "the server leaves more open than", "1024 visits");
        if (due_ns(begun) >= begin_ns)
            samples_add(&delays, bench_now_ns() - due_ns(begun));
        begin(idle[--idle_count], due_ns(begun));
    }
}

/* When the nth visit of an open loop is. */
static uint64_t due_ns(unsigned long n) {
    return start_ns + (uint64_t)((double)n * NS_PER_S / wish.rate);
}

/* Until something happens; 0 when nothing did. */
static int go_on_until(uint64_t wake_ns) {
    struct epoll_event events[EVENTS_AT_ONCE];
    uint64_t now = bench_now_ns(), left = wake_ns > now ? wake_ns - now : 0;
    struct timespec timeout = {.tv_sec = (time_t)(left / 1000000000), .tv_nsec = (long)(left % 1000000000)};
    int count = epoll_pwait2(epoll, events, EVENTS_AT_ONCE, &timeout, NULL);

    for (int i = 0; i < count; i++) {
        visitor *visitor = events[i].data.ptr;

        if (is_served(visitor))
            end(visitor);
    }
    return count;
}

static void begin(visitor *visitor, uint64_t due) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)wish.port)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = visitor};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    visitor->fd = fd;
    visitor->began_ns = due;
    visitor->ssl = NULL;
    visitor->has_asked = visitor->is_answered = false;
    light_begin(&visitor->light);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (fd < 0 || (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS))
        bench_give_up(1, "cannot connect:", strerror(errno));
    if (context && handshakes++ % VERIFIED_IN == 0) {
        visitor->ssl = SSL_new(context);
        SSL_set_fd(visitor->ssl, fd);
        SSL_set_connect_state(visitor->ssl);
    }
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static bool is_served(visitor *visitor) {
    if (!context)
        return has_page(visitor);
    if (visitor->ssl)
        return is_greeted(visitor);
    if (!light_go_on(&visitor->light, visitor->fd))
        return false;
    if (visitor->light.failure)
        bench_give_up(1, "a handshake failed:", visitor->light.failure);
    return true;
}

/* The answer to a signature that the key does not fit would be an error here: the client verifies it as any client
 * does. */
static bool is_greeted(visitor *visitor) {
    int result = SSL_do_handshake(visitor->ssl), error = SSL_get_error(visitor->ssl, result);

    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return false;
    if (result != 1) {
        ERR_print_errors_fp(stderr);
        bench_give_up(1, "a handshake failed:", error == SSL_ERROR_SYSCALL ? strerror(errno) : "TLS");
    }
    return true;
}

/* Its end is that of the connection (HTTP/1.0). */
static bool has_page(visitor *visitor) {
    static const char ASK[] = "GET / HTTP/1.0\r\n\r\n", FOUND[] = "HTTP/1.1 200 ";
    char answer[4096];
    ssize_t got;

    if (!visitor->has_asked)
        visitor->has_asked = send(visitor->fd, ASK, strlen(ASK), MSG_NOSIGNAL) == (ssize_t)strlen(ASK);
    while ((got = recv(visitor->fd, answer, sizeof answer, 0)) > 0)
        if (!visitor->is_answered)
            visitor->is_answered = got >= (ssize_t)strlen(FOUND) && memcmp(answer, FOUND, strlen(FOUND)) == 0;
    if (got < 0 && errno == EAGAIN)
        return false;
    if (got < 0 || !visitor->is_answered)
        bench_give_up(1, "a page failed:", got < 0 ? strerror(errno) : "expected an answer of HTTP/1.1 200");
    return true;
}

/* In an open loop all that was due counts, however late it ends; its throughput is what ended meanwhile. */
static void end(visitor *visitor) {
    uint64_t now = bench_now_ns();
    bool is_in_time = now >= begin_ns && now < end_ns;

    ended_in_time += is_in_time;
    if (wish.rate > 0 ? visitor->began_ns >= begin_ns : is_in_time)
        samples_add(&latencies, now - visitor->began_ns);
    SSL_free(visitor->ssl);
    close(visitor->fd);
    idle[idle_count++] = visitor;
}

static void print_report(double cpu_us) {
    samples_sort(&latencies);
    samples_sort(&delays);
    printf("{\"count\":%zu,\"seconds\":%.3f,\"per_second\":%.1f,\"cpu_us\":%.2f,\"late_p99_us\":%.1f,", latencies.count,
           wish.seconds, (double)ended_in_time / wish.seconds, latencies.count ? cpu_us / (double)latencies.count : 0,
           samples_quantile_us(&delays, 0.99));
    samples_print(&latencies);
    printf("}\n");
}
