#define _GNU_SOURCE
#include "busy_poll_napi.h"

#include "../signer/busy_poll.h"
#include "../signer/now.h"

#include <poll.h>

#include <uv.h>

/* One loop in a process: node's main thread. */
static struct {
    struct busy_poll_habit habit;
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
    if (!busy_poll_pays(&loop_poll.habit))
        return;
    const int64_t timeout_ns = (int64_t)timeout_ms * 1000000;
    const int64_t look_ns =
        timeout_ms > 0 && timeout_ns < loop_poll.habit.look_ns ? timeout_ns : loop_poll.habit.look_ns;
    struct pollfd events = {.fd = uv_backend_fd(handle->loop), .events = POLLIN};
    int64_t looked_ns = begun_ns;
    while (poll(&events, 1, 0) == 0 && busy_poll_give_way(&loop_poll.habit, &looked_ns, begun_ns + look_ns)) {
    }
}

static void learn_after_sleep(uv_check_t *handle) {
    (void)handle;
    if (loop_poll.waiting_since_ns != 0)
        busy_poll_learn(&loop_poll.habit, now_ns() - loop_poll.waiting_since_ns);
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
    loop_poll.habit = (struct busy_poll_habit){.look_ns = (int64_t)microseconds * 1000};
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
