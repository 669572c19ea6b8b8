/*
 * C_Digest…: SHA-2, computed here. Not for its own sake: Java makes RSA-PSS signatures only with a token that says it
 * knows the hash.
 */
#include "library.h"
#include "output.h"

static CK_RV end(signet__session *session, CK_BYTE *digest, CK_ULONG *len);

CK_RV C_DigestInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism) {
    signet__library *library;
    signet__session *session;
    signet__hash hash;
    CK_RV rv = signet__enter_session(handle, &library, &session);

    if (rv != CKR_OK)
        return rv;
    /* PKCS#11 3.0: without a mechanism it ends what was begun. */
    if (mechanism == NULL) {
        session->digesting = false;
        return signet__leave(CKR_OK);
    }
    if (session->digesting)
        return signet__leave(CKR_OPERATION_ACTIVE);
    hash = signet__hash_of_mechanism(mechanism->mechanism);
    if (hash == SIGNET__NO_HASH)
        return signet__leave(CKR_MECHANISM_INVALID);
    if (mechanism->ulParameterLen != 0)
        return signet__leave(CKR_MECHANISM_PARAM_INVALID);
    signet__hash_begin(&session->digest, hash);
    session->digesting = true;
    session->digest_begun = false;
    return signet__leave(CKR_OK);
}

CK_RV C_Digest(CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG data_len, CK_BYTE *digest, CK_ULONG *len) {
    signet__library *library;
    signet__session *session;
    bool goes_on;
    CK_RV rv = signet__enter_session(handle, &library, &session);

    if (rv != CKR_OK)
        return rv;
    if (!session->digesting)
        return signet__leave(CKR_OPERATION_NOT_INITIALIZED);
    if (session->digest_begun)
        return signet__leave(CKR_OPERATION_ACTIVE);
    rv = signet__check_room(digest, len, signet__hash_bytes(session->digest.hash), &goes_on);
    if (goes_on)
        return signet__leave(rv);
    session->digesting = false;
    if (rv == CKR_OK && data == NULL && data_len > 0)
        rv = CKR_ARGUMENTS_BAD;
    if (rv != CKR_OK)
        return signet__leave(rv);
    signet__hash_add(&session->digest, data, data_len);
    return signet__leave(end(session, digest, len));
}

CK_RV C_DigestUpdate(CK_SESSION_HANDLE handle, CK_BYTE *part, CK_ULONG part_len) {
    signet__library *library;
    signet__session *session;
    CK_RV rv = signet__enter_session(handle, &library, &session);

    if (rv != CKR_OK)
        return rv;
    if (!session->digesting)
        return signet__leave(CKR_OPERATION_NOT_INITIALIZED);
    session->digest_begun = true;
    session->digesting = part != NULL || part_len == 0;
    if (!session->digesting)
        return signet__leave(CKR_ARGUMENTS_BAD);
    signet__hash_add(&session->digest, part, part_len);
    return signet__leave(CKR_OK);
}

CK_RV C_DigestFinal(CK_SESSION_HANDLE handle, CK_BYTE *digest, CK_ULONG *len) {
    signet__library *library;
    signet__session *session;
    bool goes_on;
    CK_RV rv = signet__enter_session(handle, &library, &session);

    if (rv != CKR_OK)
        return rv;
    if (!session->digesting)
        return signet__leave(CKR_OPERATION_NOT_INITIALIZED);
    rv = signet__check_room(digest, len, signet__hash_bytes(session->digest.hash), &goes_on);
    session->digesting = goes_on;
    if (goes_on || rv != CKR_OK)
        return signet__leave(rv);
    return signet__leave(end(session, digest, len));
}

static CK_RV end(signet__session *session, CK_BYTE *digest, CK_ULONG *len) {
    signet__hash_end(&session->digest, digest);
    *len = signet__hash_bytes(session->digest.hash);
    session->digesting = false;
    return CKR_OK;
}
