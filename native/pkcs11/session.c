/* Sessions and logins. Any PIN is right: who may sign is decided by the service, which knows the process from the
 * kernel. */
#include "session.h"

#include "library.h"
#include <stdlib.h>
#include <string.h>

#define ROOM_AT_FIRST 16
/* A handle is the place in the table + 1, below a number that makes a reused place another session. */
#define PLACE_BITS 17

static CK_RV open_session(signet__sessions *sessions, CK_SLOT_ID slot, CK_FLAGS flags, CK_SESSION_HANDLE *handle);
static bool make_room(signet__sessions *sessions);
static size_t free_place(const signet__sessions *sessions);
static void close_session(signet__sessions *sessions, size_t place);
static size_t place_of(CK_SESSION_HANDLE handle);

CK_RV C_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify, CK_SESSION_HANDLE *handle) {
    signet__library *library;
    CK_RV rv;

    (void)application, (void)notify;
    if (handle == NULL)
        return CKR_ARGUMENTS_BAD;
    if (!(flags & CKF_SERIAL_SESSION))
        return CKR_SESSION_PARALLEL_NOT_SUPPORTED;
    rv = signet__enter(&library);
    if (rv != CKR_OK)
        return rv;
    if (slot >= SIGNET__SLOTS)
        return signet__leave(CKR_SLOT_ID_INVALID);
    signet__shelf_refresh(&library->shelf);
    return signet__leave(open_session(&library->sessions, slot, flags, handle));
}

CK_RV C_CloseSession(CK_SESSION_HANDLE handle) {
    signet__library *library;
    signet__session *session;
    CK_RV rv = signet__enter_session(handle, &library, &session);

    if (rv != CKR_OK)
        return rv;
    close_session(&library->sessions, place_of(handle));
    return signet__leave(CKR_OK);
}

CK_RV C_CloseAllSessions(CK_SLOT_ID slot) {
    signet__library *library;
    CK_RV rv = signet__enter(&library);

    if (rv != CKR_OK)
        return rv;
    if (slot >= SIGNET__SLOTS)
        return signet__leave(CKR_SLOT_ID_INVALID);
    signet__sessions_close_slot(&library->sessions, slot);
    return signet__leave(CKR_OK);
}

CK_RV C_GetSessionInfo(CK_SESSION_HANDLE handle, CK_SESSION_INFO *info) {
    signet__library *library;
    signet__session *session;
    CK_RV rv;

    if (info == NULL)
        return CKR_ARGUMENTS_BAD;
    rv = signet__enter_session(handle, &library, &session);
    if (rv != CKR_OK)
        return rv;
    memset(info, 0, sizeof *info);
    info->slotID = session->slot;
    info->flags = CKF_SERIAL_SESSION | (session->read_write ? CKF_RW_SESSION : 0);
    if (library->sessions.slots[session->slot].logged_in)
        info->state = session->read_write ? CKS_RW_USER_FUNCTIONS : CKS_RO_USER_FUNCTIONS;
    else
        info->state = session->read_write ? CKS_RW_PUBLIC_SESSION : CKS_RO_PUBLIC_SESSION;
    return signet__leave(CKR_OK);
}

CK_RV C_Login(CK_SESSION_HANDLE handle, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG pin_len) {
    signet__library *library;
    signet__session *session;
    CK_RV rv = signet__enter_session(handle, &library, &session);

    (void)pin, (void)pin_len;
    if (rv != CKR_OK)
        return rv;
    if (user == CKU_CONTEXT_SPECIFIC)
        return signet__leave(CKR_OPERATION_NOT_INITIALIZED);
    if (user != CKU_USER)
        return signet__leave(CKR_USER_TYPE_INVALID);
    if (library->sessions.slots[session->slot].logged_in)
        return signet__leave(CKR_USER_ALREADY_LOGGED_IN);
    library->sessions.slots[session->slot].logged_in = true;
    return signet__leave(CKR_OK);
}

CK_RV C_Logout(CK_SESSION_HANDLE handle) {
    signet__library *library;
    signet__session *session;
    CK_RV rv = signet__enter_session(handle, &library, &session);

    if (rv != CKR_OK)
        return rv;
    if (!library->sessions.slots[session->slot].logged_in)
        return signet__leave(CKR_USER_NOT_LOGGED_IN);
    library->sessions.slots[session->slot].logged_in = false;
    return signet__leave(CKR_OK);
}

/* PKCS#11 3.0: what is named and not under way is no error. */
CK_RV C_SessionCancel(CK_SESSION_HANDLE handle, CK_FLAGS flags) {
    signet__library *library;
    signet__session *session;
    CK_RV rv = signet__enter_session(handle, &library, &session);

    if (rv != CKR_OK)
        return rv;
    if (flags & CKF_SIGN) {
        signet__operation_free(session->signing);
        session->signing = NULL;
    }
    if (flags & CKF_DIGEST)
        session->digesting = false;
    return signet__leave(CKR_OK);
}

signet__session *signet__session_find(const signet__sessions *sessions, CK_SESSION_HANDLE handle) {
    size_t place = place_of(handle);
    signet__session *session = place < sessions->room ? sessions->open[place] : NULL;

    return session != NULL && session->handle == handle ? session : NULL;
}

void signet__session_end_finding(signet__session *session) {
    free(session->found);
    session->found = NULL;
    session->found_count = session->found_given = 0;
    session->finding = false;
}

void signet__sessions_close_slot(signet__sessions *sessions, CK_SLOT_ID slot) {
    for (size_t place = 0; place < sessions->room; place++)
        if (sessions->open[place] != NULL && sessions->open[place]->slot == slot)
            close_session(sessions, place);
}

void signet__sessions_close_all(signet__sessions *sessions) {
    for (CK_SLOT_ID slot = 0; slot < SIGNET__SLOTS; slot++)
        signet__sessions_close_slot(sessions, slot);
    free(sessions->open);
    sessions->open = NULL;
    sessions->room = 0;
}

static CK_RV open_session(signet__sessions *sessions, CK_SLOT_ID slot, CK_FLAGS flags, CK_SESSION_HANDLE *handle) {
    signet__session *session;
    size_t place;

    if (sessions->count == SIGNET__SESSIONS_MAX)
        return CKR_SESSION_COUNT;
    session = calloc(1, sizeof *session);
    if (session == NULL || !make_room(sessions)) {
        free(session);
        return CKR_HOST_MEMORY;
    }
    place = free_place(sessions);
    session->slot = slot;
    session->read_write = (flags & CKF_RW_SESSION) != 0;
    session->handle = sessions->opened_ever++ << PLACE_BITS | (place + 1);
    sessions->open[place] = session;
    sessions->count++;
    sessions->slots[slot].count++;
    sessions->slots[slot].read_write_count += session->read_write;
    *handle = session->handle;
    return CKR_OK;
}

static bool make_room(signet__sessions *sessions) {
    size_t room = sessions->room == 0 ? ROOM_AT_FIRST : sessions->room * 2;
    signet__session **open;

    if (sessions->count < sessions->room)
        return true;
    open = realloc(sessions->open, room * sizeof *open);
    if (open == NULL)
        return false;
    memset(open + sessions->room, 0, (room - sessions->room) * sizeof *open);
    sessions->open = open;
    sessions->room = room;
    return true;
}

static size_t free_place(const signet__sessions *sessions) {
    size_t place = 0;
    while (sessions->open[place] != NULL)
        place++;
    return place;
}

/* With the last session of a slot its login ends. */
static void close_session(signet__sessions *sessions, size_t place) {
    signet__session *session = sessions->open[place];

    sessions->open[place] = NULL;
    sessions->count--;
    sessions->slots[session->slot].read_write_count -= session->read_write;
    if (--sessions->slots[session->slot].count == 0)
        sessions->slots[session->slot].logged_in = false;
    signet__session_end_finding(session);
    signet__operation_free(session->signing);
    free(session);
}

/* Past every table for a handle that is none. */
static size_t place_of(CK_SESSION_HANDLE handle) {
    return (size_t)(handle & ((1UL << PLACE_BITS) - 1)) - 1;
}
