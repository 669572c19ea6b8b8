/*
 * The thread that reads the shared connections: one per process, started with the first request that nobody waits for,
 * all signals blocked. It only waits and gives each client its turn (signet__shared_turn); who drives the turns from an
 * event loop of its own needs no thread.
 */
#ifndef SIGNET_CLIENT_READER_H
#define SIGNET_CLIENT_READER_H

#include <stdbool.h>
#include <stdint.h>

/* Starts the thread unless it runs. False: the system gave none; errno says why. */
bool signet__reader_start(void);
/* Makes sure that it looks again by the deadline, or at once. */
void signet__reader_notice(uint64_t deadline_ns, bool at_once);
/* In the child of a fork: there is no thread. */
void signet__reader_forget(bool close_descriptors);

#endif
