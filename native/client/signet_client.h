/*
 * The client library of the native faces: makes signatures through the Unix socket of a signet service
 * (docs/protocol.md).
 *
 * Nothing happens at creation: a socket is opened at the first signature, in the process that signs. A fork is noticed
 * by pid, and the child starts with no connection. Every function may be called from any thread. Nothing here touches
 * OpenSSL's error queue, raises SIGPIPE, starts a thread (but for signet_client_start) or changes errno.
 */
#ifndef SIGNET_CLIENT_H
#define SIGNET_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#define SIGNET_SPKI_SHA256_BYTES 32
#define SIGNET_SIGNATURE_BYTES_MAX 512
#define SIGNET_MESSAGE_BYTES_MAX 16384
#define SIGNET_REASON_BYTES_MAX 256
/* Unix sockets that one client may be given. */
#define SIGNET_SOCKETS_MAX 8
/* sun_path of unix(7), with its NUL. */
#define SIGNET_SOCKET_PATH_BYTES_MAX 108
/* How long a caller waits when it was not told otherwise, in milliseconds. */
#define SIGNET_TIMEOUT_MS_DEFAULT 1000
/* Where the service listens when nobody says where. */
#define SIGNET_SOCKETS_DEFAULT "/run/signet/web.sock"

typedef struct signet_client signet_client;

typedef struct {
    /* Paths separated by ':', tried in order. NULL: the environment's SIGNET_SOCKETS (secure_getenv), else the default.
     */
    const char *sockets;
    /* How long a signature may take in all, retry included. 0: the default. */
    uint32_t timeout_ms;
    /* Name and version of the face, for the service's log, such as "signet-provider/0.1.0". */
    const char *agent;
    /* The caller's own event loop moves the requests of signet_client_start on (signet_client_look,
     * signet_client_turn), in the thread that makes them; there is no reader thread. */
    int driven;
} signet_client_options;

typedef struct {
    unsigned char spki_sha256[SIGNET_SPKI_SHA256_BYTES];
    /* IANA code point of the SignatureScheme. */
    uint32_t scheme;
    /* The whole message, at most SIGNET_MESSAGE_BYTES_MAX, or the digest. */
    const unsigned char *input;
    size_t input_len;
    int input_is_digest;
} signet_sign_request;

/* Why there is no signature, in the words that a server's error log needs. */
typedef enum {
    SIGNET_OK = 0,
    SIGNET_UNREACHABLE,  /* no socket of the list could be connected, or the connection broke twice */
    SIGNET_LATE,         /* no answer within the time */
    SIGNET_REFUSED,      /* key unknown or use not granted to this caller (policy) */
    SIGNET_BAD_REQUEST,  /* the service says that the request is malformed or does not fit the key */
    SIGNET_BUSY,         /* the service is overloaded, or more is in flight than it allows */
    SIGNET_NO_TOKEN,     /* the service has no token that can sign with the key now */
    SIGNET_TOKEN_FAILED, /* the token failed */
    SIGNET_PROTOCOL,     /* the other side does not speak the protocol */
    SIGNET_INTERNAL      /* out of memory, or a fault of the service */
} signet_status;

typedef struct {
    signet_status status;
    unsigned char signature[SIGNET_SIGNATURE_BYTES_MAX];
    size_t signature_len;
    /* Not SIGNET_OK: one sentence with the socket, what happened and what the service said. NUL-terminated. */
    char reason[SIGNET_REASON_BYTES_MAX + SIGNET_SOCKET_PATH_BYTES_MAX + 64];
} signet_sign_result;

/* NULL if memory ran out, or the list of sockets holds a path that is too long or more than SIGNET_SOCKETS_MAX. */
signet_client *signet_client_new(const signet_client_options *options);
void signet_client_free(signet_client *client);

/* Makes one signature and waits for it; at most one retry, with the same attempt_id, on a fresh connection. Returns
 * result->status. */
signet_status signet_client_sign(signet_client *client, const signet_sign_request *request, signet_sign_result *result);

/*
 * The same without waiting, for a caller that can do something else meanwhile (an ASYNC_JOB). Many share one
 * connection, read by one thread per process that is started, all signals blocked, with the first call after a fork.
 * `done` is called exactly once per start that returned a pending request, from that thread or within the start,
 * whenever the outcome is there (an answer, a failure, the time being over); it must not block, nor free the client.
 * After it, signet_pending_take gives the result and frees the request; called earlier, it waits.
 * signet_pending_abandon withdraws it instead: from then on `done` is not called any more. When either returns, a
 * `done` that another thread was calling has returned, so `arg` may go. In the child of a fork the parent's requests
 * are done with SIGNET_UNREACHABLE, without a call of `done`.
 */
typedef struct signet_pending signet_pending;
signet_pending *signet_client_start(signet_client *client, const signet_sign_request *request, void (*done)(void *),
                                    void *arg);
int signet_pending_is_done(signet_pending *pending);
signet_status signet_pending_take(signet_pending *pending, signet_sign_result *result);
void signet_pending_abandon(signet_pending *pending);

/*
 * For the event loop that drives a client: what to watch, and by when the next turn is due at the latest, in
 * nanoseconds of CLOCK_MONOTONIC (UINT64_MAX: never). It changes with every start, turn and abandon. A descriptor that
 * is not listed any more was closed; a new one may have its number, but never its serial.
 */
typedef struct {
    int fd;
    /* As for poll(2). */
    short events;
    uint64_t serial;
} signet_descriptor;
/* Fills in at most `room`; returns how many there are. */
size_t signet_client_look(signet_client *client, signet_descriptor *descriptors, size_t room, uint64_t *deadline_ns);
/* Sends and reads without waiting, and calls `done` for what is answered, broken or late. */
void signet_client_turn(signet_client *client);

/* A word for a status, such as "unreachable"; never NULL. */
const char *signet_status_word(signet_status status);

#endif
