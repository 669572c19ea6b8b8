/* From the DER of a reference to a key, one decoder per type of key. Anything that is no reference of that type is
 * silently left alone; the PEM decoder in front has told what is wrong with one. */
#include "decode.h"
#include <openssl/crypto.h>

static signet__key *parse_key(const signet__provider *provider, const unsigned char *der, size_t len);

static int decode(const signet__provider *provider, signet__key_type type, OSSL_CORE_BIO *in, OSSL_CALLBACK *give,
                  void *give_arg) {
    unsigned char der[SIGNET_REFERENCE_BYTES_MAX];
    size_t len;
    signet__key *key = NULL;

    if (signet__read_der(provider, in, der, sizeof der, &len))
        key = parse_key(provider, der, len);
    /* What was read may have been a genuine private key. */
    OPENSSL_cleanse(der, sizeof der);
    if (key != NULL && key->type == type)
        return signet__give_key(key, give, give_arg);
    signet__key_free(key);
    return 1;
}

static signet__key *parse_key(const signet__provider *provider, const unsigned char *der, size_t len) {
    signet__reference reference;
    const char *expected;

    if (signet__reference_parse(&reference, der, len) != NULL)
        return NULL;
    return signet__key_from_reference(provider, &reference, &expected);
}

#define DER_DECODER(NAME, TYPE)                                                                                        \
    static int NAME##_decode(void *context, OSSL_CORE_BIO *in, int selection, OSSL_CALLBACK *give, void *give_arg,     \
                             OSSL_PASSPHRASE_CALLBACK *passphrase, void *passphrase_arg) {                             \
        (void)selection, (void)passphrase, (void)passphrase_arg;                                                       \
        return decode(context, TYPE, in, give, give_arg);                                                              \
    }                                                                                                                  \
    SIGNET_DECODER(NAME)

DER_DECODER(rsa, SIGNET_RSA)
DER_DECODER(rsa_pss, SIGNET_RSA_PSS)
DER_DECODER(ec, SIGNET_EC)
DER_DECODER(ed25519, SIGNET_ED25519)
