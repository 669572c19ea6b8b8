/* What became of a request, in the words of signet_client.h. */
#ifndef SIGNET_CLIENT_STATUS_H
#define SIGNET_CLIENT_STATUS_H

#include "signet/v1/sign.pb.h"
#include "signet_client.h"

/* Writes the status and one sentence. `path` is the socket, or NULL where none is involved. */
signet_status signet__fail(signet_sign_result *result, signet_status status, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same with the text of an errno in brackets at the end. */
signet_status signet__fail_errno(signet_sign_result *result, signet_status status, const char *path, const char *what,
                                 int error);
/* Adds to the sentence, as far as there is room. */
void signet__add_reason(signet_sign_result *result, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A SignResponse or an Error, as it came through the socket `path`. */
signet_status signet__answer(signet_sign_result *result, const char *path,
                             const signet_v1_SignStreamResponse *response);
/* Makes text of the other side fit for a log: printable ASCII only. */
void signet__make_printable(char *text);
/* strerror_r(3) without its two signatures. */
const char *signet__error_text(int error, char *buffer, size_t buffer_bytes);

#endif
