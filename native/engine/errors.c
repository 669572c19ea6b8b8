#include "errors.h"
#include "signet_client.h"
#include <openssl/err.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#define TEXT_BYTES_MAX 768

static ERR_STRING_DATA library_name[] = {{0, "signet engine"}, {0, NULL}};
/* libcrypto writes the library's number into them. */
static ERR_STRING_DATA reasons[] = {
    {SIGNET__R_BAD_KEY_NAME, "bad key name"},
    {SIGNET__R_NO_SUCH_KEY, "no such key"},
    {SIGNET__R_BAD_CONFIGURATION, "bad configuration of the signet engine"},
    {SIGNET__R_NO_SCHEME, "no TLS signature scheme for this"},
    {SIGNET__R_BAD_INPUT, "bad input to sign"},
    {SIGNET__R_BUFFER_TOO_SMALL, "buffer too small"},
    {SIGNET__R_NO_MEMORY, "out of memory, or libcrypto refused"},
    {SIGNET__R_STATUS + SIGNET_UNREACHABLE, "signing service unreachable"},
    {SIGNET__R_STATUS + SIGNET_LATE, "signing service late"},
    {SIGNET__R_STATUS + SIGNET_REFUSED, "signature refused by policy"},
    {SIGNET__R_STATUS + SIGNET_BAD_REQUEST, "signature request rejected"},
    {SIGNET__R_STATUS + SIGNET_BUSY, "signing service busy"},
    {SIGNET__R_STATUS + SIGNET_NO_TOKEN, "no token can sign with the key"},
    {SIGNET__R_STATUS + SIGNET_TOKEN_FAILED, "token failed"},
    {SIGNET__R_STATUS + SIGNET_PROTOCOL, "signing service does not speak the protocol"},
    {SIGNET__R_STATUS + SIGNET_INTERNAL, "signing failed inside"},
    {0, NULL},
};
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int library;

static void load(void);

void signet__errors_load(void) {
    pthread_once(&once, load);
}

int signet__raise_at(const char *file, int line, int reason, const char *format, ...) {
    char text[TEXT_BYTES_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ERR_put_error(library, 0, reason, file, line);
    ERR_add_error_data(1, text);
    return 0;
}

static void load(void) {
    library = ERR_get_next_error_library();
    library_name[0].error = ERR_PACK(library, 0, 0);
    ERR_load_strings(0, library_name);
    ERR_load_strings(library, reasons);
}
