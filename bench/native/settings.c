#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

double bench_number(const char *wanted, const char *text, double max) {
    char *end;
    double value = strtod(text, &end);

    if (*text == '\0' || *end != '\0' || !(value >= 0 && value <= max))
        bench_give_up(2, wanted, text);
    return value;
}

void bench_give_up(int status, const char *what, const char *which) {
    fprintf(stderr, "%s: %s %s\n", program_invocation_short_name, what, which);
    exit(status);
}
