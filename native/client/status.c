#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ERROR_TEXT_BYTES 64
/* Of the service's own sentence, so that the socket and the status always have room beside it. */
#define SERVICE_TEXT_BYTES_MAX 256

static const struct {
    signet_v1_ErrorCode code;
    signet_status status;
    const char *what;
} ANSWERS[] = {
    {signet_v1_ErrorCode_ERROR_CODE_INVALID_ARGUMENT, SIGNET_BAD_REQUEST,
     "the request is malformed or does not fit the key"},
    {signet_v1_ErrorCode_ERROR_CODE_PERMISSION_DENIED, SIGNET_REFUSED, "refused: unknown key or use not granted"},
    {signet_v1_ErrorCode_ERROR_CODE_RESOURCE_EXHAUSTED, SIGNET_BUSY, "the service is overloaded"},
    {signet_v1_ErrorCode_ERROR_CODE_DEADLINE_EXCEEDED, SIGNET_LATE, "the time was over before the signature was made"},
    {signet_v1_ErrorCode_ERROR_CODE_UNAVAILABLE, SIGNET_NO_TOKEN, "no token can sign with the key now"},
    {signet_v1_ErrorCode_ERROR_CODE_TOKEN_FAILED, SIGNET_TOKEN_FAILED, "the token failed"},
    {signet_v1_ErrorCode_ERROR_CODE_INTERNAL, SIGNET_INTERNAL, "a fault of the service"},
};

static const char *const WORDS[] = {
    [SIGNET_OK] = "ok",
    [SIGNET_UNREACHABLE] = "unreachable",
    [SIGNET_LATE] = "late",
    [SIGNET_REFUSED] = "refused",
    [SIGNET_BAD_REQUEST] = "bad request",
    [SIGNET_BUSY] = "busy",
    [SIGNET_NO_TOKEN] = "no token",
    [SIGNET_TOKEN_FAILED] = "token failed",
    [SIGNET_PROTOCOL] = "protocol error",
    [SIGNET_INTERNAL] = "internal error",
};

static signet_status answer_error(signet_sign_result *result, const char *path, const signet_v1_Error *error);
static signet_status answer_signature(signet_sign_result *result, const char *path,
                                      const signet_v1_SignResponse *answer);
static void append(signet_sign_result *result, const char *format, va_list arguments);

const char *signet_status_word(signet_status status) {
    return (size_t)status < sizeof(WORDS) / sizeof(WORDS[0]) ? WORDS[status] : "unknown status";
}

signet_status signet__answer(signet_sign_result *result, const char *path,
                             const signet_v1_SignStreamResponse *response) {
    if (response->which_body == signet_v1_SignStreamResponse_sign_tag)
        return answer_signature(result, path, &response->body.sign);
    return answer_error(result, path, &response->body.error);
}

signet_status signet__fail(signet_sign_result *result, signet_status status, const char *path, const char *format,
                           ...) {
    va_list arguments;

    result->status = status;
    result->signature_len = 0;
    result->reason[0] = '\0';
    if (path != NULL)
        signet__add_reason(result, "%s: ", path);
    va_start(arguments, format);
    append(result, format, arguments);
    va_end(arguments);
    return status;
}

signet_status signet__fail_errno(signet_sign_result *result, signet_status status, const char *path, const char *what,
                                 int error) {
    char text[ERROR_TEXT_BYTES];

    return signet__fail(result, status, path, "%s (%s)", what, signet__error_text(error, text, sizeof(text)));
}

void signet__add_reason(signet_sign_result *result, const char *format, ...) {
    va_list arguments;

    va_start(arguments, format);
    append(result, format, arguments);
    va_end(arguments);
}

void signet__make_printable(char *text) {
    for (; *text != '\0'; text++)
        if (*text < ' ' || *text > '~')
            *text = '?';
}

const char *signet__error_text(int error, char *buffer, size_t buffer_bytes) {
    return strerror_r(error, buffer, buffer_bytes);
}

static signet_status answer_error(signet_sign_result *result, const char *path, const signet_v1_Error *error) {
    char said[SERVICE_TEXT_BYTES_MAX + 1];
    size_t i;

    snprintf(said, sizeof(said), "%.*s", SERVICE_TEXT_BYTES_MAX, error->message);
    signet__make_printable(said);
    for (i = 0; i < sizeof(ANSWERS) / sizeof(ANSWERS[0]); i++)
        if (ANSWERS[i].code == error->code)
            return signet__fail(result, ANSWERS[i].status, path, "%s; the service says: %s", ANSWERS[i].what,
                                said[0] != '\0' ? said : "nothing more");
    return signet__fail(result, SIGNET_INTERNAL, path, "error code %u; the service says: %s", (unsigned)error->code,
                        said);
}

static signet_status answer_signature(signet_sign_result *result, const char *path,
                                      const signet_v1_SignResponse *answer) {
    if (answer->signature.size == 0)
        return signet__fail(result, SIGNET_PROTOCOL, path, "sent an empty signature");
    memcpy(result->signature, answer->signature.bytes, answer->signature.size);
    result->signature_len = answer->signature.size;
    result->reason[0] = '\0';
    return result->status = SIGNET_OK;
}

static void append(signet_sign_result *result, const char *format, va_list arguments) {
    size_t length = strlen(result->reason);

    vsnprintf(result->reason + length, sizeof(result->reason) - length, format, arguments);
}
