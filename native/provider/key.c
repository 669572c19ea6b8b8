#include "key.h"
#include "shadow.h"
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

static const char *const EXPECTED_KEY =
    "expected the public key in canonical DER: RSA (rsaEncryption, 2048 to 4096 bits), EC on P-256, P-384 or P-521 (a "
    "named curve, an uncompressed point) or Ed25519";

static int ec_bits_of(EVP_PKEY *shadow);
static signet__key *make_key(const signet__provider *provider, signet__key_type type, const signet__public_key *public);
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

int signet__key_type_of(const signet__reference *reference, signet__key_type *type) {
    signet__public_key public;

    if (!signet__public_key_parse(&public, (signet__span){reference->spki, reference->spki_len}))
        return 0;
    *type = public.kind == SIGNET__KEY_RSA ? SIGNET_RSA : public.kind == SIGNET__KEY_EC ? SIGNET_EC : SIGNET_ED25519;
    if (reference->rsa_pss && *type == SIGNET_RSA)
        *type = SIGNET_RSA_PSS;
    return 1;
}

signet__key *signet__key_from_reference(const signet__provider *provider, const signet__reference *reference,
                                        const char **expected) {
    signet__public_key public;
    signet__key_type type;
    signet__key *key;

    *expected = EXPECTED_KEY;
    if (!signet__key_type_of(reference, &type) ||
        !signet__public_key_parse(&public, (signet__span){reference->spki, reference->spki_len}))
        return NULL;
    if (reference->rsa_pss && type != SIGNET_RSA_PSS) {
        *expected = "expected the mark rsaPss with an RSA key only";
        return NULL;
    }
    signet__errors_begin();
    key = make_key(provider, type, &public);
    if (key != NULL && name_key(key, reference))
        *expected = NULL;
    signet__errors_end(1);
    if (*expected == NULL)
        return key;
    signet__key_free(key);
    return NULL;
}

static signet__key *make_key(const signet__provider *provider, signet__key_type type,
                             const signet__public_key *public) {
    EVP_PKEY *shadow = signet__shadow_new(provider, type, public);
    signet__key *key = shadow != NULL ? signet__key_new(provider, type) : NULL;

    if (key != NULL)
        signet__key_set_public(key, shadow);
    else
        EVP_PKEY_free(shadow);
    return key;
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
