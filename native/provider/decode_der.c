/* From the DER of a reference to a key, one decoder per type of key. Anything that is no reference of that type is
 * silently left alone; the PEM decoder in front has told what is wrong with one. */
#include "decode.h"
#include <openssl/crypto.h>

static signet__key *parse_key(const signet__provider *provider, signet__key_type type, const unsigned char *der,
                              size_t len);

static int decode(const signet__provider *provider, signet__key_type type, OSSL_CORE_BIO *in, OSSL_CALLBACK *give,
                  void *give_arg) {
    unsigned char der[SIGNET_REFERENCE_BYTES_MAX];
    size_t len;
    signet__key *key = NULL;

    if (signet__read_der(provider, in, der, sizeof der, &len))
        key = parse_key(provider, type, der, len);
    /* What was read may have been a genuine private key. */
    OPENSSL_cleanse(der, sizeof der);
    return key == NULL || signet__give_key(key, give, give_arg);
}

/* Each of the decoders is asked, and NGINX may load a key for every handshake: libcrypto makes a key of it only once.
 */
static signet__key *parse_key(const signet__provider *provider, signet__key_type type, const unsigned char *der,
                              size_t len) {
    signet__reference reference;
    signet__key_type found;
    const char *expected;

    if (signet__reference_parse(&reference, der, len) != NULL || !signet__key_type_of(&reference, &found) ||
        found != type)
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
