/* From the DER of a reference to a key, one decoder per type of key. Anything that is no reference of that type is
 * silently left alone. */
#include "key.h"
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/params.h>

static int read_der(const signet__provider *provider, OSSL_CORE_BIO *in, unsigned char *der, size_t *len);
static signet__key *parse_key(const signet__provider *provider, const unsigned char *der, size_t len);
static int give_key(signet__key *key, OSSL_CALLBACK *give, void *give_arg);

static void *new_context(void *provider) {
    return provider;
}

static void free_context(void *context) {
    (void)context;
}

static int does_selection(void *provider, int selection) {
    (void)provider;
    return selection == 0 || (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0;
}

static int decode(const signet__provider *provider, signet__key_type type, OSSL_CORE_BIO *in, OSSL_CALLBACK *give,
                  void *give_arg) {
    unsigned char der[SIGNET_REFERENCE_BYTES_MAX];
    size_t len;
    signet__key *key = NULL;

    if (read_der(provider, in, der, &len))
        key = parse_key(provider, der, len);
    /* What was read may have been a genuine private key. */
    OPENSSL_cleanse(der, sizeof der);
    if (key != NULL && key->type == type)
        return give_key(key, give, give_arg);
    signet__key_free(key);
    return 1;
}

static int read_der(const signet__provider *provider, OSSL_CORE_BIO *in, unsigned char *der, size_t *len) {
    BIO *bio;
    int got = 0;

    *len = 0;
    signet__errors_begin();
    bio = BIO_new_from_core_bio(provider->shadow_libctx, in);
    while (bio != NULL && *len < SIGNET_REFERENCE_BYTES_MAX &&
           (got = BIO_read(bio, der + *len, (int)(SIGNET_REFERENCE_BYTES_MAX - *len))) > 0)
        *len += (size_t)got;
    BIO_free(bio);
    signet__errors_end(1);
    return *len > 0;
}

static signet__key *parse_key(const signet__provider *provider, const unsigned char *der, size_t len) {
    signet__reference reference;
    const char *expected;

    if (signet__reference_parse(&reference, der, len) != NULL)
        return NULL;
    return signet__key_from_reference(provider, &reference, &expected);
}

/* keymgmt's load takes the key out of the reference; if nobody took it, it goes. */
static int give_key(signet__key *key, OSSL_CALLBACK *give, void *give_arg) {
    int type = OSSL_OBJECT_PKEY, ok;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type),
        OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE, (char *)signet__key_type_name(key->type), 0),
        OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_REFERENCE, &key, sizeof key), OSSL_PARAM_construct_end()};
    ok = give(params, give_arg);
    signet__key_free(key);
    return ok;
}

#define DER_DECODER(NAME, TYPE)                                                                                        \
    static int NAME##_decode(void *context, OSSL_CORE_BIO *in, int selection, OSSL_CALLBACK *give, void *give_arg,     \
                             OSSL_PASSPHRASE_CALLBACK *passphrase, void *passphrase_arg) {                             \
        (void)selection, (void)passphrase, (void)passphrase_arg;                                                       \
        return decode(context, TYPE, in, give, give_arg);                                                              \
    }                                                                                                                  \
    const OSSL_DISPATCH signet__##NAME##_decoder[] = {                                                                 \
        {OSSL_FUNC_DECODER_NEWCTX, (void (*)(void))new_context},                                                       \
        {OSSL_FUNC_DECODER_FREECTX, (void (*)(void))free_context},                                                     \
        {OSSL_FUNC_DECODER_DOES_SELECTION, (void (*)(void))does_selection},                                            \
        {OSSL_FUNC_DECODER_DECODE, (void (*)(void))NAME##_decode},                                                     \
        {0, NULL},                                                                                                     \
    };

DER_DECODER(rsa, SIGNET_RSA)
DER_DECODER(ec, SIGNET_EC)
DER_DECODER(ed25519, SIGNET_ED25519)
