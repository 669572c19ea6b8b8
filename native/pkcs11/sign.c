/* C_Sign…. An operation is taken out of its session before the service is asked, so that nobody waits for that with the
 * lock. */
#include "library.h"
#include "output.h"

/* Where a signature goes, as PKCS#11 asks for it. */
typedef struct {
    CK_BYTE *bytes;
    CK_ULONG *len;
} destination;

static CK_RV begin_last(CK_SESSION_HANDLE handle, destination to, bool whole, signet__operation **operation,
                        signet__signer **signer);
static CK_RV finish(signet__operation *operation, signet__signer *signer, destination to, CK_RV so_far);

CK_RV C_SignInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key) {
    signet__library *library;
    signet__session *session;
    signet__object object;
    CK_RV rv = signet__enter_session(handle, &library, &session);

    if (rv != CKR_OK)
        return rv;
    /* PKCS#11 3.0: without a mechanism it ends what was begun. */
    if (mechanism == NULL) {
        signet__operation_free(session->signing);
        session->signing = NULL;
        return signet__leave(CKR_OK);
    }
    if (session->signing != NULL)
        return signet__leave(CKR_OPERATION_ACTIVE);
    if (!signet__object_find(&library->shelf, session->slot, key, &object))
        return signet__leave(CKR_KEY_HANDLE_INVALID);
    if (object.class != SIGNET__PRIVATE_KEY)
        return signet__leave(CKR_KEY_TYPE_INCONSISTENT);
    return signet__leave(signet__operation_new(mechanism, object.key, &session->signing));
}

CK_RV C_Sign(CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG data_len, CK_BYTE *signature, CK_ULONG *signature_len) {
    destination to = {signature, signature_len};
    signet__operation *operation;
    signet__signer *signer;
    CK_RV rv = begin_last(handle, to, true, &operation, &signer);

    if (rv != CKR_OK || operation == NULL)
        return rv;
    rv = data == NULL && data_len > 0 ? CKR_ARGUMENTS_BAD : signet__operation_add(operation, data, data_len);
    return finish(operation, signer, to, rv);
}

CK_RV C_SignUpdate(CK_SESSION_HANDLE handle, CK_BYTE *part, CK_ULONG part_len) {
    signet__library *library;
    signet__session *session;
    CK_RV rv = signet__enter_session(handle, &library, &session);

    if (rv != CKR_OK)
        return rv;
    if (session->signing == NULL)
        return signet__leave(CKR_OPERATION_NOT_INITIALIZED);
    rv = part == NULL && part_len > 0 ? CKR_ARGUMENTS_BAD : signet__operation_add(session->signing, part, part_len);
    if (rv != CKR_OK) {
        signet__operation_free(session->signing);
        session->signing = NULL;
    }
    return signet__leave(rv);
}

CK_RV C_SignFinal(CK_SESSION_HANDLE handle, CK_BYTE *signature, CK_ULONG *signature_len) {
    destination to = {signature, signature_len};
    signet__operation *operation;
    signet__signer *signer;
    CK_RV rv = begin_last(handle, to, false, &operation, &signer);

    if (rv != CKR_OK || operation == NULL)
        return rv;
    return finish(operation, signer, to, CKR_OK);
}

/* CKR_OK with an operation: it is the caller's now. CKR_OK without: only the length was asked for. */
static CK_RV begin_last(CK_SESSION_HANDLE handle, destination to, bool whole, signet__operation **operation,
                        signet__signer **signer) {
    signet__library *library;
    signet__session *session;
    bool goes_on = true;
    CK_RV rv = signet__enter_session(handle, &library, &session);

    *operation = NULL;
    if (rv != CKR_OK)
        return rv;
    if (session->signing == NULL)
        return signet__leave(CKR_OPERATION_NOT_INITIALIZED);
    if (whole && signet__operation_begun(session->signing))
        return signet__leave(CKR_OPERATION_ACTIVE);
    rv = signet__check_room(to.bytes, to.len, signet__operation_signature_bytes(session->signing), &goes_on);
    if (goes_on)
        return signet__leave(rv);
    *operation = session->signing;
    session->signing = NULL;
    if (rv != CKR_OK) {
        signet__operation_free(*operation);
        *operation = NULL;
    } else
        *signer = signet__signer_retain(library->signer);
    return signet__leave(rv);
}

static CK_RV finish(signet__operation *operation, signet__signer *signer, destination to, CK_RV so_far) {
    CK_RV rv = so_far;

    if (rv == CKR_OK)
        rv = signet__operation_finish(operation, signer->client, to.bytes);
    if (rv == CKR_OK)
        *to.len = signet__operation_signature_bytes(operation);
    signet__operation_free(operation);
    signet__signer_release(signer);
    return rv;
}
