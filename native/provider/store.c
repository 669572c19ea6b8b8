/*
 * OSSL_STORE for `signet:` (uri.h): from the catalogue file a key and its certificates, the key first; `signet:` alone
 * lists what there is. No request to the service.
 *
 * There is no export_object: libcrypto would carry the key into the default provider with it, as a public key.
 */
#include "decode.h"
#include "uri.h"
#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/store.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const signet__provider *provider;
    signet__shared_catalogue *catalogue;
    /* NULL: all keys are listed. It lies in the catalogue. */
    const signet__catalogue_key *key;
    bool rsa_pss;
    /* OSSL_STORE_INFO_…, 0 for anything. */
    int expected;
    /* What comes next. Of a key: 0 is the key, then its certificates. Of the list: the catalogue's keys. */
    size_t next;
} store;

static int open_catalogue(store *store);
static int find_key(store *store, const signet__uri *uri);
static size_t next_wanted(const store *store);
static size_t count_of(const store *store);
static bool is_wanted(const store *store, size_t place);
static int give_key(const store *store, OSSL_CALLBACK *give, void *give_arg);
static signet__key *make_key(const store *store);
static int give_certificate(const signet__certificate *certificate, OSSL_CALLBACK *give, void *give_arg);
static int give_name(const signet__catalogue_key *key, OSSL_CALLBACK *give, void *give_arg);
static void copy_label(const signet__catalogue_key *key, char label[SIGNET_LABEL_BYTES_MAX + 1]);
static int close_store(void *store);

static void *open_store(void *provider, const char *text) {
    const signet__errors *errors = &((const signet__provider *)provider)->errors;
    store *opened = OPENSSL_zalloc(sizeof *opened);
    signet__uri uri;
    const char *expected = signet__uri_parse(&uri, text);
    int ok = opened != NULL;

    if (opened == NULL)
        return NULL;
    opened->provider = provider;
    if (expected != NULL)
        ok = signet__raise(errors, SIGNET_R_BAD_URI, "%s; \"%.80s\" came", expected, text);
    else
        ok = open_catalogue(opened) && (uri.all || find_key(opened, &uri));
    if (ok)
        return opened;
    close_store(opened);
    return NULL;
}

static int load(void *store_in, OSSL_CALLBACK *give, void *give_arg, OSSL_PASSPHRASE_CALLBACK *passphrase,
                void *passphrase_arg) {
    store *store = store_in;
    size_t place = next_wanted(store);

    (void)passphrase, (void)passphrase_arg;
    store->next = place + 1;
    if (place >= count_of(store))
        return 0;
    if (store->key == NULL)
        return give_name(&signet__catalogue_of(store->catalogue)->keys[place], give, give_arg);
    if (place == 0)
        return give_key(store, give, give_arg);
    return give_certificate(&store->key->certificates[place - 1], give, give_arg);
}

static int is_at_end(void *store_in) {
    const store *store = store_in;
    return next_wanted(store) >= count_of(store);
}

static int close_store(void *store_in) {
    store *store = store_in;
    signet__catalogue_release(store->catalogue);
    OPENSSL_free(store);
    return 1;
}

static const OSSL_PARAM *settable_params(void *provider) {
    static const OSSL_PARAM params[] = {OSSL_PARAM_int(OSSL_STORE_PARAM_EXPECT, NULL), OSSL_PARAM_END};
    (void)provider;
    return params;
}

/* Searches (OSSL_STORE_find) are refused: who names no key would get one all the same. */
static int set_params(void *store_in, const OSSL_PARAM params[]) {
    static const char *const searches[] = {OSSL_STORE_PARAM_SUBJECT,     OSSL_STORE_PARAM_ISSUER,
                                           OSSL_STORE_PARAM_SERIAL,      OSSL_STORE_PARAM_DIGEST,
                                           OSSL_STORE_PARAM_FINGERPRINT, OSSL_STORE_PARAM_ALIAS};
    store *store = store_in;
    const OSSL_PARAM *p;

    for (size_t i = 0; i < sizeof searches / sizeof searches[0]; i++)
        if (OSSL_PARAM_locate_const(params, searches[i]) != NULL)
            return 0;
    p = OSSL_PARAM_locate_const(params, OSSL_STORE_PARAM_EXPECT);
    return p == NULL || OSSL_PARAM_get_int(p, &store->expected);
}

static int open_catalogue(store *store) {
    const signet__provider *provider = store->provider;
    const char *why = "out of memory";

    if (provider->config_fault[0] != '\0')
        return signet__raise(&provider->errors, SIGNET_R_BAD_CONFIGURATION, "%s", provider->config_fault);
    if (provider->catalogue != NULL)
        store->catalogue = signet__catalogue_take(provider->catalogue, &why);
    if (store->catalogue != NULL)
        return 1;
    return signet__raise(&provider->errors, SIGNET_R_NO_CATALOGUE,
                         "%s (catalogue in openssl.cnf, else SIGNET_CATALOGUE): %s; a running service writes it",
                         provider->catalogue != NULL ? signet__catalogue_keeper_path(provider->catalogue) : "?", why);
}

static int find_key(store *store, const signet__uri *uri) {
    const signet__errors *errors = &store->provider->errors;
    const char *path = signet__catalogue_keeper_path(store->provider->catalogue);
    size_t count;

    store->key = signet__catalogue_find(signet__catalogue_of(store->catalogue), &uri->name, &count);
    store->rsa_pss = uri->rsa_pss;
    if (count == 0)
        return signet__raise(errors, SIGNET_R_NO_SUCH_KEY,
                             "the catalogue %s has no such key; \"signet:\" alone lists what it has", path);
    if (count > 1)
        return signet__raise(errors, SIGNET_R_NO_SUCH_KEY,
                             "the catalogue %s has %zu keys of that name; add id= or spki= to the name", path, count);
    if (store->rsa_pss && store->key->public_key.kind != SIGNET__KEY_RSA)
        return signet__raise(errors, SIGNET_R_BAD_URI, "expected an RSA key for type=rsa-pss");
    return 1;
}

static size_t next_wanted(const store *store) {
    size_t place = store->next;
    while (place < count_of(store) && !is_wanted(store, place))
        place++;
    return place;
}

static size_t count_of(const store *store) {
    return store->key == NULL ? signet__catalogue_of(store->catalogue)->count : 1 + store->key->certificate_count;
}

static bool is_wanted(const store *store, size_t place) {
    if (store->expected == 0)
        return true;
    if (store->key == NULL)
        return store->expected == OSSL_STORE_INFO_NAME;
    if (place > 0)
        return store->expected == OSSL_STORE_INFO_CERT;
    return store->expected == OSSL_STORE_INFO_PKEY || store->expected == OSSL_STORE_INFO_PUBKEY;
}

static int give_key(const store *store, OSSL_CALLBACK *give, void *give_arg) {
    signet__key *key = make_key(store);

    if (key == NULL)
        return 0;
    key->signs = store->expected != OSSL_STORE_INFO_PUBKEY;
    return signet__give_key(key, give, give_arg);
}

static signet__key *make_key(const store *store) {
    const signet__catalogue_key *key = store->key;
    signet__reference reference = {.spki = key->spki.bytes, .spki_len = key->spki.len, .rsa_pss = store->rsa_pss};
    const char *expected;
    signet__key *made;

    copy_label(key, reference.label);
    made = signet__key_from_reference(store->provider, &reference, &expected);
    if (made == NULL)
        signet__raise(&store->provider->errors, SIGNET_R_BAD_REFERENCE, "%s", expected);
    return made;
}

static int give_certificate(const signet__certificate *certificate, OSSL_CALLBACK *give, void *give_arg) {
    int type = OSSL_OBJECT_CERT;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type),
                           OSSL_PARAM_construct_octet_string(
                               OSSL_OBJECT_PARAM_DATA, (void *)(uintptr_t)certificate->der.bytes, certificate->der.len),
                           OSSL_PARAM_construct_end()};
    return give(params, give_arg);
}

/* The name that no other key has, and the label for people. */
static int give_name(const signet__catalogue_key *key, OSSL_CALLBACK *give, void *give_arg) {
    char name[sizeof SIGNET_URI_SCHEME ":spki=" + 2 * sizeof key->spki_sha256];
    char label[SIGNET_LABEL_BYTES_MAX + 1] = "";
    int type = OSSL_OBJECT_NAME, at = snprintf(name, sizeof name, SIGNET_URI_SCHEME ":spki=");

    for (size_t i = 0; i < sizeof key->spki_sha256; i++)
        at += snprintf(name + at, sizeof name - (size_t)at, "%02x", key->spki_sha256[i]);
    copy_label(key, label);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type),
                           OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA, name, 0),
                           OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DESC, label, 0),
                           OSSL_PARAM_construct_end()};
    return give(params, give_arg);
}

/* A label that could forge a line in a log is left out. */
static void copy_label(const signet__catalogue_key *key, char label[SIGNET_LABEL_BYTES_MAX + 1]) {
    if (key->label.len <= SIGNET_LABEL_BYTES_MAX && signet__is_plain_text(key->label.bytes, key->label.len))
        memcpy(label, key->label.bytes, key->label.len);
}

const OSSL_DISPATCH signet__store[] = {
    {OSSL_FUNC_STORE_OPEN, (void (*)(void))open_store},
    {OSSL_FUNC_STORE_SETTABLE_CTX_PARAMS, (void (*)(void))settable_params},
    {OSSL_FUNC_STORE_SET_CTX_PARAMS, (void (*)(void))set_params},
    {OSSL_FUNC_STORE_LOAD, (void (*)(void))load},
    {OSSL_FUNC_STORE_EOF, (void (*)(void))is_at_end},
    {OSSL_FUNC_STORE_CLOSE, (void (*)(void))close_store},
    {0, NULL},
};
