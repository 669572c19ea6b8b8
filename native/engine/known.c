#include "known.h"
#include "lock.h"
#include "settings.h"
#include <stdio.h>
#include <string.h>

/* Of a name that is told. */
#define NAME_BYTES_TOLD 100

/* NULL until the first key is asked for. Under the lock. */
static signet__catalogue_keeper *keeper;

static bool is_printable(signet__span label);

signet__shared_catalogue *signet__known_take(char why[SIGNET__WHY_BYTES_MAX]) {
    signet__shared_catalogue *taken = NULL;
    const char *fault = "out of memory";

    signet__lock();
    if (keeper == NULL)
        keeper = signet__catalogue_keeper_new(signet__settings_catalogue());
    if (keeper != NULL)
        taken = signet__catalogue_take(keeper, &fault);
    if (taken == NULL)
        snprintf(why, SIGNET__WHY_BYTES_MAX,
                 "the catalogue %s: %s; the service writes it (catalogue_file of its configuration)",
                 signet__settings_catalogue(), fault);
    signet__unlock();
    return taken;
}

const signet__catalogue_key *signet__known_find(const signet__shared_catalogue *known, const signet__name *name,
                                                const char *text, char why[SIGNET__WHY_BYTES_MAX]) {
    const signet__catalogue *catalogue = signet__catalogue_of(known);
    size_t count;
    const signet__catalogue_key *key = signet__name_find(name, catalogue, &count);

    if (count == 1)
        return key;
    if (count > 1)
        snprintf(why, SIGNET__WHY_BYTES_MAX,
                 "%zu keys of the catalogue are meant by \"%.*s\": name one by id_HEX or spki_HEX", count,
                 NAME_BYTES_TOLD, text);
    else
        snprintf(why, SIGNET__WHY_BYTES_MAX,
                 "the catalogue has no key \"%.*s\" among its %zu; `signet keys list` shows them", NAME_BYTES_TOLD,
                 text, catalogue->count);
    return NULL;
}

void signet__known_label(const unsigned char spki_sha256[32], char label[SIGNET__LABEL_BYTES_MAX + 1]) {
    signet__key_name name = {.spki_sha256 = {spki_sha256, 32}};
    char why[SIGNET__WHY_BYTES_MAX];
    signet__shared_catalogue *known = signet__known_take(why);
    const signet__catalogue_key *key;
    size_t count;

    label[0] = '\0';
    if (known == NULL)
        return;
    key = signet__catalogue_find(signet__catalogue_of(known), &name, &count);
    if (key != NULL && is_printable(key->label)) {
        memcpy(label, key->label.bytes, key->label.len);
        label[key->label.len] = '\0';
    }
    signet__catalogue_release(known);
}

/* It can forge no line in a log. */
static bool is_printable(signet__span label) {
    for (size_t i = 0; i < label.len; i++)
        if (label.bytes[i] < 0x20 || label.bytes[i] == 0x7f)
            return false;
    return label.len <= SIGNET__LABEL_BYTES_MAX;
}

void signet__known_forget(void) {
    signet__catalogue_keeper_free(keeper);
    keeper = NULL;
}
