#include "service.h"
#include "lock.h"
#include <stdio.h>
#include <stdlib.h>

static signet__service *current;

static signet__service *make(char fault[SIGNET__FAULT_BYTES_MAX]);
static void release(signet__service *service);

signet__service *signet__service_take(char fault[SIGNET__FAULT_BYTES_MAX]) {
    signet__service *service;

    signet__lock();
    if (current == NULL)
        current = make(fault);
    service = current;
    if (service != NULL)
        service->references++;
    signet__unlock();
    return service;
}

void signet__service_give_back(signet__service *service) {
    release(service);
}

void signet__service_leave(void) {
    signet__service *gone;

    signet__lock();
    gone = current;
    current = NULL;
    signet__unlock();
    if (gone != NULL)
        release(gone);
}

static signet__service *make(char fault[SIGNET__FAULT_BYTES_MAX]) {
    const signet__settings *settings = signet__settings_get();
    signet_client_options options = {
        .sockets = settings->sockets, .timeout_ms = settings->timeout_ms, .agent = "signet-engine/" SIGNET_VERSION};
    signet__service *service;

    snprintf(fault, SIGNET__FAULT_BYTES_MAX, "%s", settings->fault);
    if (fault[0] != '\0')
        return NULL;
    service = calloc(1, sizeof *service);
    if (service != NULL)
        service->client = signet_client_new(&options);
    if (service == NULL || service->client == NULL) {
        snprintf(fault, SIGNET__FAULT_BYTES_MAX,
                 "SOCKETS (openssl.cnf, else SIGNET_SOCKETS): expected 1 to %d paths of at most %d bytes, separated by "
                 "':'; \"%.80s\" came",
                 SIGNET_SOCKETS_MAX, SIGNET_SOCKET_PATH_BYTES_MAX - 1,
                 settings->sockets != NULL ? settings->sockets : "the environment's list");
        free(service);
        return NULL;
    }
    service->loop = signet__loop_new(&options);
    service->references = 1;
    return service;
}

/* The client is freed without the lock: that may wait for its thread. */
static void release(signet__service *service) {
    int left;

    signet__lock();
    left = --service->references;
    signet__unlock();
    if (left > 0)
        return;
    signet_client_free(service->client);
    signet__loop_free(service->loop);
    free(service);
}
