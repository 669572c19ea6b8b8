#include "objects.h"
#include "sessions.h"

#include <stdlib.h>
#include <string.h>

#define OBJECTS_AT_ONCE 64
/* Longer values do not occur in the attributes that identify an object. */
#define ATTRIBUTE_BYTES_MAX 1024

struct object {
    uint64_t identity; /* hash of kind, CKA_ID and CKA_LABEL */
    uint64_t kind;     /* hash of class, key type, curve, length of the modulus */
    CK_OBJECT_HANDLE caller;
    CK_OBJECT_HANDLE real; /* 0: not found again since the last restart */
};

struct objects {
    struct object *list;
    size_t n, room;
};

/* What was permuted; empty until then. Changed under the lock for writing only. */
static struct objects permuted;

static struct objects survey(CK_SLOT_ID slot);
static void survey_slot(CK_SLOT_ID slot);
static void find_all(CK_SESSION_HANDLE session, struct objects *found);
static struct object look_at(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle);
static uint64_t hash_attribute(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_TYPE type,
                               uint64_t hash);
static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t n);
static void append(struct objects *to, struct object object);
static void rotate(struct objects *objects);
static struct object *by_caller(CK_OBJECT_HANDLE handle);
static struct object *by_real(CK_OBJECT_HANDLE handle);
static struct object *by_identity(uint64_t identity);

static struct objects surveyed;

void objects_permute(void) {
    surveyed = (struct objects){0};
    sessions_each_slot(survey_slot);
    for (size_t i = 0; i < surveyed.n; i++) {
        const struct object *known = by_identity(surveyed.list[i].identity);
        surveyed.list[i].caller = known ? known->caller : surveyed.list[i].real;
        surveyed.list[i].real = 0;
    }
    rotate(&surveyed);
    free(permuted.list);
    permuted = surveyed;
}

static void survey_slot(CK_SLOT_ID slot) {
    struct objects found = survey(slot);
    for (size_t i = 0; i < found.n; i++)
        append(&surveyed, found.list[i]);
    free(found.list);
}

/* Within each kind the handles move on by one, and the last gets the first one's. */
static void rotate(struct objects *objects) {
    for (size_t i = 0; i < objects->n; i++) {
        for (size_t j = i + 1; j < objects->n; j++) {
            if (objects->list[j].kind != objects->list[i].kind)
                continue;
            CK_OBJECT_HANDLE caller = objects->list[j].caller;
            objects->list[j].caller = objects->list[i].caller;
            objects->list[i].caller = caller;
            break;
        }
    }
}

bool objects_are_lost(const struct call *call) {
    for (size_t i = 0; permuted.n > 0 && i < 2; i++) {
        const struct object *object = call->in[i] ? by_caller(*call->in[i]) : NULL;
        if (object && object->real == 0)
            return true;
    }
    /* What C_FindObjects gives has to be known before, since then the real module has a search under way. */
    for (size_t i = 0; call->found && i < permuted.n; i++)
        if (permuted.list[i].real == 0)
            return true;
    return false;
}

void objects_find(CK_SLOT_ID slot) {
    struct objects found = survey(slot);
    for (size_t i = 0; i < found.n; i++) {
        struct object *object = by_identity(found.list[i].identity);
        if (object)
            object->real = found.list[i].real;
    }
    free(found.list);
}

void objects_translate_in(struct call *call) {
    for (size_t i = 0; permuted.n > 0 && i < 2; i++) {
        const struct object *object = call->in[i] ? by_caller(*call->in[i]) : NULL;
        if (object)
            *call->in[i] = object->real;
    }
}

void objects_translate_found(const struct call *call) {
    for (CK_ULONG i = 0; permuted.n > 0 && i < *call->found_n; i++) {
        const struct object *object = by_real(call->found[i]);
        if (object)
            call->found[i] = object->caller;
    }
}

CK_OBJECT_HANDLE object_like(CK_SLOT_ID slot, CK_OBJECT_HANDLE key) {
    struct objects found = survey(slot);
    CK_OBJECT_HANDLE other = key;
    uint64_t kind = 0;
    for (size_t i = 0; i < found.n; i++)
        if (found.list[i].real == key)
            kind = found.list[i].kind;
    for (size_t i = 0; i < found.n; i++)
        if (found.list[i].kind == kind && found.list[i].real != key)
            other = found.list[i].real;
    free(found.list);
    return other;
}

/* Everything that a session of this slot sees now. The caller frees the list. */
static struct objects survey(CK_SLOT_ID slot) {
    struct objects found = {0};
    CK_SESSION_HANDLE session;
    if (real->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session) != CKR_OK)
        return found;
    find_all(session, &found);
    for (size_t i = 0; i < found.n; i++)
        found.list[i] = look_at(session, found.list[i].real);
    real->C_CloseSession(session);
    return found;
}

static void find_all(CK_SESSION_HANDLE session, struct objects *found) {
    CK_OBJECT_HANDLE handles[OBJECTS_AT_ONCE];
    CK_ULONG n = 0;
    if (real->C_FindObjectsInit(session, NULL, 0) != CKR_OK)
        return;
    while (real->C_FindObjects(session, handles, OBJECTS_AT_ONCE, &n) == CKR_OK && n > 0)
        for (CK_ULONG i = 0; i < n; i++)
            append(found, (struct object){.real = handles[i]});
    real->C_FindObjectsFinal(session);
}

static struct object look_at(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle) {
    static const CK_ATTRIBUTE_TYPE kind_types[] = {CKA_CLASS, CKA_KEY_TYPE, CKA_EC_PARAMS};
    struct object object = {.real = handle, .kind = 14695981039346656037u};
    for (size_t i = 0; i < sizeof kind_types / sizeof *kind_types; i++)
        object.kind = hash_attribute(session, handle, kind_types[i], object.kind);
    CK_ATTRIBUTE modulus = {.type = CKA_MODULUS};
    if (real->C_GetAttributeValue(session, handle, &modulus, 1) == CKR_OK)
        object.kind = hash_bytes(object.kind, &modulus.ulValueLen, sizeof modulus.ulValueLen);
    object.identity = hash_attribute(session, handle, CKA_ID, object.kind);
    object.identity = hash_attribute(session, handle, CKA_LABEL, object.identity);
    return object;
}

/* A value that the object does not have adds its type only. */
static uint64_t hash_attribute(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_TYPE type,
                               uint64_t hash) {
    unsigned char value[ATTRIBUTE_BYTES_MAX];
    CK_ATTRIBUTE attribute = {.type = type, .pValue = value, .ulValueLen = sizeof value};
    hash = hash_bytes(hash, &type, sizeof type);
    if (real->C_GetAttributeValue(session, handle, &attribute, 1) != CKR_OK || attribute.ulValueLen > sizeof value)
        return hash;
    return hash_bytes(hash, value, attribute.ulValueLen);
}

/* FNV-1a. */
static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t n) {
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * 1099511628211u;
    return hash;
}

static void append(struct objects *to, struct object object) {
    if (to->n == to->room) {
        to->room = to->room ? 2 * to->room : OBJECTS_AT_ONCE;
        to->list = realloc(to->list, to->room * sizeof *to->list);
        if (!to->list)
            abort();
    }
    to->list[to->n++] = object;
}

static struct object *by_caller(CK_OBJECT_HANDLE handle) {
    for (size_t i = 0; i < permuted.n; i++)
        if (permuted.list[i].caller == handle)
            return &permuted.list[i];
    return NULL;
}

static struct object *by_real(CK_OBJECT_HANDLE handle) {
    for (size_t i = 0; i < permuted.n; i++)
        if (permuted.list[i].real == handle && handle != 0)
            return &permuted.list[i];
    return NULL;
}

static struct object *by_identity(uint64_t identity) {
    for (size_t i = 0; i < permuted.n; i++)
        if (permuted.list[i].identity == identity)
            return &permuted.list[i];
    return NULL;
}
