/* Latencies of a measurement, and what is said of them: part of the line of JSON that every program of bench/ prints.
 */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    /* Nanoseconds; what takes longer than 4.29 s counts as that. */
    uint32_t *ns;
    size_t count;
    size_t room;
} samples;

/* Ends the program when memory runs out. */
void samples_add(samples *samples, uint64_t ns);
/* For the printers below. */
void samples_sort(samples *samples);
/* Of sorted samples; 0 when there are none. */
double samples_quantile_us(const samples *samples, double quantile);
/* `"p50_us":…,"p90_us":…,"p99_us":…,"p999_us":…,"max_us":…,"curve":[[1/(1-q), microseconds],…]`: the curve goes as far
 * as one sample lies beyond it. */
void samples_print(const samples *samples);

/* CLOCK_MONOTONIC. */
uint64_t bench_now_ns(void);
/* Of this process so far, user and system. */
double bench_cpu_us(void);

#endif
