/*
 * Interposed: epoll_wait. The sockets of Signet's client sit in the program's own set. What is ready there is taken out
 * of what the program sees, the client moves on, and each handshake whose answer came becomes an event.
 *
 * The program's promises are kept: at most `maxevents` (what is over comes first the next time), no longer than its
 * timeout, 0 only when that has passed, and a signal ends the wait. Nothing here blocks but the wait itself. In any
 * other thread, or for any other set, and before the first signature, it is the real function.
 */
#include "drivers.h"
#include "jobs.h"
#include "loop.h"
#include "real.h"

#include <errno.h>
#include <limits.h>

#define NS_PER_MS UINT64_C(1000000)

static int wait_with_clients(int epfd, struct epoll_event *events, int maxevents, int timeout_ms);
static int wait_once(int epfd, struct epoll_event *events, int maxevents, uint64_t until_ns);
static int take_out_ours(struct epoll_event *events, int count);
static int ms_until(uint64_t when_ns);
static uint64_t earlier(uint64_t one_ns, uint64_t other_ns);

int epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout_ms) {
    if (!signet__loop_waits(epfd) || !signet__drivers_any() || maxevents <= 0)
        return signet__real_libc()->epoll_wait(epfd, events, maxevents, timeout_ms);
    return wait_with_clients(epfd, events, maxevents, timeout_ms);
}

static int wait_with_clients(int epfd, struct epoll_event *events, int maxevents, int timeout_ms) {
    uint64_t until_ns = timeout_ms < 0 ? SIGNET__NEVER : signet__now_ns() + (uint64_t)timeout_ms * NS_PER_MS;

    for (;;) {
        int count = wait_once(epfd, events, maxevents, until_ns);

        if (count != 0 || (until_ns != SIGNET__NEVER && signet__now_ns() >= until_ns))
            return count;
    }
}

/* 0: nothing for the program yet. */
static int wait_once(int epfd, struct epoll_event *events, int maxevents, uint64_t until_ns) {
    uint64_t due_ns = signet__drivers_watch(epfd);
    int delivered = signet__jobs_deliver(events, maxevents);
    int limit_ms = delivered > 0 ? 0 : ms_until(earlier(until_ns, due_ns));
    int count = 0, seen;

    if (delivered == maxevents)
        return delivered;
    seen = signet__real_libc()->epoll_wait(epfd, events + delivered, maxevents - delivered, limit_ms);
    if (seen < 0)
        return delivered > 0 ? delivered : seen;
    count = take_out_ours(events + delivered, seen);
    if (count < seen || (due_ns != SIGNET__NEVER && signet__now_ns() >= due_ns))
        signet__drivers_turn();
    count += delivered;
    return count + signet__jobs_deliver(events + count, maxevents - count);
}

static int take_out_ours(struct epoll_event *events, int count) {
    int kept = 0;

    for (int i = 0; i < count; i++)
        if (!signet__drivers_own(&events[i]))
            events[kept++] = events[i];
    return kept;
}

/* Rounded up, so that a wait is not a little too short over and over. */
static int ms_until(uint64_t when_ns) {
    uint64_t now_ns, ms;

    if (when_ns == SIGNET__NEVER)
        return -1;
    now_ns = signet__now_ns();
    ms = when_ns > now_ns ? (when_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS : 0;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

static uint64_t earlier(uint64_t one_ns, uint64_t other_ns) {
    return one_ns < other_ns ? one_ns : other_ns;
}
