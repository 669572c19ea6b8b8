#include "tally.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* src/cli/nginx-processes.ts reads it; little endian where that matters, as everywhere Signet is built. */
typedef struct {
    uint64_t paused;
} tally;

/* Without memory or descriptors nothing is counted, and it is tried once only. */
static tally *shared;
static int tried;

static tally *make(void);

void signet__tally_paused(void) {
    if (!tried)
        shared = make();
    tried = 1;
    if (shared != NULL)
        shared->paused++;
}

void signet__tally_forget(void) {
    if (shared != NULL)
        munmap(shared, sizeof *shared);
    shared = NULL;
    tried = 0;
}

static tally *make(void) {
    int saved_errno = errno;
    int fd = memfd_create(SIGNET__TALLY_NAME, MFD_CLOEXEC);
    void *memory = MAP_FAILED;

    if (fd >= 0 && ftruncate(fd, sizeof(tally)) == 0)
        memory = mmap(NULL, sizeof(tally), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    errno = saved_errno;
    return memory != MAP_FAILED ? memory : NULL;
}
