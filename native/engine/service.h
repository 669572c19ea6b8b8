/* The service, as the engine reaches it: a client that is made when the first key is loaded. */
#ifndef SIGNET_ENGINE_SERVICE_H
#define SIGNET_ENGINE_SERVICE_H

#include "loop.h"
#include "settings.h"
#include "signet_client.h"

typedef struct {
    signet_client *client;
    /* NULL but under the preload library. */
    signet__loop *loop;
    /* The engine's own, and one for each signature that is being made. */
    int references;
} signet__service;

/* To be given back. NULL: `fault` says for people what is wrong with the settings. */
signet__service *signet__service_take(char fault[SIGNET__FAULT_BYTES_MAX]);
void signet__service_give_back(signet__service *service);

/* The last functional reference to the engine is gone: connections are closed when nobody signs any more. */
void signet__service_leave(void);

#endif
