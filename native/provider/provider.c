/* The contents page of the provider: what it offers, how it comes and how it goes. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr */
#endif
#include "provider.h"
#include "decode.h"
#include "uri.h"
#include <dlfcn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/provider.h>

static void teardown(void *provider);
static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache);
static const OSSL_PARAM *gettable_params(void *provider);
static int get_params(void *provider, OSSL_PARAM params[]);
static int make_shadow_libctx(signet__provider *provider, const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in);
static OSSL_PROVIDER *let_default_go_first(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in);
static int find_host(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, OSSL_LIB_CTX **host);
static int count_provider(OSSL_PROVIDER *provider, void *count);

/* The only symbol that goes out. */
__attribute__((visibility("default"))) OSSL_provider_init_fn OSSL_provider_init;

int OSSL_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                       void **provider_out) {
    static const OSSL_DISPATCH dispatch[] = {
        {OSSL_FUNC_PROVIDER_TEARDOWN, (void (*)(void))teardown},
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query},
        {OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, (void (*)(void))gettable_params},
        {OSSL_FUNC_PROVIDER_GET_PARAMS, (void (*)(void))get_params},
        {OSSL_FUNC_PROVIDER_GET_REASON_STRINGS, (void (*)(void))signet__reasons},
        {0, NULL},
    };
    signet__provider *provider = OPENSSL_zalloc(sizeof *provider);

    if (provider == NULL)
        return 0;
    signet__errors_from_core(&provider->errors, handle, in);
    provider->first = let_default_go_first(handle, in);
    if (!make_shadow_libctx(provider, handle, in)) {
        OPENSSL_free(provider);
        return 0;
    }
    signet__configure(provider, handle, in);
    *out = dispatch;
    *provider_out = provider;
    return 1;
}

static void teardown(void *provider_in) {
    signet__provider *provider = provider_in;
    if (provider->client != NULL)
        signet_client_free(provider->client);
    signet__loop_free(provider->loop);
    signet__catalogue_keeper_free(provider->catalogue);
    OSSL_PROVIDER_unload(provider->shadow_default);
    OSSL_LIB_CTX_free(provider->shadow_libctx);
    if (provider->first != NULL)
        OSSL_PROVIDER_unload(provider->first);
    OPENSSL_free(provider);
}

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache) {
    static const OSSL_ALGORITHM keymgmts[] = {
        {SIGNET_RSA_NAMES, SIGNET_PROPERTIES, signet__rsa_keymgmt, "RSA key in a token"},
        {SIGNET_RSA_PSS_NAMES, SIGNET_PROPERTIES, signet__rsa_pss_keymgmt, "RSA key in a token, for PSS only"},
        {SIGNET_EC_NAMES, SIGNET_PROPERTIES, signet__ec_keymgmt, "EC key in a token"},
        {SIGNET_ED25519_NAMES, SIGNET_PROPERTIES, signet__ed25519_keymgmt, "Ed25519 key in a token"},
        {NULL, NULL, NULL, NULL},
    };
    static const OSSL_ALGORITHM signatures[] = {
        {SIGNET_RSA_NAMES, SIGNET_PROPERTIES, signet__rsa_signature, "RSA PKCS#1 and PSS by the service"},
        {SIGNET_ECDSA_NAMES, SIGNET_PROPERTIES, signet__ecdsa_signature, "ECDSA by the service"},
        {SIGNET_ED25519_NAMES, SIGNET_PROPERTIES, signet__ed25519_signature, "Ed25519 by the service"},
        {NULL, NULL, NULL, NULL},
    };
    static const OSSL_ALGORITHM asym_ciphers[] = {
        {SIGNET_RSA_NAMES, SIGNET_PROPERTIES, signet__no_decryption, "says that there is none"},
        {NULL, NULL, NULL, NULL},
    };
    static const OSSL_ALGORITHM stores[] = {
        {SIGNET_URI_SCHEME, SIGNET_PROPERTIES, signet__store, "keys of the catalogue"},
        {NULL, NULL, NULL, NULL},
    };
    (void)provider;
    *no_cache = 0;
    switch (operation) {
    case OSSL_OP_KEYMGMT:
        return keymgmts;
    case OSSL_OP_SIGNATURE:
        return signatures;
    case OSSL_OP_ASYM_CIPHER:
        return asym_ciphers;
    case OSSL_OP_DECODER:
        return signet__decoders;
    case OSSL_OP_STORE:
        return stores;
    default:
        return NULL;
    }
}

static const OSSL_PARAM *gettable_params(void *provider) {
    static const OSSL_PARAM params[] = {
        OSSL_PARAM_DEFN(OSSL_PROV_PARAM_NAME, OSSL_PARAM_UTF8_PTR, NULL, 0),
        OSSL_PARAM_DEFN(OSSL_PROV_PARAM_VERSION, OSSL_PARAM_UTF8_PTR, NULL, 0),
        OSSL_PARAM_DEFN(OSSL_PROV_PARAM_BUILDINFO, OSSL_PARAM_UTF8_PTR, NULL, 0),
        OSSL_PARAM_DEFN(OSSL_PROV_PARAM_STATUS, OSSL_PARAM_INTEGER, NULL, 0),
        OSSL_PARAM_END,
    };
    (void)provider;
    return params;
}

static int get_params(void *provider_in, OSSL_PARAM params[]) {
    const signet__provider *provider = provider_in;
    OSSL_PARAM *p;

    if ((p = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_NAME)) != NULL && !OSSL_PARAM_set_utf8_ptr(p, "Signet provider"))
        return 0;
    if ((p = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_VERSION)) != NULL && !OSSL_PARAM_set_utf8_ptr(p, SIGNET_VERSION))
        return 0;
    if ((p = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_BUILDINFO)) != NULL &&
        !OSSL_PARAM_set_utf8_ptr(p, SIGNET_VERSION))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_STATUS);
    return p == NULL || OSSL_PARAM_set_int(p, provider->client != NULL);
}

static int make_shadow_libctx(signet__provider *provider, const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in) {
    /* From the dispatch, so that BIO_new_from_core_bio works in it. A library context of its own reads no openssl.cnf.
     */
    provider->shadow_libctx = OSSL_LIB_CTX_new_from_dispatch(handle, in);
    if (provider->shadow_libctx == NULL)
        return 0;
    provider->shadow_default = OSSL_PROVIDER_load(provider->shadow_libctx, "default");
    if (provider->shadow_default != NULL)
        return 1;
    OSSL_LIB_CTX_free(provider->shadow_libctx);
    return 0;
}

/*
 * libcrypto gives an algorithm that is asked for without properties from the provider that was activated first. Listed
 * first in openssl.cnf we would get every EC and RSA key that a program makes for itself, such as those of ECDHE. So
 * when nobody is active yet, `default` goes first. (Activating it again later, as openssl.cnf will, changes nothing.)
 */
static OSSL_PROVIDER *let_default_go_first(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in) {
    OSSL_LIB_CTX *host;
    OSSL_PROVIDER *first = NULL;
    int active = 0;

    if (!find_host(handle, in, &host))
        return NULL;
    signet__errors_begin();
    OSSL_PROVIDER_do_all(host, count_provider, &active);
    if (active == 0)
        first = OSSL_PROVIDER_try_load(host, "default", 1);
    signet__errors_end(1);
    return first;
}

/*
 * The library context that loads us (NULL is the default one). 0 if we cannot use it: another libcrypto made it, as in
 * a program that was linked statically.
 */
static int find_host(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, OSSL_LIB_CTX **host) {
    OSSL_FUNC_core_get_libctx_fn *get = NULL;
    Dl_info theirs, ours;

    for (; in->function_id != 0; in++)
        if (in->function_id == OSSL_FUNC_CORE_GET_LIBCTX)
            get = OSSL_FUNC_core_get_libctx(in);
    if (get == NULL || !dladdr((void *)get, &theirs) || !dladdr((void *)ERR_set_mark, &ours))
        return 0;
    *host = (OSSL_LIB_CTX *)get(handle);
    return theirs.dli_fbase == ours.dli_fbase;
}

static int count_provider(OSSL_PROVIDER *provider, void *count) {
    (void)provider;
    ++*(int *)count;
    return 1;
}
