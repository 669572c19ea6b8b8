/* How a load of bench/ takes what it is told on its command line, and how it ends early. */
#ifndef BENCH_SETTINGS_H
#define BENCH_SETTINGS_H

/* A number of 0 to `max`; what is none ends the program with status 2, `wanted` and the text. */
double bench_number(const char *wanted, const char *text, double max);
/* Says `PROGRAM: what which` on stderr and exits: 1 it failed, 2 wrong usage. */
_Noreturn void bench_give_up(int status, const char *what, const char *which);

#endif
