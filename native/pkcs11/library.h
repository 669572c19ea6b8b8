/*
 * The module between C_Initialize and C_Finalize. One lock guards all of it; nobody holds it while a signature is made.
 * In the child of a fork everything is there as it was; C_Initialize begins anew there.
 */
#ifndef SIGNET_PKCS11_LIBRARY_H
#define SIGNET_PKCS11_LIBRARY_H

#include "cryptoki.h"
#include "object.h"
#include "session.h"
#include "signet_client.h"
#include "slot.h"
#include <stdatomic.h>
#include <sys/types.h>

/* The client outlives C_Finalize while somebody signs. */
typedef struct {
    signet_client *client;
    atomic_int references;
} signet__signer;

typedef struct {
    /* Who called C_Initialize. */
    pid_t pid;
    signet__signer *signer;
    signet__shelf shelf;
    signet__sessions sessions;
} signet__library;

/* CKR_OK: *library is locked until signet__leave. Otherwise CKR_CRYPTOKI_NOT_INITIALIZED. */
CK_RV signet__enter(signet__library **library);
/* The same, with the session, or CKR_SESSION_HANDLE_INVALID. */
CK_RV signet__enter_session(CK_SESSION_HANDLE handle, signet__library **library, signet__session **session);
/* Unlocks; gives back what it was given. */
CK_RV signet__leave(CK_RV rv);

signet__signer *signet__signer_retain(signet__signer *signer);
void signet__signer_release(signet__signer *signer);

/* Fills a field of PKCS#11: no NUL, blanks at the end. */
void signet__pad(CK_UTF8CHAR *field, size_t len, const char *text);

#define SIGNET__PAD(field, text) signet__pad(field, sizeof(field), text)

#endif
