#include "uri.h"
#include <string.h>
#include <strings.h>

#define ARRAY_LEN(ARRAY) (sizeof(ARRAY) / sizeof((ARRAY)[0]))

static const char *parse_attribute(signet__uri *uri, const char *attribute, size_t len);
static const char *parse_label(signet__uri *uri, const char *value, size_t len);
static const char *parse_id(signet__uri *uri, const char *value, size_t len);
static const char *parse_spki(signet__uri *uri, const char *value, size_t len);
static const char *parse_type(signet__uri *uri, const char *value, size_t len);
static bool parse_hex(const char *text, size_t len, unsigned char *bytes, size_t room);
static int hex_digit(char digit);

static const char *const EXPECTED_ATTRIBUTE =
    "expected signet: and label=NAME, id=HEX or spki=HEX, each at most once, separated by ';'";
static const char *const EXPECTED_LABEL =
    "expected label= and 1 to 256 bytes without control characters, \"%;?#\" as %XX";

const char *signet__uri_parse(signet__uri *uri, const char *text) {
    const size_t scheme_len = strlen(SIGNET_URI_SCHEME ":");
    const char *expected = NULL;

    memset(uri, 0, sizeof *uri);
    if (strncasecmp(text, SIGNET_URI_SCHEME ":", scheme_len) != 0)
        return EXPECTED_ATTRIBUTE;
    text += scheme_len;
    uri->all = *text == '\0';
    while (*text != '\0' && expected == NULL) {
        size_t len = strcspn(text, ";");
        expected = parse_attribute(uri, text, len);
        text += len;
        if (*text == ';' && *++text == '\0')
            return EXPECTED_ATTRIBUTE;
    }
    if (expected == NULL && !uri->all && uri->name.label.bytes == NULL && uri->name.id.bytes == NULL &&
        uri->name.spki_sha256.bytes == NULL)
        return EXPECTED_ATTRIBUTE;
    return expected;
}

static const char *parse_attribute(signet__uri *uri, const char *attribute, size_t len) {
    static const struct {
        const char *name;
        const char *(*parse)(signet__uri *, const char *, size_t);
    } attributes[] = {{"label=", parse_label}, {"id=", parse_id}, {"spki=", parse_spki}, {"type=", parse_type}};

    for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
        size_t name_len = strlen(attributes[i].name);
        if (len >= name_len && memcmp(attribute, attributes[i].name, name_len) == 0)
            return attributes[i].parse(uri, attribute + name_len, len - name_len);
    }
    return EXPECTED_ATTRIBUTE;
}

static const char *parse_label(signet__uri *uri, const char *value, size_t len) {
    size_t written = 0;

    if (uri->name.label.bytes != NULL)
        return EXPECTED_ATTRIBUTE;
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)value[i];
        if (byte == '?' || byte == '#' || written == sizeof uri->label)
            return EXPECTED_LABEL;
        if (byte == '%') {
            if (len - i < 3 || !parse_hex(value + i + 1, 2, &byte, 1))
                return EXPECTED_LABEL;
            i += 2;
        }
        if (byte < 0x20 || byte == 0x7f)
            return EXPECTED_LABEL;
        uri->label[written++] = byte;
    }
    uri->name.label = (signet__span){uri->label, written};
    return written > 0 ? NULL : EXPECTED_LABEL;
}

static const char *parse_id(signet__uri *uri, const char *value, size_t len) {
    if (uri->name.id.bytes != NULL)
        return EXPECTED_ATTRIBUTE;
    if (len == 0 || !parse_hex(value, len, uri->id, sizeof uri->id))
        return "expected id= and 1 to 64 bytes in hexadecimal";
    uri->name.id = (signet__span){uri->id, len / 2};
    return NULL;
}

static const char *parse_spki(signet__uri *uri, const char *value, size_t len) {
    if (uri->name.spki_sha256.bytes != NULL)
        return EXPECTED_ATTRIBUTE;
    if (len != 2 * sizeof uri->spki_sha256 || !parse_hex(value, len, uri->spki_sha256, sizeof uri->spki_sha256))
        return "expected spki= and the 32 bytes of the SPKI's SHA-256 in hexadecimal";
    uri->name.spki_sha256 = (signet__span){uri->spki_sha256, sizeof uri->spki_sha256};
    return NULL;
}

static const char *parse_type(signet__uri *uri, const char *value, size_t len) {
    static const char rsa_pss[] = "rsa-pss";

    if (uri->rsa_pss || len != strlen(rsa_pss) || memcmp(value, rsa_pss, len) != 0)
        return "expected type=rsa-pss, once; any other type is the key's own and is not named";
    uri->rsa_pss = true;
    return NULL;
}

static bool parse_hex(const char *text, size_t len, unsigned char *bytes, size_t room) {
    if (len % 2 != 0 || len / 2 > room)
        return false;
    for (size_t i = 0; i < len; i += 2) {
        int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i / 2] = (unsigned char)(high << 4 | low);
    }
    return true;
}

static int hex_digit(char digit) {
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}
