#include "decode.h"
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/params.h>

#define REFERENCE SIGNET_PROPERTIES ",input=der,structure=" SIGNET_REFERENCE_STRUCTURE
#define PKCS8 SIGNET_PROPERTIES ",input=der,structure=PrivateKeyInfo"

/* Two steps, because file_store (`openssl pkey -in`, `store:`) knows only decoders from PEM to DER. libcrypto has its
 * own first step for the label PRIVATE KEY. */
const OSSL_ALGORITHM signet__decoders[] = {
    {"DER", SIGNET_PROPERTIES ",input=pem", signet__pem_decoder, "PEM of a key reference"},
    {SIGNET_RSA_NAMES, REFERENCE, signet__rsa_decoder, NULL},
    {SIGNET_RSA_PSS_NAMES, REFERENCE, signet__rsa_pss_decoder, NULL},
    {SIGNET_EC_NAMES, REFERENCE, signet__ec_decoder, NULL},
    {SIGNET_ED25519_NAMES, REFERENCE, signet__ed25519_decoder, NULL},
    {SIGNET_RSA_NAMES, PKCS8, signet__rsa_pkcs8_decoder, NULL},
    {SIGNET_RSA_PSS_NAMES, PKCS8, signet__rsa_pss_pkcs8_decoder, NULL},
    {SIGNET_EC_NAMES, PKCS8, signet__ec_pkcs8_decoder, NULL},
    {SIGNET_ED25519_NAMES, PKCS8, signet__ed25519_pkcs8_decoder, NULL},
    {NULL, NULL, NULL, NULL},
};

int signet__read_der(const signet__provider *provider, OSSL_CORE_BIO *in, unsigned char *der, size_t room,
                     size_t *len) {
    BIO *bio;
    int got = 0;

    *len = 0;
    signet__errors_begin();
    bio = BIO_new_from_core_bio(provider->shadow_libctx, in);
    while (bio != NULL && *len < room && (got = BIO_read(bio, der + *len, (int)(room - *len))) > 0)
        *len += (size_t)got;
    BIO_free(bio);
    signet__errors_end(1);
    return *len > 0;
}

signet__key *signet__decode_reference(const signet__provider *provider, const unsigned char *der, size_t len) {
    signet__reference reference;
    const char *expected;
    signet__key *key = NULL;

    if (provider->config_fault[0] != '\0') {
        signet__raise(&provider->errors, SIGNET_R_BAD_CONFIGURATION, "%s", provider->config_fault);
        return NULL;
    }
    expected = signet__reference_parse(&reference, der, len);
    if (expected == NULL)
        key = signet__key_from_reference(provider, &reference, &expected);
    if (key == NULL)
        signet__raise(&provider->errors, SIGNET_R_BAD_REFERENCE, "%s", expected);
    return key;
}

int signet__give_key(signet__key *key, OSSL_CALLBACK *give, void *give_arg) {
    int type = OSSL_OBJECT_PKEY, ok;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type),
        OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE, (char *)signet__key_type_name(key->type), 0),
        OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_REFERENCE, &key, sizeof key), OSSL_PARAM_construct_end()};
    ok = give(params, give_arg);
    signet__key_free(key);
    return ok;
}

void *signet__decoder_new(void *provider) {
    return provider;
}

void signet__decoder_free(void *context) {
    (void)context;
}

int signet__decoder_does_selection(void *provider, int selection) {
    (void)provider;
    return selection == 0 || (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0;
}
