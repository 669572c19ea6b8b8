/* C_FindObjects…: what a template finds is settled when the search begins. */
#include "attribute.h"
#include "library.h"
#include <stdlib.h>
#include <string.h>

#define ROOM_AT_FIRST 32

typedef struct {
    const CK_ATTRIBUTE *template;
    CK_ULONG count;
    signet__session *session;
    size_t room;
    bool out_of_memory;
} search;

static bool consider(void *context, const signet__object *object, CK_OBJECT_HANDLE handle);
static bool make_room(search *search);

CK_RV C_FindObjectsInit(CK_SESSION_HANDLE handle, CK_ATTRIBUTE *template, CK_ULONG count) {
    search search = {.template = template, .count = count};
    signet__library *library;
    CK_RV rv;

    if (template == NULL && count > 0)
        return CKR_ARGUMENTS_BAD;
    for (CK_ULONG i = 0; i < count; i++)
        if (template[i].pValue == NULL && template[i].ulValueLen > 0)
            return CKR_ARGUMENTS_BAD;
    rv = signet__enter_session(handle, &library, &search.session);
    if (rv != CKR_OK)
        return rv;
    if (search.session->finding)
        return signet__leave(CKR_OPERATION_ACTIVE);
    signet__shelf_refresh(&library->shelf);
    search.session->finding = true;
    signet__objects_each(&library->shelf, search.session->slot, consider, &search);
    if (search.out_of_memory)
        signet__session_end_finding(search.session);
    return signet__leave(search.out_of_memory ? CKR_HOST_MEMORY : CKR_OK);
}

CK_RV C_FindObjects(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE *objects, CK_ULONG objects_max, CK_ULONG *count) {
    signet__library *library;
    signet__session *session;
    size_t given;
    CK_RV rv;

    if (count == NULL || (objects == NULL && objects_max > 0))
        return CKR_ARGUMENTS_BAD;
    rv = signet__enter_session(handle, &library, &session);
    if (rv != CKR_OK)
        return rv;
    if (!session->finding)
        return signet__leave(CKR_OPERATION_NOT_INITIALIZED);
    given = session->found_count - session->found_given;
    if (given > objects_max)
        given = objects_max;
    if (given > 0)
        memcpy(objects, session->found + session->found_given, given * sizeof *objects);
    session->found_given += given;
    *count = given;
    return signet__leave(CKR_OK);
}

CK_RV C_FindObjectsFinal(CK_SESSION_HANDLE handle) {
    signet__library *library;
    signet__session *session;
    CK_RV rv = signet__enter_session(handle, &library, &session);

    if (rv != CKR_OK)
        return rv;
    if (!session->finding)
        return signet__leave(CKR_OPERATION_NOT_INITIALIZED);
    signet__session_end_finding(session);
    return signet__leave(CKR_OK);
}

static bool consider(void *context, const signet__object *object, CK_OBJECT_HANDLE handle) {
    search *search = context;

    if (!signet__object_matches(object, search->template, search->count))
        return true;
    if (!make_room(search)) {
        search->out_of_memory = true;
        return false;
    }
    search->session->found[search->session->found_count++] = handle;
    return true;
}

static bool make_room(search *search) {
    size_t room = search->room == 0 ? ROOM_AT_FIRST : search->room * 2;
    CK_OBJECT_HANDLE *found;

    if (search->session->found_count < search->room)
        return true;
    found = realloc(search->session->found, room * sizeof *found);
    if (found == NULL)
        return false;
    search->session->found = found;
    search->room = room;
    return true;
}
