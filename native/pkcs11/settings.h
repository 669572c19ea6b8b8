/* What the environment says; read once, so that a server which clears it before it forks (NGINX) keeps what was said.
 */
#ifndef SIGNET_PKCS11_SETTINGS_H
#define SIGNET_PKCS11_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    /* SIGNET_CATALOGUE: the path of the catalogue file. */
    const char *catalogue;
    /* SIGNET_SOCKETS: sockets of the service, tried in order, separated by ':'. NULL: the client's default. */
    const char *sockets;
    /* SIGNET_TIMEOUT_MS: how long a signature may take in all, 1 to 60000. 0: the client's default. */
    uint32_t timeout_ms;
    /* SIGNET_PKCS11_LOG=stderr: why something failed is told there. */
    bool tells;
} signet__settings;

const signet__settings *signet__settings_get(void);

/* One line on stderr, "signet-pkcs11: …", if that is wanted. */
void signet__tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
