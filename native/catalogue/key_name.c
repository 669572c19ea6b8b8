#include "key_name.h"

static bool fits(const signet__catalogue_key *key, const signet__key_name *name);

const signet__catalogue_key *signet__catalogue_find(const signet__catalogue *catalogue, const signet__key_name *name,
                                                    size_t *count) {
    const signet__catalogue_key *first = NULL;

    *count = 0;
    for (size_t i = 0; i < catalogue->count; i++) {
        if (!fits(&catalogue->keys[i], name))
            continue;
        if (first == NULL)
            first = &catalogue->keys[i];
        ++*count;
    }
    return first;
}

static bool fits(const signet__catalogue_key *key, const signet__key_name *name) {
    if (name->label.bytes != NULL && !signet__span_equals(key->label, name->label.bytes, name->label.len))
        return false;
    if (name->id.bytes != NULL && !signet__span_equals(key->id, name->id.bytes, name->id.len))
        return false;
    return name->spki_sha256.bytes == NULL ||
           signet__span_equals((signet__span){key->spki_sha256, sizeof key->spki_sha256}, name->spki_sha256.bytes,
                               name->spki_sha256.len);
}
