/* What this process has done without waiting, for `signet doctor`: a page of shared memory by the name
 * SIGNET__TALLY_NAME, made with the first handshake that pauses, so that /proc/PID/maps tells whether the library is at
 * work. */
#ifndef SIGNET_ASYNC_TALLY_H
#define SIGNET_ASYNC_TALLY_H

#include <stdint.h>

#define SIGNET__TALLY_NAME "signet-async-at-work"

/* A handshake paused for its signature. */
void signet__tally_paused(void);
/* In the child of a fork: it has done nothing yet. */
void signet__tally_forget(void);

#endif
