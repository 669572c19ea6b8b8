/* What the engine's section of openssl.cnf says (docs/engine.md). Read and changed with the lock. */
#ifndef SIGNET_ENGINE_SETTINGS_H
#define SIGNET_ENGINE_SETTINGS_H

#include <openssl/engine.h>
#include <stdint.h>

#define SIGNET__FAULT_BYTES_MAX 256

typedef struct {
    /* Paths separated by ':'; NULL: as signet_client_options has it. */
    char *sockets;
    /* 0: the client's default. */
    uint32_t timeout_ms;
    /* What is wrong, for people; empty if nothing. Told when a key is loaded, where people look: libcrypto forgets the
     * errors of openssl.cnf. */
    char fault[SIGNET__FAULT_BYTES_MAX];
} signet__settings;

extern const ENGINE_CMD_DEFN signet__commands[];
/* ENGINE_CTRL_FUNC_PTR. */
int signet__command(ENGINE *engine, int number, long value, void *text, void (*function)(void));

signet__settings *signet__settings_get(void);
/* Never NULL. */
const char *signet__settings_catalogue(void);
void signet__settings_clear(void);

#endif
