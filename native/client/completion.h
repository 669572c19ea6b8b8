/* How a pending request ends, and who calls `done`. All with the lock of `shared` held unless said otherwise. */
#ifndef SIGNET_CLIENT_COMPLETION_H
#define SIGNET_CLIENT_COMPLETION_H

#include "pending.h"
#include "shared_connection.h"

/* Puts a new request at the end of `waiting`. */
void signet__completion_await(signet__shared *shared, signet_pending *pending);
/* The outcome is in `result`: this thread will call `done`, when it has given the lock back, by
 * signet__completion_call. */
void signet__completion_complete(signet__shared *shared, signet_pending *pending);
/* Takes a waiting request out, without a call. */
void signet__completion_withdraw(signet__shared *shared, signet_pending *pending);
/* Takes it off its lane, if it is on one. */
void signet__completion_detach(signet_pending *pending);
/* In the child of a fork: whatever was to be called is over without a call. */
void signet__completion_forget(signet__shared *shared);

/* Without the lock: calls `done` of what this thread has completed; other threads call their own. */
void signet__completion_call(signet__shared *shared);
/* Waits until `done` has returned, so that its argument may go away; unless it is `done` itself that asks. */
void signet__completion_await_call(signet_pending *pending);
/* Gives the lock back and frees the request, now or when its own callback has returned; and with the last one an ended
 * client. */
void signet__completion_release(signet_pending *pending);

#endif
