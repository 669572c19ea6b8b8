#include "fake_service.h"

#include "signet/v1/sign.pb.h"

#include <assert.h>
#include <errno.h>
#include <pb_decode.h>
#include <pb_encode.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 256
#define LATER_MAX 4096
#define FRAME_BYTES_MAX 65536
#define ATTEMPTS_SEEN_MAX 64

typedef struct {
    int fd;
    unsigned char *in;
    size_t length;
} connection;

/* An answer to be given later: by the clock, or at "release". */
typedef struct {
    int slot;
    uint32_t id;
    uint64_t due_ms;
    bool held;
    unsigned char signature[FAKE_SIGNATURE_BYTES];
    size_t signature_len;
} later;

struct fake_service {
    pthread_t thread;
    pthread_mutex_t lock;
    fake_options options;
    fake_counts counts;
    int listener;
    int wake;
    bool stop;
    bool drain;
    connection connections[CONNECTIONS_MAX];
    later laters[LATER_MAX];
    size_t later_count;
    unsigned char seen[ATTEMPTS_SEEN_MAX][16];
    size_t seen_count;
    SignStreamRequest request;
};

typedef struct {
    fake_service *service;
    int slot;
    const SignRequest *sign;
    uint32_t id;
    const char *text;
} order;

static void *run(void *argument);
static void serve(fake_service *service);
static int next_timeout(fake_service *service);
static void accept_one(fake_service *service);
static void read_some(fake_service *service, int slot);
static bool handle_frame(fake_service *service, int slot, const unsigned char *frame, size_t length);
static void handle_sign(fake_service *service, int slot, uint32_t id, const SignRequest *sign);
static void close_slot(fake_service *service, int slot);
static void send_frame(fake_service *service, int slot, const SignStreamResponse *response);
static void send_bytes(fake_service *service, int slot, const void *bytes, size_t length);
static void give_due(fake_service *service);
static void answer(const order *order);
static void answer_error(fake_service *service, int slot, uint32_t id, ErrorCode code, const char *text);

fake_service *fake_start(const char *path, fake_options options) {
    fake_service *service = calloc(1, sizeof(*service));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int i;

    service->options = options;
    pthread_mutex_init(&service->lock, NULL);
    for (i = 0; i < CONNECTIONS_MAX; i++)
        service->connections[i].fd = -1;
    unlink(path);
    strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    service->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    service->wake = eventfd(0, EFD_CLOEXEC);
    if (bind(service->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(service->listener, 64) < 0 || pthread_create(&service->thread, NULL, run, service) != 0) {
        perror(path);
        abort();
    }
    return service;
}

static void tell(fake_service *service, bool *flag) {
    uint64_t one = 1;

    pthread_mutex_lock(&service->lock);
    *flag = true;
    pthread_mutex_unlock(&service->lock);
    if (write(service->wake, &one, sizeof(one)) < 0)
        abort();
}

void fake_stop(fake_service *service) {
    int i;

    tell(service, &service->stop);
    pthread_join(service->thread, NULL);
    for (i = 0; i < CONNECTIONS_MAX; i++)
        close_slot(service, i);
    close(service->listener);
    close(service->wake);
    pthread_mutex_destroy(&service->lock);
    free(service);
}

void fake_drain(fake_service *service) {
    tell(service, &service->drain);
    for (;;) {
        bool busy;

        pthread_mutex_lock(&service->lock);
        busy = service->drain;
        pthread_mutex_unlock(&service->lock);
        if (!busy)
            return;
        poll(NULL, 0, 1);
    }
}

fake_counts fake_count(fake_service *service) {
    fake_counts counts;

    pthread_mutex_lock(&service->lock);
    counts = service->counts;
    pthread_mutex_unlock(&service->lock);
    return counts;
}

static uint64_t now_ms(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void *run(void *argument) {
    fake_service *service = argument;
    sigset_t all;
    bool stop = false;

    /* Signals are for the client under test. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    while (!stop) {
        serve(service);
        pthread_mutex_lock(&service->lock);
        stop = service->stop;
        pthread_mutex_unlock(&service->lock);
    }
    return NULL;
}

static void say_go_away(fake_service *service, int slot) {
    SignStreamResponse response = SignStreamResponse_init_zero;

    response.which_body = SignStreamResponse_go_away_tag;
    strcpy(response.body.go_away.reason, "the service is going down");
    send_frame(service, slot, &response);
}

static void drain_all(fake_service *service) {
    size_t i;
    int slot;

    for (slot = 0; slot < CONNECTIONS_MAX; slot++) {
        bool busy = false;

        if (service->connections[slot].fd < 0)
            continue;
        say_go_away(service, slot);
        for (i = 0; i < service->later_count; i++)
            busy |= service->laters[i].slot == slot;
        if (!busy)
            close_slot(service, slot);
    }
}

static void serve(fake_service *service) {
    struct pollfd fds[CONNECTIONS_MAX + 2];
    int i;

    fds[0] = (struct pollfd){.fd = service->listener, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = service->wake, .events = POLLIN};
    for (i = 0; i < CONNECTIONS_MAX; i++)
        fds[i + 2] = (struct pollfd){.fd = service->connections[i].fd, .events = POLLIN};
    poll(fds, CONNECTIONS_MAX + 2, next_timeout(service));
    pthread_mutex_lock(&service->lock);
    if (fds[1].revents != 0) {
        uint64_t count;

        if (read(service->wake, &count, sizeof(count)) < 0)
            abort();
    }
    for (i = 0; i < CONNECTIONS_MAX && !service->stop; i++)
        if (fds[i + 2].revents != 0)
            read_some(service, i);
    if (fds[0].revents != 0 && !service->stop)
        accept_one(service);
    if (service->drain)
        drain_all(service);
    service->drain = false;
    give_due(service);
    pthread_mutex_unlock(&service->lock);
}

static int next_timeout(fake_service *service) {
    uint64_t now = now_ms(), next = UINT64_MAX;
    size_t i;

    for (i = 0; i < service->later_count; i++)
        if (!service->laters[i].held && service->laters[i].due_ms < next)
            next = service->laters[i].due_ms;
    if (next == UINT64_MAX)
        return -1;
    return next <= now ? 0 : (int)(next - now);
}

static void accept_one(fake_service *service) {
    int slot = 0, fd = accept4(service->listener, NULL, NULL, SOCK_CLOEXEC);

    while (slot < CONNECTIONS_MAX && service->connections[slot].fd >= 0)
        slot++;
    if (fd < 0 || slot == CONNECTIONS_MAX)
        abort();
    service->connections[slot] = (connection){.fd = fd, .in = malloc(FRAME_BYTES_MAX + 4)};
    service->counts.connections++;
    service->counts.open++;
    if (service->options.full) {
        answer_error(service, slot, 0, ErrorCode_ERROR_CODE_RESOURCE_EXHAUSTED,
                     "1000 connections are open, no more are taken");
        close_slot(service, slot);
    }
}

static void read_some(fake_service *service, int slot) {
    connection *connection = &service->connections[slot];
    ssize_t got =
        recv(connection->fd, connection->in + connection->length, FRAME_BYTES_MAX + 4 - connection->length, 0);

    if (got <= 0) {
        close_slot(service, slot);
        return;
    }
    connection->length += (size_t)got;
    for (;;) {
        const unsigned char *in = connection->in;
        size_t length;

        if (connection->fd < 0 || connection->length < 4)
            return;
        length = (size_t)in[0] << 24 | (size_t)in[1] << 16 | (size_t)in[2] << 8 | in[3];
        if (length == 0 || length > FRAME_BYTES_MAX) {
            close_slot(service, slot);
            return;
        }
        if (connection->length < 4 + length)
            return;
        if (!handle_frame(service, slot, in + 4, length)) {
            close_slot(service, slot);
            return;
        }
        if (connection->fd < 0)
            return;
        connection->length -= 4 + length;
        memmove(connection->in, connection->in + 4 + length, connection->length);
    }
}

static bool handle_frame(fake_service *service, int slot, const unsigned char *frame, size_t length) {
    pb_istream_t stream = pb_istream_from_buffer(frame, length);
    SignStreamRequest *request = &service->request;
    SignStreamResponse response = SignStreamResponse_init_zero;

    if (!pb_decode(&stream, SignStreamRequest_fields, request))
        return false;
    switch (request->which_body) {
    case SignStreamRequest_hello_tag:
        service->counts.hellos++;
        memcpy(service->counts.agent, request->body.hello.agent, sizeof(service->counts.agent));
        response.id = request->id;
        response.which_body = SignStreamResponse_hello_ack_tag;
        response.body.hello_ack.version = service->options.version != 0 ? service->options.version : 1;
        response.body.hello_ack.in_flight_max =
            service->options.in_flight_max != 0 ? service->options.in_flight_max : 1024;
        response.body.hello_ack.frame_bytes_max = FRAME_BYTES_MAX;
        send_frame(service, slot, &response);
        return true;
    case SignStreamRequest_sign_tag:
        handle_sign(service, slot, request->id, &request->body.sign);
        return true;
    case SignStreamRequest_cancel_tag:
        service->counts.cancels++;
        return true;
    default:
        return false;
    }
}

static bool seen_before(fake_service *service, const SignRequest *sign) {
    size_t i;

    for (i = 0; i < service->seen_count; i++)
        if (memcmp(service->seen[i], sign->attempt_id.bytes, 16) == 0)
            return true;
    memcpy(service->seen[service->seen_count++ % ATTEMPTS_SEEN_MAX], sign->attempt_id.bytes, 16);
    if (service->seen_count > ATTEMPTS_SEEN_MAX)
        service->seen_count = ATTEMPTS_SEEN_MAX;
    return false;
}

static void signature_of(const SignRequest *sign, unsigned char *signature, size_t *length) {
    const unsigned char *input =
        sign->which_input == SignRequest_digest_tag ? sign->input.digest.bytes : sign->input.message.bytes;
    size_t input_len = sign->which_input == SignRequest_digest_tag ? sign->input.digest.size : sign->input.message.size;

    *length = input_len < FAKE_SIGNATURE_BYTES ? input_len : FAKE_SIGNATURE_BYTES;
    memcpy(signature, input, *length);
}

static SignStreamResponse response_of(const order *order) {
    SignStreamResponse response = SignStreamResponse_init_zero;
    size_t length;

    response.id = order->id;
    response.which_body = SignStreamResponse_sign_tag;
    signature_of(order->sign, response.body.sign.signature.bytes, &length);
    response.body.sign.signature.size = (pb_size_t)length;
    return response;
}

static size_t encode(const SignStreamResponse *response, unsigned char *frame, size_t room) {
    pb_ostream_t stream = pb_ostream_from_buffer(frame + 4, room - 4);

    if (!pb_encode(&stream, SignStreamResponse_fields, response))
        abort();
    frame[0] = frame[1] = 0;
    frame[2] = (unsigned char)(stream.bytes_written >> 8);
    frame[3] = (unsigned char)stream.bytes_written;
    return 4 + stream.bytes_written;
}

static void answer(const order *order) {
    SignStreamResponse response = response_of(order);

    send_frame(order->service, order->slot, &response);
}

static void answer_later(const order *order, uint64_t due_ms, bool held) {
    later *later = &order->service->laters[order->service->later_count++];

    if (order->service->later_count > LATER_MAX)
        abort();
    later->slot = order->slot;
    later->id = order->id;
    later->due_ms = due_ms;
    later->held = held;
    signature_of(order->sign, later->signature, &later->signature_len);
}

static void do_delay(const order *order) {
    answer_later(order, now_ms() + strtoul(order->text, NULL, 10), false);
}

static void do_refuse(const order *order) {
    char *text;
    unsigned long code = strtoul(order->text, &text, 10);

    answer_error(order->service, order->slot, order->id, (ErrorCode)code, *text == ' ' ? text + 1 : text);
}

static void do_silent(const order *order) {
    (void)order;
}

static void do_hold(const order *order) {
    answer_later(order, 0, true);
}

static void do_release(const order *order) {
    fake_service *service = order->service;

    answer(order);
    while (service->later_count > 0) {
        later *later = &service->laters[--service->later_count];
        SignStreamResponse response = SignStreamResponse_init_zero;

        response.id = later->id;
        response.which_body = SignStreamResponse_sign_tag;
        response.body.sign.signature.size = (pb_size_t)later->signature_len;
        memcpy(response.body.sign.signature.bytes, later->signature, later->signature_len);
        send_frame(service, later->slot, &response);
    }
}

static void do_wrong_id(const order *order) {
    SignStreamResponse response = response_of(order);

    response.id += 1024;
    response.body.sign.signature.bytes[0] ^= 0xff;
    send_frame(order->service, order->slot, &response);
    answer(order);
}

static void do_dribble(const order *order) {
    SignStreamResponse response = response_of(order);
    unsigned char frame[1024];
    size_t i, length = encode(&response, frame, sizeof(frame));

    for (i = 0; i < length; i++)
        send_bytes(order->service, order->slot, frame + i, 1);
}

static void do_half(const order *order) {
    SignStreamResponse response = response_of(order);
    unsigned char frame[1024];

    send_bytes(order->service, order->slot, frame, encode(&response, frame, sizeof(frame)) / 2);
}

static void do_garbage(const order *order) {
    static const char HTTP[] = "HTTP/1.1 400 Bad Request\r\n\r\n";

    send_bytes(order->service, order->slot, HTTP, sizeof(HTTP) - 1);
}

static void do_long(const order *order) {
    send_bytes(order->service, order->slot, "\0\1\0\1", 4);
}

static void do_zero(const order *order) {
    send_bytes(order->service, order->slot, "\0\0\0\0", 4);
}

/* Field 15, an empty message, after the id. */
static void do_unknown_body(const order *order) {
    unsigned char frame[] = {0, 0, 0, 4, 0x08, (unsigned char)order->id, 0x7a, 0x00};

    send_bytes(order->service, order->slot, frame, sizeof(frame));
}

static void do_unknown_field(const order *order) {
    SignStreamResponse response = response_of(order);
    unsigned char frame[1024];
    size_t length = encode(&response, frame, sizeof(frame));

    /* Field 100, varint 1. */
    memcpy(frame + length, "\xa0\x06\x01", 3);
    frame[3] = (unsigned char)(frame[3] + 3);
    send_bytes(order->service, order->slot, frame, length + 3);
}

static void do_empty(const order *order) {
    SignStreamResponse response = response_of(order);

    response.body.sign.signature.size = 0;
    send_frame(order->service, order->slot, &response);
}

static void do_close(const order *order) {
    close_slot(order->service, order->slot);
}

static void do_close_once(const order *order) {
    if (seen_before(order->service, order->sign))
        answer(order);
    else
        close_slot(order->service, order->slot);
}

static void do_close_once_then_silent(const order *order) {
    if (!seen_before(order->service, order->sign))
        close_slot(order->service, order->slot);
}

static void do_goaway(const order *order) {
    say_go_away(order->service, order->slot);
    answer(order);
}

static void do_goaway_close(const order *order) {
    if (seen_before(order->service, order->sign)) {
        answer(order);
        return;
    }
    say_go_away(order->service, order->slot);
    close_slot(order->service, order->slot);
}

static void do_goaway_late_once(const order *order) {
    if (seen_before(order->service, order->sign)) {
        answer(order);
        return;
    }
    say_go_away(order->service, order->slot);
    answer_error(order->service, order->slot, order->id, ErrorCode_ERROR_CODE_UNAVAILABLE, "the service is going down");
}

static void do_error_zero(const order *order) {
    answer_error(order->service, order->slot, 0, (ErrorCode)strtoul(order->text, NULL, 10), "of the whole connection");
    close_slot(order->service, order->slot);
}

static const struct {
    const char *word;
    void (*run)(const order *order);
} ORDERS[] = {
    {"delay", do_delay},
    {"refuse", do_refuse},
    {"silent", do_silent},
    {"hold", do_hold},
    {"release", do_release},
    {"wrong-id", do_wrong_id},
    {"dribble", do_dribble},
    {"half", do_half},
    {"garbage", do_garbage},
    {"long", do_long},
    {"zero", do_zero},
    {"unknown-body", do_unknown_body},
    {"unknown-field", do_unknown_field},
    {"empty", do_empty},
    {"close", do_close},
    {"close-once", do_close_once},
    {"close-once-then-silent", do_close_once_then_silent},
    {"goaway", do_goaway},
    {"goaway-close", do_goaway_close},
    {"goaway-late-once", do_goaway_late_once},
    {"error-zero", do_error_zero},
};

static void count_request(fake_service *service, const SignRequest *sign) {
    service->counts.requests++;
    service->counts.last_timeout_us = sign->timeout_us;
    if (memcmp(service->counts.last_attempt_id, sign->attempt_id.bytes, 16) == 0)
        service->counts.repeated_attempts++;
    memcpy(service->counts.last_attempt_id, sign->attempt_id.bytes, 16);
}

static void handle_sign(fake_service *service, int slot, uint32_t id, const SignRequest *sign) {
    char text[128] = "";
    order order = {.service = service, .slot = slot, .sign = sign, .id = id};
    size_t i, word;

    count_request(service, sign);
    if (service->options.unavailable) {
        answer_error(service, slot, id, ErrorCode_ERROR_CODE_UNAVAILABLE, "no token has the key");
        return;
    }
    if (sign->which_input == SignRequest_message_tag)
        snprintf(text, sizeof(text), "%.*s", (int)sign->input.message.size, (const char *)sign->input.message.bytes);
    word = strcspn(text, " ");
    order.text = text[word] == ' ' ? text + word + 1 : text + word;
    for (i = 0; i < sizeof(ORDERS) / sizeof(ORDERS[0]); i++)
        if (strlen(ORDERS[i].word) == word && memcmp(ORDERS[i].word, text, word) == 0) {
            ORDERS[i].run(&order);
            return;
        }
    answer(&order);
}

static void close_slot(fake_service *service, int slot) {
    connection *connection = &service->connections[slot];
    size_t i, kept = 0;

    if (connection->fd < 0)
        return;
    close(connection->fd);
    free(connection->in);
    connection->fd = -1;
    connection->in = NULL;
    service->counts.open--;
    for (i = 0; i < service->later_count; i++)
        if (service->laters[i].slot != slot)
            service->laters[kept++] = service->laters[i];
    service->later_count = kept;
}

static void send_frame(fake_service *service, int slot, const SignStreamResponse *response) {
    unsigned char frame[1024];

    send_bytes(service, slot, frame, encode(response, frame, sizeof(frame)));
}

static void send_bytes(fake_service *service, int slot, const void *bytes, size_t length) {
    /* A client that left is no fault of the test. */
    ssize_t ignored = send(service->connections[slot].fd, bytes, length, MSG_NOSIGNAL);

    (void)ignored;
}

static void give_due(fake_service *service) {
    uint64_t now = now_ms();
    size_t i = 0;

    while (i < service->later_count) {
        later due = service->laters[i];
        SignStreamResponse response = SignStreamResponse_init_zero;

        if (due.held || due.due_ms > now) {
            i++;
            continue;
        }
        service->laters[i] = service->laters[--service->later_count];
        response.id = due.id;
        response.which_body = SignStreamResponse_sign_tag;
        response.body.sign.signature.size = (pb_size_t)due.signature_len;
        memcpy(response.body.sign.signature.bytes, due.signature, due.signature_len);
        send_frame(service, due.slot, &response);
    }
}

static void answer_error(fake_service *service, int slot, uint32_t id, ErrorCode code, const char *text) {
    SignStreamResponse response = SignStreamResponse_init_zero;

    response.id = id;
    response.which_body = SignStreamResponse_error_tag;
    response.body.error.code = code;
    strncpy(response.body.error.message, text, sizeof(response.body.error.message) - 1);
    send_frame(service, slot, &response);
}
