/*
 * The one lock of the engine, over its settings, its catalogue and its client. It is held for moments: never while a
 * signature is made; and neither libcrypto nor the client is called with it, for they have locks of their own, and call
 * the engine or take them before a fork.
 */
#ifndef SIGNET_ENGINE_LOCK_H
#define SIGNET_ENGINE_LOCK_H

/* Once in a process, before the first use: a child must not find it taken by a thread that it does not have. */
void signet__lock_minds_forks(void);
void signet__lock(void);
void signet__unlock(void);

#endif
