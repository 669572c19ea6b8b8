#include "buffer.h"

#include <stdlib.h>
#include <string.h>

#define CAPACITY_BYTES_MIN 1024

static bool grow(signet__buffer *buffer, size_t capacity);

bool signet__buffer_reserve(signet__buffer *buffer, size_t room) {
    if (buffer->capacity - buffer->end >= room)
        return true;
    if (buffer->start > 0) {
        memmove(buffer->bytes, buffer->bytes + buffer->start, buffer->end - buffer->start);
        buffer->end -= buffer->start;
        buffer->start = 0;
    }
    return buffer->capacity - buffer->end >= room || grow(buffer, buffer->end + room);
}

void signet__buffer_use_up(signet__buffer *buffer, size_t bytes) {
    buffer->start += bytes;
    if (buffer->start == buffer->end)
        buffer->start = buffer->end = 0;
}

size_t signet__buffer_length(const signet__buffer *buffer) {
    return buffer->end - buffer->start;
}

void signet__buffer_free(signet__buffer *buffer) {
    free(buffer->bytes);
    *buffer = (signet__buffer){0};
}

static bool grow(signet__buffer *buffer, size_t capacity) {
    size_t doubled = buffer->capacity * 2;
    unsigned char *bytes;

    if (capacity < doubled)
        capacity = doubled;
    if (capacity < CAPACITY_BYTES_MIN)
        capacity = CAPACITY_BYTES_MIN;
    bytes = realloc(buffer->bytes, capacity);
    if (bytes == NULL)
        return false;
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return true;
}
