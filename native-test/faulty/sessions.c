#include "sessions.h"
#include "objects.h"

#include <pthread.h>
#include <stdlib.h>

struct session {
    CK_SESSION_HANDLE handle;
    CK_SLOT_ID slot;
    bool is_revoked;
};

/* Guards the table among threads that hold the lock of faulty.c for reading. */
static pthread_mutex_t table_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct session *table;
static size_t table_n, table_room;

static uint32_t generation_seen;
static uint32_t permutations_seen;
static CK_RV revoked_rv;
static bool any_is_revoked;
static _Atomic bool is_logged_out;

static void add(CK_SESSION_HANDLE handle, CK_SLOT_ID slot);
static struct session *find(CK_SESSION_HANDLE handle);
static void drop(bool (*is_gone)(const struct session *, CK_ULONG), CK_ULONG which);
static bool has_handle(const struct session *session, CK_ULONG handle);
static bool has_slot(const struct session *session, CK_ULONG slot);
static bool is_any(const struct session *session, CK_ULONG unused);
static void close_all(CK_SLOT_ID slot);
static void log_out(CK_SLOT_ID slot);

void sessions_start(void) {
    generation_seen = atomic_load(&state->generation);
    permutations_seen = atomic_load(&state->permutations);
}

bool sessions_are_behind(void) {
    return atomic_load(&state->generation) != generation_seen;
}

void sessions_catch_up(void) {
    if (!sessions_are_behind())
        return; /* another thread was here first */
    generation_seen = atomic_load(&state->generation);
    revoked_rv = (CK_RV)atomic_load(&state->revoke_rv);
    uint32_t permutations = atomic_load(&state->permutations);
    if (permutations != permutations_seen)
        objects_permute();
    permutations_seen = permutations;
    if (revoked_rv == CKR_USER_NOT_LOGGED_IN) {
        sessions_each_slot(log_out);
        atomic_store(&is_logged_out, true);
        return;
    }
    sessions_each_slot(close_all);
    for (size_t i = 0; i < table_n; i++)
        any_is_revoked = table[i].is_revoked = true;
}

bool session_is_revoked(struct call *call) {
    if (call->needs_login && atomic_load(&is_logged_out)) {
        call->rv = CKR_USER_NOT_LOGGED_IN;
        return true;
    }
    if (!any_is_revoked || call->session == 0)
        return false;
    pthread_mutex_lock(&table_mutex);
    const struct session *session = find(call->session);
    bool is_revoked = session && session->is_revoked;
    pthread_mutex_unlock(&table_mutex);
    if (is_revoked)
        call->rv = revoked_rv;
    return is_revoked;
}

void sessions_note(const struct call *call) {
    pthread_mutex_lock(&table_mutex);
    if (call->function == FN_C_OpenSession)
        add(*call->opened, call->slot);
    else if (call->function == FN_C_CloseSession)
        drop(has_handle, call->session);
    else if (call->function == FN_C_CloseAllSessions)
        drop(has_slot, call->slot);
    else if (call->function == FN_C_Finalize)
        drop(is_any, 0);
    else if (call->function == FN_C_Login)
        atomic_store(&is_logged_out, false);
    pthread_mutex_unlock(&table_mutex);
}

bool session_slot(CK_SESSION_HANDLE handle, CK_SLOT_ID *slot) {
    const struct session *session = find(handle);
    if (session)
        *slot = session->slot;
    return session != NULL;
}

void sessions_each_slot(void (*visit)(CK_SLOT_ID slot)) {
    for (size_t i = 0; i < table_n; i++) {
        bool is_first = !table[i].is_revoked;
        for (size_t j = 0; j < i && is_first; j++)
            is_first = table[j].is_revoked || table[j].slot != table[i].slot;
        if (is_first)
            visit(table[i].slot);
    }
}

static void add(CK_SESSION_HANDLE handle, CK_SLOT_ID slot) {
    /* A module may give a handle again that was revoked: it means the new session from now on. */
    drop(has_handle, handle);
    if (table_n == table_room) {
        table_room = table_room ? 2 * table_room : 16;
        table = realloc(table, table_room * sizeof *table);
        if (!table)
            abort();
    }
    table[table_n++] = (struct session){.handle = handle, .slot = slot};
}

static struct session *find(CK_SESSION_HANDLE handle) {
    for (size_t i = 0; i < table_n; i++)
        if (table[i].handle == handle)
            return &table[i];
    return NULL;
}

static void drop(bool (*is_gone)(const struct session *, CK_ULONG), CK_ULONG which) {
    size_t kept = 0;
    for (size_t i = 0; i < table_n; i++)
        if (!is_gone(&table[i], which))
            table[kept++] = table[i];
    table_n = kept;
}

static bool has_handle(const struct session *session, CK_ULONG handle) {
    return session->handle == handle;
}

/* Revoked ones stay: they go on answering what was ordered. */
static bool has_slot(const struct session *session, CK_ULONG slot) {
    return session->slot == slot && !session->is_revoked;
}

static bool is_any(const struct session *session, CK_ULONG unused) {
    (void)session, (void)unused;
    return true;
}

static void close_all(CK_SLOT_ID slot) {
    real->C_CloseAllSessions(slot);
}

static void log_out(CK_SLOT_ID slot) {
    for (size_t i = 0; i < table_n; i++) {
        if (table[i].slot != slot || table[i].is_revoked)
            continue;
        real->C_Logout(table[i].handle);
        return;
    }
}
