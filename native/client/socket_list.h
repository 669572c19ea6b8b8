/* Where a service may listen: Unix sockets, tried in order. */
#ifndef SIGNET_CLIENT_SOCKET_LIST_H
#define SIGNET_CLIENT_SOCKET_LIST_H

#include "signet_client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No socket of the list. */
#define SIGNET__NO_SOCKET SIZE_MAX
/* A deadline for those who must not wait at all, not even for a place in a full listen queue. */
#define SIGNET__DO_NOT_WAIT 0

typedef struct {
    size_t count;
    char path[SIGNET_SOCKETS_MAX][SIGNET_SOCKET_PATH_BYTES_MAX];
} signet__socket_list;

/* Paths separated by ':'. False if there is none, there are too many, or one is too long. */
bool signet__socket_list_parse(signet__socket_list *list, const char *text);
/*
 * Connects to the first that takes us, but not to `avoid`. Returns a close-on-exec descriptor and its place in `index`;
 * or -1, with what happened to each in `result`: SIGNET_UNREACHABLE, or SIGNET_BUSY where a listen queue was full.
 */
int signet__socket_list_connect(const signet__socket_list *list, size_t avoid, uint64_t deadline_ns, size_t *index,
                                signet_sign_result *result);

#endif
