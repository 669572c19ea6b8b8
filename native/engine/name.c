#include "name.h"
#include <string.h>

#define URI_SCHEME "pkcs11:"

static const char EXPECTED_NAME[] = "expected label_LABEL, id_HEX, spki_HEX (SHA-256 of the SubjectPublicKeyInfo), a "
                                    "pkcs11: URI, or a label of 1 to 256 bytes";
static const char EXPECTED_ID[] = "id_: expected 1 to 64 bytes in hexadecimal";
static const char EXPECTED_IDENTITY[] = "spki_: expected the 64 hexadecimal digits of the SHA-256";
static const char EXPECTED_ATTRIBUTE[] =
    "pkcs11: expected attributes of RFC 7512, NAME=VALUE, each once, separated by ';'";
static const char EXPECTED_OBJECT[] = "pkcs11: expected object= (the label) or id=, of at most 256 and 64 bytes";
static const char EXPECTED_TYPE[] = "pkcs11: type: expected private or public";

/* Where a key is, nobody but the service need know. */
static const char *const not_looked_at[] = {
    "token",           "manufacturer",        "serial",           "model",   "library-manufacturer",
    "library-version", "library-description", "slot-description", "slot-id", "slot-manufacturer",
};

static const char *parse_plain(signet__name *name, const char *text);
static const char *parse_uri(signet__name *name, const char *at);
static const char *take_attribute(signet__name *name, signet__span key, signet__span value);
static bool is_not_looked_at(signet__span key);
static bool is(signet__span span, const char *text);
static bool take_label(signet__name *name, const char *text);
static bool take_id(signet__name *name, const char *text);
static bool take_identity(signet__name *name, const char *text);
static bool decode_percents(signet__span value, unsigned char *bytes, size_t room, signet__span *decoded);
static bool decode_hex(const char *text, unsigned char *bytes, size_t room, signet__span *decoded);
static int digit_of(char digit);

const char *signet__name_parse(signet__name *name, const char *text) {
    memset(name, 0, sizeof *name);
    if (strncmp(text, URI_SCHEME, sizeof URI_SCHEME - 1) == 0)
        return parse_uri(name, text + sizeof URI_SCHEME - 1);
    if (strncmp(text, "label_", 6) == 0)
        return take_label(name, text + 6) ? NULL : EXPECTED_NAME;
    if (strncmp(text, "id_", 3) == 0)
        return take_id(name, text + 3) ? NULL : EXPECTED_ID;
    if (strncmp(text, "spki_", 5) == 0)
        return take_identity(name, text + 5) ? NULL : EXPECTED_IDENTITY;
    return parse_plain(name, text);
}

const signet__catalogue_key *signet__name_find(const signet__name *name, const signet__catalogue *catalogue,
                                               size_t *count) {
    const signet__key_name guesses[] = {
        {.label = name->is.label}, {.id = name->is.id}, {.spki_sha256 = name->is.spki_sha256}};
    const signet__catalogue_key *found = NULL;

    if (!name->guessed)
        return signet__catalogue_find(catalogue, &name->is, count);
    *count = 0;
    for (size_t i = 0; i < sizeof guesses / sizeof guesses[0] && *count == 0; i++)
        if (guesses[i].label.bytes != NULL || guesses[i].id.bytes != NULL || guesses[i].spki_sha256.bytes != NULL)
            found = signet__catalogue_find(catalogue, &guesses[i], count);
    return found;
}

static const char *parse_plain(signet__name *name, const char *text) {
    if (!take_label(name, text))
        return EXPECTED_NAME;
    name->guessed = true;
    take_id(name, text);
    take_identity(name, text);
    return NULL;
}

/* The query, behind '?', has PINs and paths of modules: nothing that is needed here. */
static const char *parse_uri(signet__name *name, const char *at) {
    const char *end = at + strcspn(at, "?"), *why = NULL;

    while (at < end && why == NULL) {
        const char *stop = memchr(at, ';', (size_t)(end - at)), *equals;
        if (stop == NULL)
            stop = end;
        equals = memchr(at, '=', (size_t)(stop - at));
        if (equals == NULL)
            return EXPECTED_ATTRIBUTE;
        why = take_attribute(name, (signet__span){(const unsigned char *)at, (size_t)(equals - at)},
                             (signet__span){(const unsigned char *)equals + 1, (size_t)(stop - equals - 1)});
        at = stop < end ? stop + 1 : end;
    }
    if (why != NULL)
        return why;
    return name->is.label.bytes != NULL || name->is.id.bytes != NULL ? NULL : EXPECTED_OBJECT;
}

static const char *take_attribute(signet__name *name, signet__span key, signet__span value) {
    signet__span *label = &name->is.label, *id = &name->is.id;

    if ((is(key, "object") && label->bytes != NULL) || (is(key, "id") && id->bytes != NULL))
        return EXPECTED_ATTRIBUTE;
    if (is(key, "object"))
        return decode_percents(value, name->label, sizeof name->label, label) &&
                       memchr(label->bytes, '\0', label->len) == NULL
                   ? NULL
                   : EXPECTED_OBJECT;
    if (is(key, "id"))
        return decode_percents(value, name->id, sizeof name->id, id) ? NULL : EXPECTED_OBJECT;
    if (is(key, "type"))
        return is(value, "private") || is(value, "public") ? NULL : EXPECTED_TYPE;
    return is_not_looked_at(key) ? NULL : EXPECTED_ATTRIBUTE;
}

static bool is_not_looked_at(signet__span key) {
    for (size_t i = 0; i < sizeof not_looked_at / sizeof not_looked_at[0]; i++)
        if (is(key, not_looked_at[i]))
            return true;
    return false;
}

static bool is(signet__span span, const char *text) {
    return signet__span_equals(span, text, strlen(text));
}

static bool take_label(signet__name *name, const char *text) {
    size_t len = strlen(text);

    if (len == 0 || len > sizeof name->label)
        return false;
    name->is.label = (signet__span){memcpy(name->label, text, len), len};
    return true;
}

static bool take_id(signet__name *name, const char *text) {
    return decode_hex(text, name->id, sizeof name->id, &name->is.id);
}

static bool take_identity(signet__name *name, const char *text) {
    return strlen(text) == 2 * sizeof name->spki_sha256 &&
           decode_hex(text, name->spki_sha256, sizeof name->spki_sha256, &name->is.spki_sha256);
}

/* RFC 3986 section 2.1; at least one byte. *decoded is set only then. */
static bool decode_percents(signet__span value, unsigned char *bytes, size_t room, signet__span *decoded) {
    size_t len = 0;

    for (size_t at = 0; at < value.len; len++) {
        const char *text = (const char *)value.bytes + at;
        bool coded = *text == '%';
        if (len == room || (coded && (value.len - at < 3 || digit_of(text[1]) < 0 || digit_of(text[2]) < 0)))
            return false;
        bytes[len] = coded ? (unsigned char)(digit_of(text[1]) << 4 | digit_of(text[2])) : (unsigned char)*text;
        at += coded ? 3 : 1;
    }
    if (len > 0)
        *decoded = (signet__span){bytes, len};
    return len > 0;
}

/* *decoded is set only where it is hexadecimal. */
static bool decode_hex(const char *text, unsigned char *bytes, size_t room, signet__span *decoded) {
    size_t digits = strlen(text);

    if (digits == 0 || digits % 2 != 0 || digits / 2 > room)
        return false;
    for (size_t i = 0; i < digits; i++)
        if (digit_of(text[i]) < 0)
            return false;
    for (size_t i = 0; i < digits / 2; i++)
        bytes[i] = (unsigned char)(digit_of(text[2 * i]) << 4 | digit_of(text[2 * i + 1]));
    *decoded = (signet__span){bytes, digits / 2};
    return true;
}

static int digit_of(char digit) {
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}
