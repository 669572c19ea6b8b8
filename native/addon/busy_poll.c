/*
 * To sleep and be woken costs tens of microseconds, on virtual machines over a hundred (bench/floor/wake.c): as much as
 * a P-256 signature. So while messages follow each other closely, a process looks for the next one for a short while
 * before it sleeps. It gives way to whoever wants the processor between two looks (sched_yield(2)), and it stops
 * looking as soon as messages come too seldom for it to help: an idle service sleeps. So does one on a crowded machine:
 * there looking takes time from others, and from itself, since the scheduler favours who has slept.
 */
#define _GNU_SOURCE
#include "busy_poll.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <uv.h>

/* Whether it pays to look: waits that were short enough speak for it, each that was too long outweighs two of them. So
 * where every second wait is long, as that of a front for an RSA signature, it is not done. */
struct habit {
    int64_t look_ns;
    int confidence;
    /* How many short waits it takes to look again after others ran for long: twice as many each time it happens again.
     */
    int restraint;
};

#define CONFIDENCE_MIN 4
#define CONFIDENCE_MAX 16
/* Others wanted the processor if they had it for so long when it was given to them. */
#define CROWDED_NS 50000
#define RESTRAINT_MIN 16
#define RESTRAINT_MAX 4096

static bool pays(const struct habit *habit) {
    return habit->confidence >= CONFIDENCE_MIN;
}

static void learn(struct habit *habit, int64_t waited_ns) {
    const int now = habit->confidence;
    if (waited_ns <= habit->look_ns) {
        habit->confidence = now < CONFIDENCE_MAX ? now + 1 : now;
        if (pays(habit) && habit->restraint > RESTRAINT_MIN)
            habit->restraint--;
    } else if (now > 0) {
        habit->confidence = now > 2 ? now - 2 : 0;
    }
}

static void restrain(struct habit *habit) {
    const int restraint = habit->restraint < RESTRAINT_MIN ? RESTRAINT_MIN : habit->restraint;
    habit->confidence = -restraint;
    habit->restraint = restraint < RESTRAINT_MAX ? 2 * restraint : restraint;
}

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Lets others run. False if it should look no more: it has looked long enough, or others ran for long. */
static bool give_way(struct habit *habit, int64_t *looked_ns, int64_t until_ns) {
    const int64_t gave_ns = *looked_ns;
    sched_yield();
    *looked_ns = now_ns();
    if (*looked_ns - gave_ns > CROWDED_NS)
        restrain(habit);
    return pays(habit) && *looked_ns < until_ns;
}

/* ---- the event loop ---- */

/* One loop in a process: node's main thread. */
static struct {
    struct habit habit;
    uv_prepare_t before_sleep;
    uv_check_t after_sleep;
    int64_t waiting_since_ns;
    bool running;
} loop_poll;

/* libuv waits for an epoll set, which is ready when one of its descriptors is (epoll(7)). Nothing is consumed here. */
static void look_before_sleep(uv_prepare_t *handle) {
    const int timeout_ms = uv_backend_timeout(handle->loop);
    loop_poll.waiting_since_ns = 0;
    if (timeout_ms == 0)
        return;
    const int64_t begun_ns = loop_poll.waiting_since_ns = now_ns();
    if (!pays(&loop_poll.habit))
        return;
    const int64_t timeout_ns = (int64_t)timeout_ms * 1000000;
    const int64_t look_ns =
        timeout_ms > 0 && timeout_ns < loop_poll.habit.look_ns ? timeout_ns : loop_poll.habit.look_ns;
    struct pollfd events = {.fd = uv_backend_fd(handle->loop), .events = POLLIN};
    int64_t looked_ns = begun_ns;
    while (poll(&events, 1, 0) == 0 && give_way(&loop_poll.habit, &looked_ns, begun_ns + look_ns)) {
    }
}

static void learn_after_sleep(uv_check_t *handle) {
    (void)handle;
    if (loop_poll.waiting_since_ns != 0)
        learn(&loop_poll.habit, now_ns() - loop_poll.waiting_since_ns);
}

/* busyPollEvents(microseconds): from now on the event loop of this process looks so long before it sleeps; 0 ends it.
 */
napi_value busy_poll_events(napi_env env, napi_callback_info info) {
    size_t argc = 1;
    napi_value argument;
    int32_t microseconds = -1;
    uv_loop_t *loop = NULL;
    if (napi_get_cb_info(env, info, &argc, &argument, NULL, NULL) != napi_ok || argc < 1 ||
        napi_get_value_int32(env, argument, &microseconds) != napi_ok || microseconds < 0) {
        napi_throw_type_error(env, NULL, "busyPollEvents: expected a number of microseconds");
        return NULL;
    }
    if (napi_get_uv_event_loop(env, &loop) != napi_ok)
        return NULL;
    loop_poll.habit = (struct habit){.look_ns = (int64_t)microseconds * 1000};
    if (!loop_poll.running) {
        uv_prepare_init(loop, &loop_poll.before_sleep);
        uv_check_init(loop, &loop_poll.after_sleep);
        /* They keep no process alive. */
        uv_unref((uv_handle_t *)&loop_poll.before_sleep);
        uv_unref((uv_handle_t *)&loop_poll.after_sleep);
        loop_poll.running = true;
    }
    if (microseconds == 0) {
        uv_prepare_stop(&loop_poll.before_sleep);
        uv_check_stop(&loop_poll.after_sleep);
    } else {
        uv_prepare_start(&loop_poll.before_sleep, look_before_sleep);
        uv_check_start(&loop_poll.after_sleep, learn_after_sleep);
    }
    return NULL;
}

/* ---- a blocking socket ---- */

/* One such socket in a process: a signer's. */
static struct habit receive_habit;

/* -1 with errno EAGAIN if nothing has come while looking. */
static ssize_t look_and_receive(int fd, void *into, size_t length, int64_t begun_ns) {
    int64_t looked_ns = begun_ns;
    do {
        const ssize_t got = recv(fd, into, length, MSG_DONTWAIT);
        if (got >= 0 || errno != EAGAIN)
            return got;
    } while (give_way(&receive_habit, &looked_ns, begun_ns + receive_habit.look_ns));
    errno = EAGAIN;
    return -1;
}

ssize_t busy_poll_recv(int fd, void *into, size_t length, int64_t look_ns) {
    const int64_t begun_ns = now_ns();
    receive_habit.look_ns = look_ns;
    ssize_t got = -1;
    errno = EAGAIN;
    if (pays(&receive_habit))
        got = look_and_receive(fd, into, length, begun_ns);
    while (got < 0 && (errno == EAGAIN || errno == EINTR))
        got = recv(fd, into, length, 0);
    const int why = errno;
    learn(&receive_habit, now_ns() - begun_ns);
    errno = why;
    return got;
}
