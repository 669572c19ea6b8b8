/*
 * To sleep and be woken costs tens of microseconds, on virtual machines over a hundred (bench/floor/wake.c): as much as
 * a P-256 signature. So while messages follow each other closely, a process looks for the next one for a short while
 * before it sleeps. It gives way to whoever wants the processor between two looks (sched_yield(2)), and it stops
 * looking as soon as messages come too seldom for it to help: an idle service sleeps. So does one on a crowded machine:
 * there looking takes time from others, and from itself, since the scheduler favours who has slept.
 */
#define _GNU_SOURCE
#include "busy_poll.h"

#include "now.h"

#include <errno.h>
#include <sched.h>
#include <sys/socket.h>

#define CONFIDENCE_MIN 4
#define CONFIDENCE_MAX 16
/* Others wanted the processor if they had it for so long when it was given to them. */
#define CROWDED_NS 50000
#define RESTRAINT_MIN 16
#define RESTRAINT_MAX 4096

bool busy_poll_pays(const struct busy_poll_habit *habit) {
    return habit->confidence >= CONFIDENCE_MIN;
}

void busy_poll_learn(struct busy_poll_habit *habit, int64_t waited_ns) {
    const int now = habit->confidence;
    if (waited_ns <= habit->look_ns) {
        habit->confidence = now < CONFIDENCE_MAX ? now + 1 : now;
        if (busy_poll_pays(habit) && habit->restraint > RESTRAINT_MIN)
            habit->restraint--;
    } else if (now > 0) {
        habit->confidence = now > 2 ? now - 2 : 0;
    }
}

static void restrain(struct busy_poll_habit *habit) {
    const int restraint = habit->restraint < RESTRAINT_MIN ? RESTRAINT_MIN : habit->restraint;
    habit->confidence = -restraint;
    habit->restraint = restraint < RESTRAINT_MAX ? 2 * restraint : restraint;
}

bool busy_poll_give_way(struct busy_poll_habit *habit, int64_t *looked_ns, int64_t until_ns) {
    const int64_t gave_ns = *looked_ns;
    sched_yield();
    *looked_ns = now_ns();
    if (*looked_ns - gave_ns > CROWDED_NS)
        restrain(habit);
    return busy_poll_pays(habit) && *looked_ns < until_ns;
}

/* One such socket in a process: a signer's. */
static struct busy_poll_habit receive_habit;

/* -1 with errno EAGAIN if nothing has come while looking. */
static ssize_t look_and_receive(int fd, void *into, size_t length, int64_t begun_ns) {
    int64_t looked_ns = begun_ns;
    do {
        const ssize_t got = recv(fd, into, length, MSG_DONTWAIT);
        if (got >= 0 || errno != EAGAIN)
            return got;
    } while (busy_poll_give_way(&receive_habit, &looked_ns, begun_ns + receive_habit.look_ns));
    errno = EAGAIN;
    return -1;
}

ssize_t busy_poll_recv(int fd, void *into, size_t length, int64_t look_ns) {
    const int64_t begun_ns = now_ns();
    receive_habit.look_ns = look_ns;
    ssize_t got = -1;
    errno = EAGAIN;
    if (busy_poll_pays(&receive_habit))
        got = look_and_receive(fd, into, length, begun_ns);
    while (got < 0 && (errno == EAGAIN || errno == EINTR))
        got = recv(fd, into, length, 0);
    const int why = errno;
    busy_poll_learn(&receive_habit, now_ns() - begun_ns);
    errno = why;
    return got;
}
