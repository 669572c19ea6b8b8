#include "errors.h"
#include <openssl/err.h>
#include <stdarg.h>

void signet__errors_from_core(signet__errors *errors, const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in) {
    errors->handle = handle;
    for (; in->function_id != 0; in++) {
        if (in->function_id == OSSL_FUNC_CORE_NEW_ERROR)
            errors->new_error = OSSL_FUNC_core_new_error(in);
        if (in->function_id == OSSL_FUNC_CORE_SET_ERROR_DEBUG)
            errors->set_debug = OSSL_FUNC_core_set_error_debug(in);
        if (in->function_id == OSSL_FUNC_CORE_VSET_ERROR)
            errors->vset = OSSL_FUNC_core_vset_error(in);
    }
}

int signet__raise_at(const signet__errors *errors, const char *file, int line, const char *func, int reason,
                     const char *format, ...) {
    va_list args;

    if (errors->new_error == NULL || errors->set_debug == NULL || errors->vset == NULL)
        return 0;
    errors->new_error(errors->handle);
    errors->set_debug(errors->handle, file, line, func);
    va_start(args, format);
    errors->vset(errors->handle, (uint32_t)reason, format, args);
    va_end(args);
    return 0;
}

void signet__errors_begin(void) {
    ERR_set_mark();
}

int signet__errors_end(int ok) {
    if (ok)
        ERR_pop_to_mark();
    else
        ERR_clear_last_mark();
    return ok;
}

const OSSL_ITEM *signet__reasons(void *provider) {
    static const OSSL_ITEM reasons[] = {
        {SIGNET_R_BAD_REFERENCE, "bad key reference"},
        {SIGNET_R_BAD_CONFIGURATION, "bad configuration of the signet provider"},
        {SIGNET_R_NOT_A_REFERENCE, "the key is a public key only"},
        {SIGNET_R_NO_SCHEME, "no TLS signature scheme for this"},
        {SIGNET_R_BAD_PARAMETER, "bad parameter"},
        {SIGNET_R_BAD_INPUT, "bad input to sign"},
        {SIGNET_R_BUFFER_TOO_SMALL, "buffer too small"},
        {SIGNET_R_OUT_OF_MEMORY, "out of memory"},
        {SIGNET_R_BAD_URI, "bad name of a key"},
        {SIGNET_R_NO_CATALOGUE, "no catalogue of keys"},
        {SIGNET_R_NO_SUCH_KEY, "no such key, or several"},
        {SIGNET_R_NO_DECRYPTION, "no decryption and no static RSA"},
        {SIGNET_R_STATUS + SIGNET_UNREACHABLE, "signing service unreachable"},
        {SIGNET_R_STATUS + SIGNET_LATE, "signing service late"},
        {SIGNET_R_STATUS + SIGNET_REFUSED, "signature refused by policy"},
        {SIGNET_R_STATUS + SIGNET_BAD_REQUEST, "signature request rejected"},
        {SIGNET_R_STATUS + SIGNET_BUSY, "signing service busy"},
        {SIGNET_R_STATUS + SIGNET_NO_TOKEN, "no token can sign with the key"},
        {SIGNET_R_STATUS + SIGNET_TOKEN_FAILED, "token failed"},
        {SIGNET_R_STATUS + SIGNET_PROTOCOL, "signing service does not speak the protocol"},
        {SIGNET_R_STATUS + SIGNET_INTERNAL, "signing failed inside"},
        {0, NULL},
    };
    (void)provider;
    return reasons;
}
