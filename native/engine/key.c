#include "key.h"
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <string.h>

static EVP_PKEY *make(ENGINE *engine, const signet__public_key *public_key);
static EVP_PKEY *make_rsa(const signet__public_key *public_key);
static EVP_PKEY *make_ec(const signet__public_key *public_key);
static int curve_of(unsigned bits);

EVP_PKEY *signet__key_new(ENGINE *engine, const signet__catalogue_key *known) {
    unsigned char spki_sha256[32];
    EVP_PKEY *key = make(engine, &known->public_key);

    if (key == NULL)
        return NULL;
    /* The service is asked by what libcrypto makes of the key, so that must be what the catalogue says. */
    if (signet__key_identity(key, spki_sha256) && memcmp(spki_sha256, known->spki_sha256, sizeof spki_sha256) == 0 &&
        EVP_PKEY_set1_engine(key, engine))
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

EVP_PKEY *signet__key_new_public(const signet__catalogue_key *known) {
    const unsigned char *at = known->spki.bytes;

    return d2i_PUBKEY(NULL, &at, (long)known->spki.len);
}

int signet__key_identity(EVP_PKEY *key, unsigned char spki_sha256[32]) {
    unsigned char *spki = NULL;
    int len = i2d_PUBKEY(key, &spki);
    int ok = len > 0 && SHA256(spki, (size_t)len, spki_sha256) != NULL;

    OPENSSL_free(spki);
    return ok;
}

bool signet__key_facts(EVP_PKEY *key, signet__public_key *kind) {
    *kind = (signet__public_key){.bits = (unsigned)EVP_PKEY_bits(key)};
    switch (EVP_PKEY_base_id(key)) {
    case EVP_PKEY_RSA:
        kind->kind = SIGNET__KEY_RSA;
        return true;
    case EVP_PKEY_EC:
        kind->kind = SIGNET__KEY_EC;
        return true;
    case EVP_PKEY_ED25519:
        kind->kind = SIGNET__KEY_ED25519;
        return true;
    default:
        return false;
    }
}

/* Of the old kind on purpose: libcrypto 3 hands a key of a provider to no engine, and what d2i_PUBKEY makes is one. */
static EVP_PKEY *make(ENGINE *engine, const signet__public_key *public_key) {
    if (public_key->kind == SIGNET__KEY_RSA)
        return make_rsa(public_key);
    if (public_key->kind == SIGNET__KEY_EC)
        return make_ec(public_key);
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, engine, public_key->point.bytes, public_key->point.len);
}

static EVP_PKEY *make_rsa(const signet__public_key *public_key) {
    BIGNUM *n = BN_bin2bn(public_key->modulus.bytes, (int)public_key->modulus.len, NULL);
    BIGNUM *e = BN_bin2bn(public_key->exponent.bytes, (int)public_key->exponent.len, NULL);
    EVP_PKEY *key = EVP_PKEY_new();
    RSA *rsa = RSA_new();

    if (n != NULL && e != NULL && rsa != NULL && RSA_set0_key(rsa, n, e, NULL)) {
        n = e = NULL;
        if (key != NULL && EVP_PKEY_assign_RSA(key, rsa))
            return key;
    }
    BN_free(n);
    BN_free(e);
    RSA_free(rsa);
    EVP_PKEY_free(key);
    return NULL;
}

static EVP_PKEY *make_ec(const signet__public_key *public_key) {
    EC_KEY *ec = EC_KEY_new_by_curve_name(curve_of(public_key->bits));
    EVP_PKEY *key = EVP_PKEY_new();

    if (ec != NULL && key != NULL && EC_KEY_oct2key(ec, public_key->point.bytes, public_key->point.len, NULL) &&
        EVP_PKEY_assign_EC_KEY(key, ec))
        return key;
    EC_KEY_free(ec);
    EVP_PKEY_free(key);
    return NULL;
}

static int curve_of(unsigned bits) {
    return bits == 256 ? NID_X9_62_prime256v1 : bits == 384 ? NID_secp384r1 : NID_secp521r1;
}
