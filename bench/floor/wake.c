/*
 * What this machine takes to wake a process: two processes and a Unix socket between them, no code of Signet's. One
 * asks, the other works as long as a P-256 signature and answers. Prints the median of what a round trip takes beyond
 * the work.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 3000
#define WORK_US 120
#define BYTES 150

static double now_us(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void answer_all(int fd) {
    char bytes[BYTES];

    while (read(fd, bytes, sizeof bytes) > 0) {
        for (double end = now_us() + WORK_US; now_us() < end;)
            ;
        if (write(fd, bytes, sizeof bytes) < 0)
            break;
    }
}

static int by_size(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

int main(void) {
    static double added[ROUNDS];
    char bytes[BYTES] = {0};
    int ends[2], i;
    pid_t child;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0 || (child = fork()) < 0)
        return perror("wake"), 1;
    if (child == 0) {
        close(ends[0]);
        answer_all(ends[1]);
        _exit(0);
    }
    close(ends[1]);
    for (i = 0; i < ROUNDS; i++) {
        double begun = now_us();

        if (write(ends[0], bytes, sizeof bytes) < 0 || read(ends[0], bytes, sizeof bytes) <= 0)
            return perror("wake"), 1;
        added[i] = now_us() - begun - WORK_US;
    }
    close(ends[0]);
    waitpid(child, NULL, 0);
    qsort(added, ROUNDS, sizeof *added, by_size);
    printf("%.1f\n", added[ROUNDS / 2]);
    return 0;
}
