#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "faulty2"

static struct state *map(int fd);
static struct state *complain(const char *path, const char *what);

struct state *state_create(const char *path) {
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return complain(path, strerror(errno));
    struct state *state = ftruncate(fd, sizeof(struct state)) == 0 ? map(fd) : NULL;
    if (!state)
        complain(path, strerror(errno));
    close(fd);
    if (!state)
        return NULL;
    state->size = sizeof(struct state);
    memcpy(state->magic, MAGIC, sizeof MAGIC);
    return state;
}

struct state *state_open(const char *path) {
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return complain(path, strerror(errno));
    struct stat info;
    bool whole = fstat(fd, &info) == 0 && (size_t)info.st_size == sizeof(struct state);
    struct state *state = whole ? map(fd) : NULL;
    close(fd);
    if (!state || memcmp(state->magic, MAGIC, sizeof MAGIC) != 0)
        return complain(path, "not a state file of this version; make one with `faultyctl FILE create`");
    return state;
}

static struct state *map(int fd) {
    void *at = mmap(NULL, sizeof(struct state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return at == MAP_FAILED ? NULL : at;
}

static struct state *complain(const char *path, const char *what) {
    fprintf(stderr, "faulty: %s: %s\n", path, what);
    return NULL;
}

static const char *const FUNCTION_NAMES[] = {
#define X(name, ...) #name,
#include "functions.def"
#undef X
};

int function_named(const char *name) {
    for (int i = 0; i < FN_COUNT; i++)
        if (strcmp(FUNCTION_NAMES[i], name) == 0)
            return i;
    return -1;
}

const char *function_name(int function) {
    return FUNCTION_NAMES[function];
}

static const struct {
    const char *name;
    uint64_t rv;
} CKR[] = {
#define X(name) {#name, name},
#include "ckr.def"
#undef X
};

const char *ckr_name(uint64_t rv) {
    for (size_t i = 0; i < sizeof CKR / sizeof *CKR; i++)
        if (CKR[i].rv == rv)
            return CKR[i].name;
    return NULL;
}

bool ckr_parse(const char *text, uint64_t *rv) {
    for (size_t i = 0; i < sizeof CKR / sizeof *CKR; i++) {
        if (strcmp(CKR[i].name, text) != 0)
            continue;
        *rv = CKR[i].rv;
        return true;
    }
    char *end;
    errno = 0;
    *rv = strtoull(text, &end, 0);
    return errno == 0 && end != text && *end == '\0';
}
