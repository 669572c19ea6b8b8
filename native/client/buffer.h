/* Bytes that wait to be sent or to be understood: filled at the end, used up at the start. */
#ifndef SIGNET_CLIENT_BUFFER_H
#define SIGNET_CLIENT_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    unsigned char *bytes;
    size_t start;
    size_t end;
    size_t capacity;
} signet__buffer;

/* Makes room for so many bytes behind the end. False: out of memory; the content stays. */
bool signet__buffer_reserve(signet__buffer *buffer, size_t room);
void signet__buffer_use_up(signet__buffer *buffer, size_t bytes);
size_t signet__buffer_length(const signet__buffer *buffer);
void signet__buffer_free(signet__buffer *buffer);

#endif
