/* What a signet_client is made of. */
#ifndef SIGNET_CLIENT_CLIENT_H
#define SIGNET_CLIENT_CLIENT_H

#include "idle_connections.h"
#include "shared_connection.h"
#include "signet_client.h"
#include "socket_list.h"
#include "wire.h"

struct signet_client {
    /* In the list of the process (process.c). */
    signet_client *next, *previous;
    signet__socket_list sockets;
    uint32_t timeout_ms;
    /* By its caller's event loop, not by the reader. */
    bool driven;
    char agent[SIGNET__AGENT_BYTES_MAX + 1];
    /* Connections of signet_client_sign. */
    signet__idle_connections idle;
    /* Connections and requests of signet_client_start. */
    signet__shared shared;
};

/* Whether a request is within the limits; if not, `result` says why. Costs no I/O. */
bool signet__client_accepts(const signet_sign_request *request, signet_sign_result *result);
/* 16 random bytes. */
bool signet__make_attempt_id(unsigned char attempt_id[SIGNET__ATTEMPT_ID_BYTES]);

#endif
