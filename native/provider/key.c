#include "key.h"
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/x509.h>
#include <string.h>

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 4096

static const char *const EXPECTED_KEY =
    "expected a public key of RSA (rsaEncryption, 2048 to 4096 bits), of EC on P-256, P-384 or P-521, or of Ed25519";
static const char *const EXPECTED_CANONICAL =
    "expected the public key in canonical DER (a named curve, an uncompressed point): export the reference anew";

static int find_type(EVP_PKEY *shadow, signet__key_type *type);
static int ec_bits_of(EVP_PKEY *shadow);
static int is_supported(const signet__key *key);
static int is_canonical(const signet__key *key, const signet__reference *reference);
static signet__key *parse_public(const signet__provider *provider, const signet__reference *reference);
static const char *why_not(const signet__key *key, const signet__reference *reference);
static int become_rsa_pss(signet__key *key);
static int name_key(signet__key *key, const signet__reference *reference);

signet__key *signet__key_new(const signet__provider *provider, signet__key_type type) {
    signet__key *key = OPENSSL_zalloc(sizeof *key);
    if (key == NULL)
        return NULL;
    key->provider = provider;
    key->type = type;
    atomic_init(&key->references, 1);
    return key;
}

signet__key *signet__key_retain(signet__key *key) {
    atomic_fetch_add(&key->references, 1);
    return key;
}

void signet__key_free(signet__key *key) {
    if (key == NULL || atomic_fetch_sub(&key->references, 1) > 1)
        return;
    EVP_PKEY_free(key->shadow);
    OPENSSL_free(key);
}

void signet__key_set_public(signet__key *key, EVP_PKEY *shadow) {
    key->shadow = shadow;
    key->ec_bits = key->type == SIGNET_EC ? ec_bits_of(shadow) : 0;
}

signet__key *signet__key_from_reference(const signet__provider *provider, const signet__reference *reference,
                                        const char **expected) {
    signet__key *key;

    signet__errors_begin();
    key = parse_public(provider, reference);
    *expected = why_not(key, reference);
    if (*expected == NULL && ((reference->rsa_pss && !become_rsa_pss(key)) || !name_key(key, reference)))
        *expected = "expected enough memory for the public key";
    signet__errors_end(1);
    if (*expected == NULL)
        return key;
    signet__key_free(key);
    return NULL;
}

static signet__key *parse_public(const signet__provider *provider, const signet__reference *reference) {
    const unsigned char *at = reference->spki;
    EVP_PKEY *shadow = d2i_PUBKEY_ex(NULL, &at, (long)reference->spki_len, provider->shadow_libctx, NULL);
    signet__key_type type;
    signet__key *key = NULL;

    if (shadow != NULL && find_type(shadow, &type))
        key = signet__key_new(provider, type);
    if (key != NULL)
        signet__key_set_public(key, shadow);
    else
        EVP_PKEY_free(shadow);
    return key;
}

/* Why a reference cannot be used; NULL if it can. */
static const char *why_not(const signet__key *key, const signet__reference *reference) {
    if (key == NULL || !is_supported(key))
        return EXPECTED_KEY;
    if (!is_canonical(key, reference))
        return EXPECTED_CANONICAL;
    if (reference->rsa_pss && key->type != SIGNET_RSA)
        return "expected the mark rsaPss with an RSA key only";
    return NULL;
}

/* The same numbers under id-RSASSA-PSS, without parameters. */
static int become_rsa_pss(signet__key *key) {
    OSSL_PARAM *numbers = NULL;
    EVP_PKEY *shadow = NULL;

    if (EVP_PKEY_todata(key->shadow, EVP_PKEY_PUBLIC_KEY, &numbers) == 1)
        shadow = signet__public_from_params(key->provider, SIGNET_RSA_PSS, EVP_PKEY_PUBLIC_KEY, numbers);
    OSSL_PARAM_free(numbers);
    if (shadow == NULL)
        return 0;
    EVP_PKEY_free(key->shadow);
    key->type = SIGNET_RSA_PSS;
    key->shadow = shadow;
    return 1;
}

EVP_PKEY *signet__public_from_params(const signet__provider *provider, signet__key_type type, int selection,
                                     const OSSL_PARAM params[]) {
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(provider->shadow_libctx, signet__key_type_name(type), NULL);
    EVP_PKEY *made = NULL;

    if (context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &made, selection, (OSSL_PARAM *)params) != 1)
        made = NULL;
    EVP_PKEY_CTX_free(context);
    return made;
}

/* From here on the service is asked to sign with it, under this identity. */
static int name_key(signet__key *key, const signet__reference *reference) {
    memcpy(key->label, reference->label, sizeof key->label);
    key->signs = 1;
    return EVP_Q_digest(key->provider->shadow_libctx, "SHA256", NULL, reference->spki, reference->spki_len,
                        key->spki_sha256, NULL);
}

const char *signet__key_type_name(signet__key_type type) {
    static const char *const names[] = {"RSA", "EC", "ED25519", "RSA-PSS"};
    return names[type];
}

static int find_type(EVP_PKEY *shadow, signet__key_type *type) {
    static const signet__key_type types[] = {SIGNET_RSA, SIGNET_EC, SIGNET_ED25519};

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (!EVP_PKEY_is_a(shadow, signet__key_type_name(types[i])))
            continue;
        *type = types[i];
        return 1;
    }
    return 0;
}

/* The bits of a named curve that has a SignatureScheme, else 0. */
static int ec_bits_of(EVP_PKEY *shadow) {
    static const char *const curves[] = {"prime256v1", "secp384r1", "secp521r1"};
    char name[64];

    if (!EVP_PKEY_get_group_name(shadow, name, sizeof name, NULL))
        return 0;
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++)
        if (strcmp(name, curves[i]) == 0)
            return EVP_PKEY_get_bits(shadow);
    return 0;
}

static int is_supported(const signet__key *key) {
    int bits = EVP_PKEY_get_bits(key->shadow);
    switch (key->type) {
    case SIGNET_RSA:
        return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX;
    case SIGNET_EC:
        return key->ec_bits != 0;
    default:
        return 1;
    }
}

/* Whether the reference spells its public key as everybody does who names the key by the hash of that spelling. */
static int is_canonical(const signet__key *key, const signet__reference *reference) {
    unsigned char *der = NULL;
    EVP_PKEY *plain = EVP_PKEY_dup(key->shadow);
    int len = -1, same;

    if (plain != NULL && EVP_PKEY_is_a(plain, "EC"))
        EVP_PKEY_set_utf8_string_param(plain, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                       OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED);
    if (plain != NULL)
        len = i2d_PUBKEY(plain, &der);
    same = len >= 0 && (size_t)len == reference->spki_len && memcmp(der, reference->spki, reference->spki_len) == 0;
    OPENSSL_free(der);
    EVP_PKEY_free(plain);
    return same;
}
