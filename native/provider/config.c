/*
 * The provider's section of openssl.cnf:
 *
 *     sockets = /run/signet/web.sock:/run/signet/web-2.sock      tried in order; else SIGNET_SOCKETS, else the default
 *     timeout_ms = 1000                                          how long a signature may take in all
 *     catalogue = /run/signet/catalogue.pb                       keys by name; else SIGNET_CATALOGUE, else the default
 */
#include "provider.h"
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS_MAX 60000

/* What the section says; NULL for what it does not say. The strings are the core's. */
typedef struct {
    char *sockets;
    char *timeout_ms;
    char *catalogue;
} section;

static int read_section(section *section, const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in);
static const char *catalogue_path(const section *section);
static int parse_timeout(signet__provider *provider, const char *text, uint32_t *timeout_ms);

int signet__configure(signet__provider *provider, const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in) {
    section section = {NULL, NULL, NULL};
    signet_client_options options = {.agent = "signet-provider/" SIGNET_VERSION};

    if (!read_section(&section, handle, in)) {
        snprintf(provider->config_fault, sizeof provider->config_fault,
                 "libcrypto did not give the provider's options");
        return 0;
    }
    provider->catalogue = signet__catalogue_keeper_new(catalogue_path(&section));
    if (section.timeout_ms != NULL && !parse_timeout(provider, section.timeout_ms, &options.timeout_ms))
        return 0;
    options.sockets = section.sockets;
    provider->client = signet_client_new(&options);
    provider->loop = provider->client != NULL ? signet__loop_new(&options) : NULL;
    if (provider->client == NULL)
        snprintf(provider->config_fault, sizeof provider->config_fault,
                 "sockets (openssl.cnf, else SIGNET_SOCKETS): expected 1 to %d paths of at most %d bytes, separated by "
                 "':'; \"%.80s\" came",
                 SIGNET_SOCKETS_MAX, SIGNET_SOCKET_PATH_BYTES_MAX - 1,
                 section.sockets != NULL ? section.sockets : "the environment's list");
    return provider->client != NULL;
}

static int read_section(section *section, const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in) {
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_ptr("sockets", &section->sockets, 0),
                           OSSL_PARAM_construct_utf8_ptr("timeout_ms", &section->timeout_ms, 0),
                           OSSL_PARAM_construct_utf8_ptr("catalogue", &section->catalogue, 0),
                           OSSL_PARAM_construct_end()};

    for (; in->function_id != 0; in++)
        if (in->function_id == OSSL_FUNC_CORE_GET_PARAMS)
            return OSSL_FUNC_core_get_params(in)(handle, params);
    return 0;
}

static const char *catalogue_path(const section *section) {
    const char *path = section->catalogue;

    if (path == NULL || *path == '\0')
        path = secure_getenv("SIGNET_CATALOGUE");
    return path == NULL || *path == '\0' ? SIGNET__CATALOGUE_DEFAULT : path;
}

static int parse_timeout(signet__provider *provider, const char *text, uint32_t *timeout_ms) {
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && value >= 1 && value <= TIMEOUT_MS_MAX) {
        *timeout_ms = (uint32_t)value;
        return 1;
    }
    snprintf(provider->config_fault, sizeof provider->config_fault,
             "timeout_ms: expected a number of milliseconds from 1 to %d; \"%.80s\" came", TIMEOUT_MS_MAX, text);
    return 0;
}
