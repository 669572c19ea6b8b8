/*
 * libFuzzer harness for what a service may send: frames are taken as connection.c takes them, in pieces whose size the
 * input chooses, and every answer is turned into a result. Nothing may crash, and the result must keep what
 * signet_client.h promises: a signature within its limit, or a reason that is printable and ends with NUL.
 */
#include "status.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
static void take_all(signet__buffer *in);
static void check_result(const signet_v1_SignStreamResponse *response);
static void require(bool holds);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    signet__buffer in = {0};
    size_t piece, at = 1;

    if (size == 0)
        return 0;
    /* The first byte is the size of the pieces. */
    for (piece = data[0] + 1u; at < size; at += piece) {
        size_t length = size - at < piece ? size - at : piece;

        require(signet__buffer_reserve(&in, length));
        memcpy(in.bytes + in.end, data + at, length);
        in.end += length;
        take_all(&in);
    }
    signet__buffer_free(&in);
    return 0;
}

static void take_all(signet__buffer *in) {
    signet_v1_SignStreamResponse response;
    const char *what = NULL;
    signet__frame frame;

    while ((frame = signet__wire_take(in, &response, &what)) == SIGNET__FRAME_WHOLE)
        if (response.which_body == signet_v1_SignStreamResponse_sign_tag ||
            response.which_body == signet_v1_SignStreamResponse_error_tag)
            check_result(&response);
    if (frame == SIGNET__FRAME_MALFORMED) {
        require(what != NULL);
        /* Here the connection ends. */
        in->start = in->end = 0;
    }
    require(signet__buffer_length(in) <= SIGNET__FRAME_LENGTH_BYTES + SIGNET__FRAME_BYTES_MAX);
}

static void check_result(const signet_v1_SignStreamResponse *response) {
    signet_sign_result result;
    size_t i;

    memset(&result, 0xa5, sizeof(result));
    signet__answer(&result, "/run/signet/web.sock", response);
    require(memchr(result.reason, '\0', sizeof(result.reason)) != NULL);
    for (i = 0; result.reason[i] != '\0'; i++)
        require(result.reason[i] >= ' ' && result.reason[i] <= '~');
    if (result.status == SIGNET_OK)
        require(result.signature_len >= 1 && result.signature_len <= SIGNET_SIGNATURE_BYTES_MAX);
    else
        require(result.signature_len == 0 && result.reason[0] != '\0');
}

static void require(bool holds) {
    if (!holds)
        abort();
}
