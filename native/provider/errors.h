/*
 * Errors of the provider, raised through the core so that they bear the provider's name and reasons in any program's
 * log.
 *
 * The error queue is a trap: one stale entry makes an otherwise good handshake fail (SSL_get_error looks at the queue
 * first). So whatever calls libcrypto and succeeds in the end leaves nothing behind: signet__errors_begin and
 * signet__errors_end. They set a mark, so no ASYNC_pause_job may lie between the two.
 */
#ifndef SIGNET_PROVIDER_ERRORS_H
#define SIGNET_PROVIDER_ERRORS_H

#include "signet_client.h"
#include <openssl/core.h>
#include <openssl/core_dispatch.h>

/* Provider reasons; errors.c has the words. Those from SIGNET_R_STATUS on are SIGNET_R_STATUS + signet_status. */
enum {
    SIGNET_R_BAD_REFERENCE = 1,
    SIGNET_R_BAD_CONFIGURATION,
    SIGNET_R_NOT_A_REFERENCE,
    SIGNET_R_NO_SCHEME,
    SIGNET_R_BAD_PARAMETER,
    SIGNET_R_BAD_INPUT,
    SIGNET_R_BUFFER_TOO_SMALL,
    SIGNET_R_OUT_OF_MEMORY,
    SIGNET_R_BAD_URI,
    SIGNET_R_NO_CATALOGUE,
    SIGNET_R_NO_SUCH_KEY,
    SIGNET_R_NO_DECRYPTION,
    SIGNET_R_STATUS = 32
};

typedef struct {
    const OSSL_CORE_HANDLE *handle;
    OSSL_FUNC_core_new_error_fn *new_error;
    OSSL_FUNC_core_set_error_debug_fn *set_debug;
    OSSL_FUNC_core_vset_error_fn *vset;
} signet__errors;

void signet__errors_from_core(signet__errors *errors, const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in);

/* Adds one error to the queue; always 0, so that a caller can return it. */
int signet__raise_at(const signet__errors *errors, const char *file, int line, const char *func, int reason,
                     const char *format, ...) __attribute__((format(printf, 6, 7)));
#define signet__raise(errors, ...) signet__raise_at(errors, __FILE_NAME__, __LINE__, __func__, __VA_ARGS__)

void signet__errors_begin(void);
/* Forgets what was raised since signet__errors_begin if ok, keeps it otherwise; gives ok back. */
int signet__errors_end(int ok);

/* Reason number to words, for OSSL_FUNC_PROVIDER_GET_REASON_STRINGS. */
const OSSL_ITEM *signet__reasons(void *provider);

#endif
