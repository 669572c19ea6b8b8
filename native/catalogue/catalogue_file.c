#include "catalogue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static signet__catalogue *read_open(int fd, struct stat *seen, const char **why);
static bool read_whole(int fd, unsigned char *bytes, size_t len);
static bool same_time(struct timespec a, struct timespec b);

signet__catalogue *signet__catalogue_read(const char *path, struct stat *seen, const char **why) {
    /* O_NONBLOCK: what is there may be a pipe. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    signet__catalogue *catalogue;

    memset(seen, 0, sizeof *seen);
    if (fd < 0) {
        *why = strerror(errno);
        return NULL;
    }
    catalogue = read_open(fd, seen, why);
    close(fd);
    return catalogue;
}

bool signet__catalogue_changed(const char *path, const struct stat *seen) {
    struct stat now;

    if (stat(path, &now) != 0)
        return seen->st_ino != 0;
    return now.st_dev != seen->st_dev || now.st_ino != seen->st_ino || now.st_size != seen->st_size ||
           !same_time(now.st_mtim, seen->st_mtim) || !same_time(now.st_ctim, seen->st_ctim);
}

static signet__catalogue *read_open(int fd, struct stat *seen, const char **why) {
    signet__catalogue *catalogue = NULL;
    unsigned char *bytes;
    size_t len;

    *why = "it is no regular file of at most 512 MiB";
    if (fstat(fd, seen) != 0 || !S_ISREG(seen->st_mode) || seen->st_size < 0 ||
        (size_t)seen->st_size > SIGNET__CATALOGUE_BYTES_MAX)
        return NULL;
    len = (size_t)seen->st_size;
    bytes = malloc(len + 1);
    *why = bytes == NULL ? "out of memory" : "it cannot be read";
    if (bytes != NULL && read_whole(fd, bytes, len))
        catalogue = signet__catalogue_parse(bytes, len, why);
    free(bytes);
    return catalogue;
}

static bool read_whole(int fd, unsigned char *bytes, size_t len) {
    while (len > 0) {
        ssize_t got = read(fd, bytes, len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        bytes += got;
        len -= (size_t)got;
    }
    return true;
}

static bool same_time(struct timespec a, struct timespec b) {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}
