/*
 * Interposed: makecontext. libcrypto gives an ASYNC_JOB a stack of 32 KiB without a guard page; handshake callbacks of
 * a web server need more (the JIT of PCRE takes 32 KiB by itself), and what overflows it writes over the heap. While a
 * handshake of ours runs, and libcrypto calls this for its job, the context gets a bigger stack with a guard page; what
 * libcrypto allocated stays in `uc_stack`, for libcrypto to free.
 *
 * A stack belongs to the address of libcrypto's own. libcrypto keeps its jobs for the next handshake until their thread
 * ends and never makes a context twice on one stack that is in use, so a stack that comes by the same address is free.
 * There are as many as there were handshakes at once, and only touched pages count.
 */
#include "handshake.h"
#include "real.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define STACK_BYTES ((size_t)256 * 1024)
/* A power of two. */
#define BUCKETS 1024
/* Arguments of a context that is not ours; they are ints, or what fits into a register. */
#define ARGUMENTS_MAX 12

typedef struct stack {
    struct stack *next;
    const void *instead_of;
    void *bytes;
} stack;

static stack *stacks[BUCKETS];

static stack *stack_instead_of(const void *address);
static void *map_stack(void);

void makecontext(ucontext_t *context, void (*function)(void), int count, ...) {
    stack_t given = context->uc_stack;
    long a[ARGUMENTS_MAX] = {0};
    stack *bigger = NULL;
    va_list arguments;

    va_start(arguments, count);
    for (int i = 0; i < count && i < ARGUMENTS_MAX; i++)
        a[i] = va_arg(arguments, long);
    va_end(arguments);
    if (signet__handshake_runs() && count == 0 && given.ss_size < STACK_BYTES)
        bigger = stack_instead_of(given.ss_sp);
    if (bigger != NULL) {
        context->uc_stack.ss_sp = bigger->bytes;
        context->uc_stack.ss_size = STACK_BYTES;
    }
    signet__real_libc()->makecontext(context, function, count, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8],
                                     a[9], a[10], a[11]);
    context->uc_stack = given;
}

/* NULL: out of memory; the given one has to do. */
static stack *stack_instead_of(const void *address) {
    stack **bucket = &stacks[((uintptr_t)address >> 4 ^ (uintptr_t)address >> 15) & (BUCKETS - 1)];
    stack *found;

    for (found = *bucket; found != NULL; found = found->next)
        if (found->instead_of == address)
            return found;
    found = malloc(sizeof *found);
    if (found == NULL)
        return NULL;
    *found = (stack){.next = *bucket, .instead_of = address, .bytes = map_stack()};
    if (found->bytes == NULL) {
        free(found);
        return NULL;
    }
    *bucket = found;
    return found;
}

/* The lowest page is the guard. */
static void *map_stack(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *bytes = mmap(NULL, page + STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);

    if (bytes == MAP_FAILED)
        return NULL;
    if (mprotect(bytes, page, PROT_NONE) == 0)
        return bytes + page;
    munmap(bytes, page + STACK_BYTES);
    return NULL;
}
