#include "socket_list.h"

#include "deadline.h"
#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static bool add_path(signet__socket_list *list, const char *path, size_t length);
static int try_each(const signet__socket_list *list, size_t avoid, size_t *index, size_t *full,
                    signet_sign_result *result);
static int wait_for_place(const char *path, uint64_t deadline_ns);
static int connect_to(const char *path, int flags, uint64_t deadline_ns);
static int open_socket(int flags);
static int connect_or_give_up(int fd, const struct sockaddr_un *address, uint64_t deadline_ns);
static void set_send_timeout(int fd, uint64_t deadline_ns);
static void add_failure(signet_sign_result *result, const char *path, int error);

bool signet__socket_list_parse(signet__socket_list *list, const char *text) {
    list->count = 0;
    while (*text != '\0') {
        size_t length = strcspn(text, ":");

        if (length > 0 && !add_path(list, text, length))
            return false;
        text += length;
        text += *text == ':';
    }
    return list->count > 0;
}

int signet__socket_list_connect(const signet__socket_list *list, size_t avoid, uint64_t deadline_ns, size_t *index,
                                signet_sign_result *result) {
    size_t full = SIGNET__NO_SOCKET;
    int fd;

    signet__fail(result, SIGNET_UNREACHABLE, NULL, "cannot connect: ");
    fd = try_each(list, avoid, index, &full, result);
    if (fd >= 0 || full == SIGNET__NO_SOCKET)
        return fd;
    result->status = SIGNET_BUSY;
    if (deadline_ns == SIGNET__DO_NOT_WAIT)
        return -1;
    *index = full;
    return wait_for_place(list->path[full], deadline_ns);
}

static bool add_path(signet__socket_list *list, const char *path, size_t length) {
    if (list->count == SIGNET_SOCKETS_MAX || length >= SIGNET_SOCKET_PATH_BYTES_MAX)
        return false;
    memcpy(list->path[list->count], path, length);
    list->path[list->count][length] = '\0';
    list->count++;
    return true;
}

static int try_each(const signet__socket_list *list, size_t avoid, size_t *index, size_t *full,
                    signet_sign_result *result) {
    for (*index = 0; *index < list->count; (*index)++) {
        int fd;

        if (*index == avoid)
            continue;
        fd = connect_to(list->path[*index], SOCK_NONBLOCK, SIGNET__DO_NOT_WAIT);
        if (fd >= 0)
            return fd;
        if (errno == EAGAIN && *full == SIGNET__NO_SOCKET)
            *full = *index;
        add_failure(result, list->path[*index], errno);
    }
    return -1;
}

/* A listen queue that is full empties when the service gets to it: unix(7) blocks a connect so long, and SO_SNDTIMEO
 * bounds it. */
static int wait_for_place(const char *path, uint64_t deadline_ns) {
    return connect_to(path, 0, deadline_ns);
}

static int connect_to(const char *path, int flags, uint64_t deadline_ns) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = open_socket(flags);

    if (fd < 0)
        return -1;
    strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    if (connect_or_give_up(fd, &address, deadline_ns) < 0) {
        int error = errno;

        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* Not as one of the standard streams of a program that closed its own: what it prints would reach the service. */
static int open_socket(int flags) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    int moved;

    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    close(fd);
    return moved;
}

static int connect_or_give_up(int fd, const struct sockaddr_un *address, uint64_t deadline_ns) {
    int outcome;

    do {
        if (deadline_ns != SIGNET__DO_NOT_WAIT)
            set_send_timeout(fd, deadline_ns);
        outcome = connect(fd, (const struct sockaddr *)address, sizeof(*address));
    } while (outcome < 0 && errno == EINTR &&
             (deadline_ns == SIGNET__DO_NOT_WAIT || signet__remaining_us(deadline_ns) > 0));
    return outcome;
}

static void set_send_timeout(int fd, uint64_t deadline_ns) {
    uint32_t us = signet__remaining_us(deadline_ns);
    /* 0 would mean for ever. */
    struct timeval timeout = {.tv_sec = us / 1000000, .tv_usec = us > 0 ? us % 1000000 : 1};

    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
}

static void add_failure(signet_sign_result *result, const char *path, int error) {
    static const char INTRODUCTION[] = "cannot connect: ";
    const char *separator = strcmp(result->reason, INTRODUCTION) == 0 ? "" : "; ";
    char text[64];

    signet__add_reason(result, "%s%s: %s", separator, path,
                       error == EAGAIN ? "its listen queue is full" : signet__error_text(error, text, sizeof(text)));
}
