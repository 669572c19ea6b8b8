/*
 * A client that needs no service: it signs with the PEM private keys that SIGNET_FAKE_KEYS names (paths separated by
 * ':').
 *
 *   SIGNET_FAKE_DELAY_MS   how long a signature takes
 *   SIGNET_FAKE_FAIL       a word of signet_status_word, such as "late": every signature fails like this
 *   SIGNET_FAKE_LOG        a file that gets a line "scheme message|digest length" per request
 *   SIGNET_FAKE_GATE       the number of an eventfd(EFD_SEMAPHORE | EFD_NONBLOCK), of which each signature takes a 1
 *   SIGNET_FAKE_AT_ONCE    if set, a signature is there before the job that it was started for goes on; read each time
 *
 * The rest of the environment is read by signet_client_new, so that nginx, which clears it, can use it. Its contract is
 * signet_client.h; what is tried of it is in client_contract_test.c, which runs on the real client as well.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "signet_client.h"
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#define KEYS_MAX 16
/* How soon one that waits at the gate sees that it was abandoned. */
#define GATE_LOOK_MS 1

struct signet_client {
    OSSL_LIB_CTX *libctx;
    OSSL_PROVIDER *standard;
    EVP_PKEY *keys[KEYS_MAX];
    unsigned char spki_sha256[KEYS_MAX][SIGNET_SPKI_SHA256_BYTES];
    int key_count;
    long delay_ms;
    /* -1: none. */
    int gate;
    signet_status fail;
    char *log;
};

struct signet_pending {
    signet_client *client;
    signet_sign_request request;
    unsigned char input[SIGNET_MESSAGE_BYTES_MAX];
    signet_sign_result result;
    void (*done)(void *);
    void *arg;
    pthread_t thread;
    pthread_mutex_t lock;
    int is_done, abandoned;
};

static const char *const WORDS[] = {"ok",   "unreachable", "late",         "refused",        "bad request",
                                    "busy", "no token",    "token failed", "protocol error", "internal error"};
static const char *const MD_OF_SCHEME[] = {[4] = "SHA256", [5] = "SHA384", [6] = "SHA512"};

static int load_keys(signet_client *client, const char *paths);
static int is_socket_list(const char *list);
static signet_status pass_gate_and_sign(signet_client *client, signet_pending *pending,
                                        const signet_sign_request *request, signet_sign_result *result);
static int sign(signet_client *client, const signet_sign_request *request, signet_sign_result *result);
static signet_status refuse(signet_sign_result *result, signet_status status, const char *reason);
static void *sign_in_thread(void *pending);
static int is_abandoned(signet_pending *pending);

const char *signet_status_word(signet_status status) {
    return (size_t)status < sizeof WORDS / sizeof WORDS[0] ? WORDS[status] : "unknown";
}

signet_client *signet_client_new(const signet_client_options *options) {
    signet_client *client = calloc(1, sizeof *client);
    const char *keys = getenv("SIGNET_FAKE_KEYS"), *delay = getenv("SIGNET_FAKE_DELAY_MS");
    const char *fail = getenv("SIGNET_FAKE_FAIL"), *log = getenv("SIGNET_FAKE_LOG"), *gate = getenv("SIGNET_FAKE_GATE");

    if (client == NULL || !is_socket_list(options->sockets)) {
        free(client);
        return NULL;
    }
    client->libctx = OSSL_LIB_CTX_new();
    client->delay_ms = delay != NULL ? atol(delay) : 0;
    client->gate = gate != NULL ? atoi(gate) : -1;
    client->log = log != NULL ? strdup(log) : NULL;
    for (int i = 1; fail != NULL && i < (int)(sizeof WORDS / sizeof WORDS[0]); i++)
        if (strcmp(WORDS[i], fail) == 0)
            client->fail = (signet_status)i;
    client->standard = OSSL_PROVIDER_load(client->libctx, "default");
    if (keys != NULL)
        load_keys(client, keys);
    return client;
}

void signet_client_free(signet_client *client) {
    if (client == NULL)
        return;
    for (int i = 0; i < client->key_count; i++)
        EVP_PKEY_free(client->keys[i]);
    OSSL_PROVIDER_unload(client->standard);
    OSSL_LIB_CTX_free(client->libctx);
    free(client->log);
    free(client);
}

signet_status signet_client_sign(signet_client *client, const signet_sign_request *request,
                                 signet_sign_result *result) {
    return pass_gate_and_sign(client, NULL, request, result);
}

/* Nobody waits any more for what was abandoned, and whoever abandoned it waits here: it need not pass. */
static void pass_gate(const signet_client *client, signet_pending *pending) {
    struct pollfd gate = {.fd = client->gate, .events = POLLIN};
    eventfd_t one;

    while (client->gate >= 0 && eventfd_read(client->gate, &one) != 0 && (pending == NULL || !is_abandoned(pending)))
        poll(&gate, 1, GATE_LOOK_MS);
}

/* `pending`: of which it is, NULL if of none. */
static signet_status pass_gate_and_sign(signet_client *client, signet_pending *pending,
                                        const signet_sign_request *request, signet_sign_result *result) {
    int saved_errno = errno;
    struct timespec delay = {client->delay_ms / 1000, client->delay_ms % 1000 * 1000000};

    memset(result, 0, sizeof *result);
    ERR_set_mark();
    pass_gate(client, pending);
    if (client->delay_ms > 0)
        nanosleep(&delay, NULL);
    if (client->log != NULL) {
        FILE *log = fopen(client->log, "a");
        if (log != NULL) {
            fprintf(log, "%04x %s %zu\n", request->scheme, request->input_is_digest ? "digest" : "message",
                    request->input_len);
            fclose(log);
        }
    }
    if (client->fail != SIGNET_OK)
        refuse(result, client->fail, "/run/fake.sock: as SIGNET_FAKE_FAIL says");
    else if (!sign(client, request, result) && result->status == SIGNET_OK)
        refuse(result, SIGNET_TOKEN_FAILED, "/run/fake.sock: libcrypto did not sign");
    ERR_pop_to_mark();
    errno = saved_errno;
    return result->status;
}

signet_pending *signet_client_start(signet_client *client, const signet_sign_request *request, void (*done)(void *),
                                    void *arg) {
    signet_pending *pending = calloc(1, sizeof *pending);

    if (pending == NULL || request->input_len > sizeof pending->input) {
        free(pending);
        return NULL;
    }
    pending->client = client;
    pending->request = *request;
    memcpy(pending->input, request->input, request->input_len);
    pending->request.input = pending->input;
    pending->done = done;
    pending->arg = arg;
    pthread_mutex_init(&pending->lock, NULL);
    if (pthread_create(&pending->thread, NULL, sign_in_thread, pending) != 0) {
        free(pending);
        return NULL;
    }
    while (getenv("SIGNET_FAKE_AT_ONCE") != NULL && !signet_pending_is_done(pending))
        sched_yield();
    return pending;
}

int signet_pending_is_done(signet_pending *pending) {
    pthread_mutex_lock(&pending->lock);
    int is_done = pending->is_done;
    pthread_mutex_unlock(&pending->lock);
    return is_done;
}

signet_status signet_pending_take(signet_pending *pending, signet_sign_result *result) {
    signet_status status;
    pthread_join(pending->thread, NULL);
    *result = pending->result;
    status = result->status;
    pthread_mutex_destroy(&pending->lock);
    free(pending);
    return status;
}

void signet_pending_abandon(signet_pending *pending) {
    signet_sign_result result;
    pthread_mutex_lock(&pending->lock);
    pending->abandoned = 1;
    pthread_mutex_unlock(&pending->lock);
    signet_pending_take(pending, &result);
}

static int is_abandoned(signet_pending *pending) {
    pthread_mutex_lock(&pending->lock);
    int abandoned = pending->abandoned;
    pthread_mutex_unlock(&pending->lock);
    return abandoned;
}

static void *sign_in_thread(void *pending_in) {
    signet_pending *pending = pending_in;
    pass_gate_and_sign(pending->client, pending, &pending->request, &pending->result);
    pthread_mutex_lock(&pending->lock);
    pending->is_done = 1;
    if (!pending->abandoned)
        pending->done(pending->arg);
    pthread_mutex_unlock(&pending->lock);
    return NULL;
}

static int is_socket_list(const char *list) {
    int paths = 0;

    for (const char *at = list; at != NULL; paths++) {
        const char *end = strchrnul(at, ':');
        if (end - at >= SIGNET_SOCKET_PATH_BYTES_MAX)
            return 0;
        at = *end == ':' ? end + 1 : NULL;
    }
    return paths <= SIGNET_SOCKETS_MAX;
}

/* It is never driven: the preload library is tested with the real client. */
size_t signet_client_look(signet_client *client, signet_descriptor *descriptors, size_t room, uint64_t *deadline_ns) {
    (void)client, (void)descriptors, (void)room;
    *deadline_ns = UINT64_MAX;
    return 0;
}

void signet_client_turn(signet_client *client) {
    (void)client;
}

static int load_keys(signet_client *client, const char *paths) {
    char *list = strdup(paths), *rest = list, *path;

    while ((path = strsep(&rest, ":")) != NULL && client->key_count < KEYS_MAX) {
        BIO *bio = BIO_new_file(path, "r");
        EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey_ex(bio, NULL, NULL, NULL, client->libctx, NULL) : NULL;
        unsigned char *spki = NULL;
        int len = key != NULL ? i2d_PUBKEY(key, &spki) : -1;
        BIO_free(bio);
        if (len <= 0) {
            fprintf(stderr, "fake client: %s: no private key\n", path);
            abort();
        }
        EVP_Q_digest(client->libctx, "SHA256", NULL, spki, (size_t)len, client->spki_sha256[client->key_count], NULL);
        client->keys[client->key_count++] = key;
        OPENSSL_free(spki);
    }
    free(list);
    return 1;
}

static EVP_PKEY *find_key(const signet_client *client, const signet_sign_request *request) {
    for (int i = 0; i < client->key_count; i++)
        if (memcmp(client->spki_sha256[i], request->spki_sha256, SIGNET_SPKI_SHA256_BYTES) == 0)
            return client->keys[i];
    return NULL;
}

/* rsa_pss_rsae_* are 0x0804 to 0x0806, rsa_pss_pss_* 0x0809 to 0x080b. */
static int is_pss(uint32_t scheme) {
    return (scheme >= 0x0804 && scheme <= 0x0806) || (scheme >= 0x0809 && scheme <= 0x080b);
}

static const char *md_name(uint32_t scheme) {
    uint32_t pss_hash = (scheme & 0xff) - (scheme > 0x0807 ? 5 : 0);
    return scheme == 0x0807 ? NULL : MD_OF_SCHEME[is_pss(scheme) ? pss_hash : scheme >> 8];
}

static int sign_digest(signet_client *client, EVP_PKEY *key, const signet_sign_request *request,
                       signet_sign_result *result) {
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(client->libctx, key, NULL);
    EVP_MD *md = EVP_MD_fetch(client->libctx, md_name(request->scheme), NULL);
    int ok = EVP_PKEY_sign_init(context) == 1 && EVP_PKEY_CTX_set_signature_md(context, md) == 1;

    if (ok && is_pss(request->scheme))
        ok = EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
    ok = ok &&
         EVP_PKEY_sign(context, result->signature, &result->signature_len, request->input, request->input_len) == 1;
    EVP_MD_free(md);
    EVP_PKEY_CTX_free(context);
    return ok;
}

static int sign_message(signet_client *client, EVP_PKEY *key, const signet_sign_request *request,
                        signet_sign_result *result) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *params;
    int ok = EVP_DigestSignInit_ex(context, &params, md_name(request->scheme), client->libctx, NULL, key, NULL) == 1;

    if (ok && is_pss(request->scheme))
        ok = EVP_PKEY_CTX_set_rsa_padding(params, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(params, RSA_PSS_SALTLEN_DIGEST) == 1;
    ok = ok &&
         EVP_DigestSign(context, result->signature, &result->signature_len, request->input, request->input_len) == 1;
    EVP_MD_CTX_free(context);
    return ok;
}

static int sign(signet_client *client, const signet_sign_request *request, signet_sign_result *result) {
    EVP_PKEY *key = find_key(client, request);

    if (key == NULL)
        return refuse(result, SIGNET_REFUSED, "/run/fake.sock: no such key in SIGNET_FAKE_KEYS"), 0;
    if (request->input_len == 0 || request->input_len > SIGNET_MESSAGE_BYTES_MAX)
        return refuse(result, SIGNET_BAD_REQUEST, "/run/fake.sock: expected 1 to 16384 bytes"), 0;
    result->signature_len = sizeof result->signature;
    return request->input_is_digest ? sign_digest(client, key, request, result)
                                    : sign_message(client, key, request, result);
}

static signet_status refuse(signet_sign_result *result, signet_status status, const char *reason) {
    result->status = status;
    result->signature_len = 0;
    snprintf(result->reason, sizeof result->reason, "%s", reason);
    return status;
}
