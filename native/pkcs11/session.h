/* Sessions: what a program is in the middle of. */
#ifndef SIGNET_PKCS11_SESSION_H
#define SIGNET_PKCS11_SESSION_H

#include "cryptoki.h"
#include "hash.h"
#include "operation.h"
#include "slot.h"
#include <stdbool.h>
#include <stddef.h>

#define SIGNET__SESSIONS_MAX 65536

typedef struct {
    CK_SESSION_HANDLE handle;
    CK_SLOT_ID slot;
    bool read_write;
    /* Between C_FindObjectsInit and C_FindObjectsFinal. */
    bool finding;
    CK_OBJECT_HANDLE *found;
    size_t found_count, found_given;
    /* Between C_DigestInit and the digest; whether something came already. */
    bool digesting, digest_begun;
    signet__hashing digest;
    /* Between C_SignInit and the signature. */
    signet__operation *signing;
} signet__session;

typedef struct {
    signet__session **open;
    size_t room, count;
    CK_ULONG opened_ever;
    struct {
        size_t count, read_write_count;
        bool logged_in;
    } slots[SIGNET__SLOTS];
} signet__sessions;

/* NULL if it is not open. */
signet__session *signet__session_find(const signet__sessions *sessions, CK_SESSION_HANDLE handle);
void signet__session_end_finding(signet__session *session);
void signet__sessions_close_slot(signet__sessions *sessions, CK_SLOT_ID slot);
void signet__sessions_close_all(signet__sessions *sessions);

#endif
