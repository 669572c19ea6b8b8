/* The fake service as a program, to see what the client library alone costs: fake_service PATH, until its stdin ends.
 */
#include "fake_service.h"

#include <stdio.h>

int main(int argc, char **argv) {
    fake_service *service;

    if (argc != 2) {
        fprintf(stderr, "usage: fake_service PATH\n");
        return 2;
    }
    service = fake_start(argv[1], (fake_options){0});
    while (getchar() != EOF)
        ;
    fake_stop(service);
    return 0;
}
