/*
 * Interposed: epoll_ctl. It does what it did; the library remembers what was registered, which is the data that an
 * event for this descriptor has to carry. The memory belongs to the thread of the loop: no other thread is let at it.
 */
#include "loop.h"
#include "real.h"

#include <errno.h>

int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event) {
    int result = signet__real_libc()->epoll_ctl(epfd, op, fd, event);
    int saved_errno = errno;

    if (result == 0)
        signet__loop_note(epfd, op, fd, event);
    errno = saved_errno;
    return result;
}
