#include "samples.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define ROOM_AT_FIRST 4096
/* Points of the curve in each power of ten. */
#define POINTS_PER_DECADE 4

static int compare(const void *left, const void *right);

void samples_add(samples *samples, uint64_t ns) {
    if (samples->count == samples->room) {
        samples->room = samples->room ? 2 * samples->room : ROOM_AT_FIRST;
        samples->ns = realloc(samples->ns, samples->room * sizeof *samples->ns);
        if (!samples->ns) {
            fputs("no memory for the latencies\n", stderr);
            exit(1);
        }
    }
    samples->ns[samples->count++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

void samples_sort(samples *samples) {
    if (samples->count > 0)
        qsort(samples->ns, samples->count, sizeof *samples->ns, compare);
}

static int compare(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

    return (a > b) - (a < b);
}

double samples_quantile_us(const samples *samples, double quantile) {
    if (samples->count == 0)
        return 0;
    return samples->ns[(size_t)(quantile * (double)(samples->count - 1) + 0.5)] / 1000.0;
}

void samples_print(const samples *samples) {
    int point;
    double beyond = 1;

    printf("\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f,\"curve\":[",
           samples_quantile_us(samples, 0.5), samples_quantile_us(samples, 0.9), samples_quantile_us(samples, 0.99),
           samples_quantile_us(samples, 0.999), samples_quantile_us(samples, 1));
    for (point = 0; beyond <= (double)samples->count; beyond = pow(10, (double)++point / POINTS_PER_DECADE))
        printf("%s[%.2f,%.1f]", point > 0 ? "," : "", beyond, samples_quantile_us(samples, 1 - 1 / beyond));
    printf("]");
}

uint64_t bench_now_ns(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

double bench_cpu_us(void) {
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}
