#include "der.h"

#include <string.h>

/* Nothing that is looked into is longer than 4 bytes of length can say. */
#define LENGTH_BYTES_MAX 4

static bool take_length(signet__span *from, size_t *length);

bool signet__der_take(signet__span *from, unsigned char tag, signet__span *content) {
    signet__span rest = *from;
    size_t length;

    if (rest.len < 2 || rest.bytes[0] != tag)
        return false;
    rest = (signet__span){rest.bytes + 1, rest.len - 1};
    if (!take_length(&rest, &length) || length > rest.len)
        return false;
    *content = (signet__span){rest.bytes, length};
    *from = (signet__span){rest.bytes + length, rest.len - length};
    return true;
}

bool signet__der_take_whole(signet__span *from, unsigned char tag, signet__span *element) {
    const unsigned char *begin = from->bytes;
    signet__span content;

    if (!signet__der_take(from, tag, &content))
        return false;
    *element = (signet__span){begin, (size_t)(from->bytes - begin)};
    return true;
}

bool signet__der_take_unsigned(signet__span *from, signet__span *number) {
    signet__span rest = *from, content;

    if (!signet__der_take(&rest, SIGNET__DER_INTEGER, &content) || content.len == 0 || (content.bytes[0] & 0x80))
        return false;
    if (content.len > 1 && content.bytes[0] == 0 && !(content.bytes[1] & 0x80))
        return false;
    if (content.bytes[0] == 0)
        content = (signet__span){content.bytes + 1, content.len - 1};
    *number = content;
    *from = rest;
    return true;
}

bool signet__span_equals(signet__span span, const void *bytes, size_t len) {
    return span.len == len && (len == 0 || memcmp(span.bytes, bytes, len) == 0);
}

static bool take_length(signet__span *from, size_t *length) {
    size_t count = from->bytes[0] & 0x7f, value = 0;

    if (from->bytes[0] < 0x80) {
        *length = from->bytes[0];
        *from = (signet__span){from->bytes + 1, from->len - 1};
        return true;
    }
    if (count == 0 || count > LENGTH_BYTES_MAX || count + 1 > from->len || from->bytes[1] == 0)
        return false;
    for (size_t i = 1; i <= count; i++)
        value = value << 8 | from->bytes[i];
    if (value < 0x80)
        return false;
    *length = value;
    *from = (signet__span){from->bytes + 1 + count, from->len - 1 - count};
    return true;
}
