/*
 * The sessions of this process, so that all can be taken away at once. A token that restarts is played in earnest: the
 * first call after the order closes every session in the real module (or logs out, for CKR_USER_NOT_LOGGED_IN), so
 * login, operations and handles are really gone; after that the old session handles answer what was ordered.
 *
 * Every function here is called with the lock of faulty.c held: for writing where it says so.
 */
#ifndef FAULTY_SESSIONS_H
#define FAULTY_SESSIONS_H

#include "call.h"

/* Begins to count here: what was ordered before this process came does not concern it. */
void sessions_start(void);
/* Whether sessions were revoked since this process last looked. */
bool sessions_are_behind(void);
/* Takes the sessions away. The lock is held for writing. */
void sessions_catch_up(void);
/* Whether the call's session is revoked; what it answers goes into call->rv. */
bool session_is_revoked(struct call *call);
/* Takes note of what a call that succeeded did to the sessions. */
void sessions_note(const struct call *call);
/* The slot of a session; false for one that is not known. */
bool session_slot(CK_SESSION_HANDLE session, CK_SLOT_ID *slot);
/* Calls `visit` once for each slot with a session of this process. */
void sessions_each_slot(void (*visit)(CK_SLOT_ID slot));

#endif
