/*
 * Full TLS handshakes with a server on this machine, one after the other over a number of connections at once, and
 * nothing else: no session is resumed and nothing is asked. Prints `begin` and `end` around what is measured, then one
 * line of JSON; a latency is from connect(2) to the end of the handshake, in microseconds.
 *
 *   handshakes --port PORT --version 1.2|1.3 [--concurrent N] [--seconds S] [--warmup S]
 *
 * Exit: 0 measured, 1 a handshake failed (its reason is on stderr), 2 wrong usage.
 */
#include "../native/samples.h"

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
#include <sys/socket.h>
#include <unistd.h>

#define CONCURRENT_MAX 1024
#define NS_PER_S 1e9
/* How long a handshake may take in all. */
#define PATIENCE_MS 10000

typedef struct {
    SSL *ssl;
    uint64_t began_ns;
    bool is_open;
} visitor;

static struct {
    unsigned long port, concurrent;
    double seconds, warmup;
    int version;
} wish = {.concurrent = 1, .seconds = 2, .warmup = 0.2};

static visitor visitors[CONCURRENT_MAX];
static SSL_CTX *context;
static samples handshakes;
static uint64_t begin_ns, end_ns;
static int epoll;

static void read_settings(int argc, char **argv);
static void begin(visitor *visitor);
static void go_on(visitor *visitor);
static void end(visitor *visitor);
static _Noreturn void give_up(int code, const char *what, const char *which);

int main(int argc, char **argv) {
    struct epoll_event events[64];
    double cpu_us = 0;
    unsigned long open = 0;
    uint64_t start, now;

    read_settings(argc, argv);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context, wish.version);
    SSL_CTX_set_max_proto_version(context, wish.version);
    start = bench_now_ns();
    begin_ns = start + (uint64_t)(wish.warmup * NS_PER_S);
    end_ns = begin_ns + (uint64_t)(wish.seconds * NS_PER_S);
    for (; open < wish.concurrent; open++)
        begin(&visitors[open]);
    for (bool warm = false; (now = bench_now_ns()) < end_ns;) {
        int count = epoll_wait(epoll, events, 64, PATIENCE_MS);

        if (count == 0)
            give_up(1, "a handshake did not come to its end in time", "");
        if (!warm && bench_now_ns() >= begin_ns) {
            warm = true;
            cpu_us = bench_cpu_us();
            puts("begin");
            fflush(stdout);
        }
        for (int i = 0; i < count; i++)
            go_on(events[i].data.ptr);
    }
    cpu_us = bench_cpu_us() - cpu_us;
    puts("end");
    fflush(stdout);
    samples_sort(&handshakes);
    printf("{\"count\":%zu,\"seconds\":%.3f,\"per_second\":%.1f,\"cpu_us\":%.2f,", handshakes.count, wish.seconds,
           (double)handshakes.count / wish.seconds, handshakes.count ? cpu_us / (double)handshakes.count : 0);
    samples_print(&handshakes);
    printf("}\n");
    return 0;
}

static double number(const char *name, const char *text, double max) {
    char *end;
    double value = strtod(text, &end);

    if (*text == '\0' || *end != '\0' || !(value >= 0 && value <= max))
        give_up(2, name, text);
    return value;
}

static void read_settings(int argc, char **argv) {
    static const struct option OPTIONS[] = {
        {"port", required_argument, NULL, 'p'},       {"version", required_argument, NULL, 'v'},
        {"concurrent", required_argument, NULL, 'c'}, {"seconds", required_argument, NULL, 's'},
        {"warmup", required_argument, NULL, 'w'},     {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1)
        switch (option) {
        case 'p':
            wish.port = (unsigned long)number("--port wants up to 65535, not", optarg, 65535);
            break;
        case 'v':
            wish.version = strcmp(optarg, "1.2") == 0   ? TLS1_2_VERSION
                           : strcmp(optarg, "1.3") == 0 ? TLS1_3_VERSION
                                                        : 0;
            break;
        case 'c':
            wish.concurrent = (unsigned long)number("--concurrent wants up to 1024, not", optarg, CONCURRENT_MAX);
            break;
        case 's':
            wish.seconds = number("--seconds wants up to 3600, not", optarg, 3600);
            break;
        case 'w':
            wish.warmup = number("--warmup wants up to 3600, not", optarg, 3600);
            break;
        default:
            exit(2);
        }
    if (!wish.port || !wish.version || !wish.concurrent)
        give_up(2, "needs --port and", "--version 1.2 or 1.3");
}

static void begin(visitor *visitor) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)wish.port)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = visitor};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    visitor->began_ns = bench_now_ns();
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (fd < 0 || (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS))
        give_up(1, "cannot connect:", strerror(errno));
    visitor->ssl = SSL_new(context);
    SSL_set_fd(visitor->ssl, fd);
    SSL_set_connect_state(visitor->ssl);
    visitor->is_open = true;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

/* The answer to a signature that the key does not fit would be an error here: the client verifies it as any client
 * does. */
static void go_on(visitor *visitor) {
    int result, error;

    if (!visitor->is_open)
        return;
    result = SSL_do_handshake(visitor->ssl);
    error = SSL_get_error(visitor->ssl, result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return;
    if (result != 1) {
        ERR_print_errors_fp(stderr);
        give_up(1, "a handshake failed:", error == SSL_ERROR_SYSCALL ? strerror(errno) : "TLS");
    }
    end(visitor);
    if (bench_now_ns() < end_ns)
        begin(visitor);
}

static void end(visitor *visitor) {
    uint64_t now = bench_now_ns();
    int fd = SSL_get_fd(visitor->ssl);

    if (now >= begin_ns && now < end_ns)
        samples_add(&handshakes, now - visitor->began_ns);
    visitor->is_open = false;
    SSL_free(visitor->ssl);
    close(fd);
}

static _Noreturn void give_up(int code, const char *what, const char *which) {
    fprintf(stderr, "handshakes: %s %s\n", what, which);
    exit(code);
}
