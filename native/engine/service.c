#include "service.h"
#include "lock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static signet__service *current;

static signet__service *take_current(signet__service *made);
static signet__service *make(char fault[SIGNET__FAULT_BYTES_MAX]);
static signet__service *make_with(const signet_client_options *options, char fault[SIGNET__FAULT_BYTES_MAX]);
static int read_settings(signet_client_options *options, char **sockets, char fault[SIGNET__FAULT_BYTES_MAX]);
static void release(signet__service *service);

signet__service *signet__service_take(char fault[SIGNET__FAULT_BYTES_MAX]) {
    signet__service *service = take_current(NULL), *made;

    if (service != NULL)
        return service;
    made = make(fault);
    if (made == NULL)
        return NULL;
    service = take_current(made);
    if (service != made)
        release(made);
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

/* The one that there is, else `made`, which is then the engine's. NULL if there is neither. */
static signet__service *take_current(signet__service *made) {
    signet__service *service;

    signet__lock();
    if (current == NULL)
        current = made;
    service = current;
    if (service != NULL)
        service->references++;
    signet__unlock();
    return service;
}

/* Without the lock: the client has its own, which a fork takes first. */
static signet__service *make(char fault[SIGNET__FAULT_BYTES_MAX]) {
    signet_client_options options = {.agent = "signet-engine/" SIGNET_VERSION};
    signet__service *service = NULL;
    char *sockets;

    if (read_settings(&options, &sockets, fault))
        service = make_with(&options, fault);
    free(sockets);
    return service;
}

static signet__service *make_with(const signet_client_options *options, char fault[SIGNET__FAULT_BYTES_MAX]) {
    signet__service *service = calloc(1, sizeof *service);

    if (service == NULL) {
        snprintf(fault, SIGNET__FAULT_BYTES_MAX, "out of memory");
        return NULL;
    }
    service->client = signet_client_new(options);
    if (service->client != NULL) {
        service->loop = signet__loop_new(options);
        service->references = 1;
        return service;
    }
    snprintf(fault, SIGNET__FAULT_BYTES_MAX,
             "SOCKETS (openssl.cnf, else SIGNET_SOCKETS): expected 1 to %d paths of at most %d bytes, separated by "
             "':'; \"%.80s\" came",
             SIGNET_SOCKETS_MAX, SIGNET_SOCKET_PATH_BYTES_MAX - 1,
             options->sockets != NULL ? options->sockets : "the environment's list");
    free(service);
    return NULL;
}

/* 0 if they are wrong. *sockets is the caller's. */
static int read_settings(signet_client_options *options, char **sockets, char fault[SIGNET__FAULT_BYTES_MAX]) {
    const signet__settings *settings = signet__settings_get();

    signet__lock();
    snprintf(fault, SIGNET__FAULT_BYTES_MAX, "%s", settings->fault);
    *sockets = settings->sockets == NULL ? NULL : strdup(settings->sockets);
    if (settings->sockets != NULL && *sockets == NULL)
        snprintf(fault, SIGNET__FAULT_BYTES_MAX, "out of memory");
    options->sockets = *sockets;
    options->timeout_ms = settings->timeout_ms;
    signet__unlock();
    return fault[0] == '\0';
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
