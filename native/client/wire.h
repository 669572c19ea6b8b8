/* Frames of the socket transport (docs/protocol.md): a 4-byte big-endian length and one protobuf message, made by
 * nanopb. */
#ifndef SIGNET_CLIENT_WIRE_H
#define SIGNET_CLIENT_WIRE_H

#include "buffer.h"
#include "signet/v1/sign.pb.h"
#include "signet_client.h"

#include <stdbool.h>
#include <stdint.h>

#define SIGNET__PROTOCOL_VERSION 1
#define SIGNET__FRAME_LENGTH_BYTES 4
/* What follows the length, docs/protocol.md. */
#define SIGNET__FRAME_BYTES_MAX 65536
#define SIGNET__DIGEST_BYTES_MAX 64
#define SIGNET__ATTEMPT_ID_BYTES 16
#define SIGNET__AGENT_BYTES_MAX 64

/* Each appends one frame; false if memory ran out, and then nothing is appended. */
bool signet__wire_put_hello(signet__buffer *out, uint32_t id, const char *agent);
bool signet__wire_put_sign(signet__buffer *out, uint32_t id, const signet_sign_request *request,
                           const unsigned char attempt_id[SIGNET__ATTEMPT_ID_BYTES], uint32_t timeout_us);
bool signet__wire_put_cancel(signet__buffer *out, uint32_t id);

typedef enum {
    SIGNET__FRAME_INCOMPLETE, /* more bytes must come */
    SIGNET__FRAME_WHOLE,      /* a message was taken */
    SIGNET__FRAME_MALFORMED   /* this is not the protocol; nothing that follows can be trusted */
} signet__frame;

/* Takes the first whole frame out of `in`. Malformed: `what` says why, for people. */
signet__frame signet__wire_take(signet__buffer *in, signet_v1_SignStreamResponse *response, const char **what);

#endif
