#include "wire.h"

#include <pb_decode.h>
#include <pb_encode.h>
#include <string.h>

/* What a frame holds besides its message: ids, lengths and the other fields; measured 96, doubled. */
#define FRAME_OVERHEAD_BYTES 192

static bool put(signet__buffer *out, const signet_v1_SignStreamRequest *request, size_t variable_bytes);
static bool encode_message(pb_ostream_t *stream, const pb_field_t *field, void *const *arg);
static void put_length(unsigned char *at, uint32_t length);
static uint32_t get_length(const unsigned char *at);

bool signet__wire_put_hello(signet__buffer *out, uint32_t id, const char *agent) {
    signet_v1_SignStreamRequest request = {.id = id, .which_body = signet_v1_SignStreamRequest_hello_tag};

    request.body.hello.version = SIGNET__PROTOCOL_VERSION;
    strncpy(request.body.hello.agent, agent, sizeof(request.body.hello.agent) - 1);
    return put(out, &request, 0);
}

bool signet__wire_put_sign(signet__buffer *out, uint32_t id, const signet_sign_request *request,
                           const unsigned char attempt_id[SIGNET__ATTEMPT_ID_BYTES], uint32_t timeout_us) {
    signet_v1_SignStreamRequest frame = {.id = id, .which_body = signet_v1_SignStreamRequest_sign_tag};
    signet_v1_SignRequest *sign = &frame.body.sign;

    memcpy(sign->spki_sha256, request->spki_sha256, sizeof(sign->spki_sha256));
    memcpy(sign->attempt_id, attempt_id, sizeof(sign->attempt_id));
    sign->scheme = (signet_v1_SignatureScheme)request->scheme;
    sign->timeout_us = timeout_us;
    if (request->input_is_digest) {
        sign->which_input = signet_v1_SignRequest_digest_tag;
        sign->input.digest.size = (pb_size_t)request->input_len;
        memcpy(sign->input.digest.bytes, request->input, request->input_len);
    } else {
        sign->which_input = signet_v1_SignRequest_message_tag;
        sign->input.message.funcs.encode = encode_message;
        sign->input.message.arg = (void *)request;
    }
    return put(out, &frame, request->input_len);
}

bool signet__wire_put_cancel(signet__buffer *out, uint32_t id) {
    signet_v1_SignStreamRequest request = {.id = id, .which_body = signet_v1_SignStreamRequest_cancel_tag};

    return put(out, &request, 0);
}

signet__frame signet__wire_take(signet__buffer *in, signet_v1_SignStreamResponse *response, const char **what) {
    const unsigned char *at = in->bytes + in->start;
    size_t available = signet__buffer_length(in);
    uint32_t length;
    pb_istream_t stream;

    if (available < SIGNET__FRAME_LENGTH_BYTES)
        return SIGNET__FRAME_INCOMPLETE;
    length = get_length(at);
    if (length == 0 || length > SIGNET__FRAME_BYTES_MAX) {
        *what = "announced a frame of an impossible length; is it a signet service?";
        return SIGNET__FRAME_MALFORMED;
    }
    if (available - SIGNET__FRAME_LENGTH_BYTES < length)
        return SIGNET__FRAME_INCOMPLETE;
    stream = pb_istream_from_buffer(at + SIGNET__FRAME_LENGTH_BYTES, length);
    if (!pb_decode(&stream, signet_v1_SignStreamResponse_fields, response)) {
        *what = "sent a frame that is not a SignStreamResponse; is it a signet service?";
        return SIGNET__FRAME_MALFORMED;
    }
    signet__buffer_use_up(in, SIGNET__FRAME_LENGTH_BYTES + length);
    return SIGNET__FRAME_WHOLE;
}

static bool put(signet__buffer *out, const signet_v1_SignStreamRequest *request, size_t variable_bytes) {
    size_t room = SIGNET__FRAME_LENGTH_BYTES + FRAME_OVERHEAD_BYTES + variable_bytes;
    pb_ostream_t stream;
    unsigned char *at;

    if (!signet__buffer_reserve(out, room))
        return false;
    at = out->bytes + out->end;
    stream = pb_ostream_from_buffer(at + SIGNET__FRAME_LENGTH_BYTES, room - SIGNET__FRAME_LENGTH_BYTES);
    if (!pb_encode(&stream, signet_v1_SignStreamRequest_fields, request))
        return false;
    put_length(at, (uint32_t)stream.bytes_written);
    out->end += SIGNET__FRAME_LENGTH_BYTES + stream.bytes_written;
    return true;
}

/* Called twice by nanopb, once only to measure. */
static bool encode_message(pb_ostream_t *stream, const pb_field_t *field, void *const *arg) {
    const signet_sign_request *request = *arg;

    return pb_encode_tag_for_field(stream, field) && pb_encode_string(stream, request->input, request->input_len);
}

static void put_length(unsigned char *at, uint32_t length) {
    at[0] = (unsigned char)(length >> 24);
    at[1] = (unsigned char)(length >> 16);
    at[2] = (unsigned char)(length >> 8);
    at[3] = (unsigned char)length;
}

static uint32_t get_length(const unsigned char *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}
