/*
 * Fuzzes the names of keys that a configuration gives to the engine: whatever comes is refused in words or understood
 * within its bounds, and what is understood finds a key that has it and no other.
 */
#include "name.h"
#include <stdlib.h>
#include <string.h>

static void check(int holds) {
    if (!holds)
        abort();
}

/* Inside the buffer, not empty. */
static void check_span(signet__span span, const unsigned char *buffer, size_t room) {
    if (span.bytes != NULL)
        check(span.bytes == buffer && span.len >= 1 && span.len <= room);
}

static void check_finds(const signet__name *name) {
    signet__catalogue_key keys[2] = {{.label = {(const unsigned char *)"\n", 1}}, {.label = name->is.label}};
    signet__catalogue catalogue = {keys, 2};
    size_t count;

    keys[1].id = name->is.id;
    if (name->is.spki_sha256.bytes != NULL) {
        memcpy(keys[1].spki_sha256, name->is.spki_sha256.bytes, sizeof keys[1].spki_sha256);
        keys[0].spki_sha256[0] = (unsigned char)~keys[1].spki_sha256[0];
    }
    if (name->is.label.len == 1 && name->is.label.bytes[0] == '\n')
        return;
    check(signet__name_find(name, &catalogue, &count) == &keys[1] && count == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* Of exactly its size, so that AddressSanitizer sees a byte too far. */
    char *text = malloc(size + 1);
    signet__name name;
    const char *expected;

    memcpy(text, data, size);
    text[size] = '\0';
    expected = signet__name_parse(&name, text);
    check_span(name.is.label, name.label, sizeof name.label);
    check_span(name.is.id, name.id, sizeof name.id);
    check_span(name.is.spki_sha256, name.spki_sha256, sizeof name.spki_sha256);
    if (expected != NULL)
        check(strlen(expected) > 0);
    else
        check_finds(&name);
    free(text);
    return 0;
}
