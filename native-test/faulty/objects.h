/*
 * Other keys than those that were meant. Handles pass through as the real module gives them until a token restart with
 * `permute` is ordered: from then on, among the objects of a kind (class, key type, curve or modulus length), each has
 * the handle that its neighbour had. So a handle kept over the restart names another key, as it may on a real token.
 *
 * Objects are looked at in a session of our own, so every function that says so needs the lock of faulty.c for writing.
 */
#ifndef FAULTY_OBJECTS_H
#define FAULTY_OBJECTS_H

#include "call.h"

/* Gives each object its neighbour's handle. The lock is held for writing, the sessions are still whole. */
void objects_permute(void);
/* Whether handles of the call name objects that have to be looked for first, with objects_find. */
bool objects_are_lost(const struct call *call);
/* Looks for objects whose handles are not known since the restart. The lock is held for writing. */
void objects_find(CK_SLOT_ID slot);
/* The caller's handles become the real module's, and the real module's the caller's. */
void objects_translate_in(struct call *call);
void objects_translate_found(const struct call *call);
/* A real handle of another key of the same kind; `key` itself if there is none. The lock is held for writing. */
CK_OBJECT_HANDLE object_like(CK_SLOT_ID slot, CK_OBJECT_HANDLE key);

#endif
