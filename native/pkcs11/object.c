#include "object.h"

#include "settings.h"
#include "slot.h"
#include <stdlib.h>
#include <string.h>

/* A handle is the key's number, then what of the key it is: 1 private, 2 public, from 3 on certificates. */
#define KIND_BITS 4
#define KIND_MASK ((1UL << KIND_BITS) - 1)
#define KIND_PRIVATE 1
#define KIND_PUBLIC 2
#define KIND_CERTIFICATE 3
_Static_assert(KIND_CERTIFICATE + SIGNET__CERTIFICATES_MAX - 1 <= KIND_MASK, "every certificate has a kind");

static bool number_keys(signet__shelf *next, const signet__shelf *before);
static CK_ULONG number_of(const signet__shelf *before, const unsigned char *spki_sha256, size_t *at);
static int compare_numbers(const void *a, const void *b);
static bool object_of(const signet__catalogue_key *key, CK_ULONG kind, signet__object *object);

void signet__shelf_init(signet__shelf *shelf, const char *path) {
    *shelf = (signet__shelf){.path = path};
}

void signet__shelf_refresh(signet__shelf *shelf) {
    signet__shelf next = {.path = shelf->path, .numbers_given = shelf->numbers_given};
    const char *why = NULL;

    if (!signet__catalogue_changed(shelf->path, &shelf->seen))
        return;
    next.catalogue = signet__catalogue_read(shelf->path, &next.seen, &why);
    if (next.catalogue != NULL && number_keys(&next, shelf)) {
        signet__shelf_clear(shelf);
        *shelf = next;
        return;
    }
    /* Not read again until it changes. */
    shelf->seen = next.seen;
    signet__tell("the catalogue %s is not used: %s", shelf->path, why != NULL ? why : "out of memory");
    signet__shelf_clear(&next);
}

void signet__shelf_clear(signet__shelf *shelf) {
    signet__catalogue_free(shelf->catalogue);
    free(shelf->numbers);
    free(shelf->by_number);
    signet__shelf_init(shelf, shelf->path);
}

bool signet__object_find(const signet__shelf *shelf, CK_SLOT_ID slot, CK_OBJECT_HANDLE handle, signet__object *object) {
    struct signet__numbered wanted = {.number = handle >> KIND_BITS}, *found;

    if (shelf->catalogue == NULL || shelf->catalogue->count == 0)
        return false;
    found = bsearch(&wanted, shelf->by_number, shelf->catalogue->count, sizeof wanted, compare_numbers);
    return found != NULL && object_of(&shelf->catalogue->keys[found->index], handle & KIND_MASK, object) &&
           signet__slot_of(object->key->public_key.kind) == slot;
}

void signet__objects_each(const signet__shelf *shelf, CK_SLOT_ID slot,
                          bool (*see)(void *context, const signet__object *object, CK_OBJECT_HANDLE handle),
                          void *context) {
    size_t count = shelf->catalogue == NULL ? 0 : shelf->catalogue->count;
    signet__object object;

    for (size_t i = 0; i < count; i++) {
        if (signet__slot_of(shelf->catalogue->keys[i].public_key.kind) != slot)
            continue;
        for (CK_ULONG kind = KIND_PRIVATE; object_of(&shelf->catalogue->keys[i], kind, &object); kind++)
            if (!see(context, &object, shelf->numbers[i] << KIND_BITS | kind))
                return;
    }
}

/* Keys that were there before keep their number; the others get numbers that nobody had. */
static bool number_keys(signet__shelf *next, const signet__shelf *before) {
    size_t count = next->catalogue->count, at = 0;

    next->numbers = calloc(count + 1, sizeof *next->numbers);
    next->by_number = calloc(count + 1, sizeof *next->by_number);
    if (next->numbers == NULL || next->by_number == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        CK_ULONG number = number_of(before, next->catalogue->keys[i].spki_sha256, &at);
        next->numbers[i] = number != 0 ? number : ++next->numbers_given;
        next->by_number[i] = (struct signet__numbered){next->numbers[i], i};
    }
    qsort(next->by_number, count, sizeof *next->by_number, compare_numbers);
    return true;
}

/* 0 if the key was not there. Both catalogues are in the order of identities, so *at only moves forward. */
static CK_ULONG number_of(const signet__shelf *before, const unsigned char *spki_sha256, size_t *at) {
    size_t count = before->catalogue == NULL ? 0 : before->catalogue->count;
    int order = 1;

    for (; *at < count; ++*at) {
        order = memcmp(before->catalogue->keys[*at].spki_sha256, spki_sha256, 32);
        if (order >= 0)
            break;
    }
    return *at < count && order == 0 ? before->numbers[*at] : 0;
}

static int compare_numbers(const void *a, const void *b) {
    const struct signet__numbered *one = a, *other = b;
    return (one->number > other->number) - (one->number < other->number);
}

static bool object_of(const signet__catalogue_key *key, CK_ULONG kind, signet__object *object) {
    *object = (signet__object){key, SIGNET__PRIVATE_KEY, 0};
    if (kind == KIND_PRIVATE)
        return true;
    object->class = SIGNET__PUBLIC_KEY;
    if (kind == KIND_PUBLIC)
        return true;
    object->class = SIGNET__CERTIFICATE;
    object->place = kind - KIND_CERTIFICATE;
    return kind >= KIND_CERTIFICATE && object->place < key->certificate_count;
}
