/* Fuzzes the parser of "signet:" names. Whatever is accepted obeys uri.h, and can be looked for. */
#include "uri.h"
#include <stdlib.h>
#include <string.h>

static void check(int holds) {
    if (!holds)
        abort();
}

static void check_name(const signet__uri *uri) {
    const signet__key_name *name = &uri->name;
    const signet__catalogue none = {NULL, 0};
    size_t count;

    check(uri->all == (name->label.bytes == NULL && name->id.bytes == NULL && name->spki_sha256.bytes == NULL));
    check(!uri->all || !uri->rsa_pss);
    if (name->label.bytes != NULL) {
        check(name->label.bytes == uri->label && name->label.len >= 1 && name->label.len <= sizeof uri->label);
        for (size_t i = 0; i < name->label.len; i++)
            check(name->label.bytes[i] >= 0x20 && name->label.bytes[i] != 0x7f);
    }
    check(name->id.bytes == NULL || (name->id.bytes == uri->id && name->id.len >= 1 && name->id.len <= sizeof uri->id));
    check(name->spki_sha256.bytes == NULL ||
          (name->spki_sha256.bytes == uri->spki_sha256 && name->spki_sha256.len == 32));
    check(signet__catalogue_find(&none, name, &count) == NULL && count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    signet__uri *uri = malloc(sizeof *uri);
    char *text = malloc(size + 1);

    memcpy(text, data, size);
    text[size] = '\0';
    if (signet__uri_parse(uri, text) == NULL)
        check_name(uri);
    free(text);
    free(uri);
    return 0;
}
