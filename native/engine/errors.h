/*
 * Errors of the engine, on libcrypto's queue under a library and reasons of their own. The queue is a trap: one stale
 * entry makes an otherwise good handshake fail (SSL_get_error looks at it first). What succeeds leaves nothing there.
 */
#ifndef SIGNET_ENGINE_ERRORS_H
#define SIGNET_ENGINE_ERRORS_H

/* errors.c has the words. Those from SIGNET__R_STATUS on are SIGNET__R_STATUS + signet_status. */
enum {
    SIGNET__R_BAD_KEY_NAME = 100,
    SIGNET__R_NO_SUCH_KEY,
    SIGNET__R_BAD_CONFIGURATION,
    SIGNET__R_NO_SCHEME,
    SIGNET__R_BAD_INPUT,
    SIGNET__R_BUFFER_TOO_SMALL,
    SIGNET__R_NO_MEMORY,
    SIGNET__R_STATUS = 128
};

/* Makes library and reasons known to libcrypto, once in a process. */
void signet__errors_load(void);

/* Adds one error to the queue; always 0, so that a caller can return it. */
int signet__raise_at(const char *file, int line, int reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
#define signet__raise(...) signet__raise_at(SIGNET__FILE, __LINE__, __VA_ARGS__)

/* Without its folder, where the compiler can (OpenSSL 1.1.1 comes with older ones). */
#ifdef __FILE_NAME__
#define SIGNET__FILE __FILE_NAME__
#else
#define SIGNET__FILE __FILE__
#endif

#endif
