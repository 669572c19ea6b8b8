/* A SoftHSM token in a temporary folder, with a state file for the faulty module beside it. */
#ifndef SCRATCH_TOKEN_H
#define SCRATCH_TOKEN_H

#include <stdbool.h>

#define SCRATCH_PIN "87654321"

/*
 * Makes folder and token and sets SOFTHSM2_CONF, SIGNET_FAULTY_MODULE and SIGNET_FAULTY_STATE in the environment.
 * `control` is faultyctl. SIGNET_TEST_SOFTHSM names SoftHSM's module if it does not lie where Debian puts it. False: it
 * says why on stderr.
 */
bool scratch_token_make(const char *control);
void scratch_token_remove(void);
/* Runs faultyctl with this command, printf-like. False if it fails. */
__attribute__((format(printf, 1, 2))) bool scratch_order(const char *command, ...);

#endif
