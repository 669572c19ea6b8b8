/* From the second form of a reference to a key, one decoder per type of key. A genuine key passes through here too, and
 * is left alone: only Signet's own OIDs are ours. */
#include "decode.h"
#include "pkcs8.h"
#include <openssl/crypto.h>

static signet__key *key_in(const signet__provider *provider, const signet__pkcs8 *pkcs8);

static int decode(const signet__provider *provider, signet__key_type type, OSSL_CORE_BIO *in, OSSL_CALLBACK *give,
                  void *give_arg) {
    unsigned char der[SIGNET_PKCS8_BYTES_MAX];
    size_t len;
    signet__pkcs8 pkcs8;
    signet__key *key = NULL;
    int ours = signet__read_der(provider, in, der, sizeof der, &len) && signet__pkcs8_parse(&pkcs8, der, len) &&
               pkcs8.type == type;

    if (ours)
        key = key_in(provider, &pkcs8);
    OPENSSL_cleanse(der, sizeof der);
    if (key != NULL)
        return signet__give_key(key, give, give_arg);
    return !ours;
}

static signet__key *key_in(const signet__provider *provider, const signet__pkcs8 *pkcs8) {
    signet__key *key;

    if (pkcs8->expected != NULL) {
        signet__raise(&provider->errors, SIGNET_R_BAD_REFERENCE, "%s", pkcs8->expected);
        return NULL;
    }
    key = signet__decode_reference(provider, pkcs8->reference, pkcs8->reference_len);
    if (key == NULL || key->type == pkcs8->type)
        return key;
    signet__raise(&provider->errors, SIGNET_R_BAD_REFERENCE,
                  "expected a reference of type %s, as the OID says; %s came", signet__key_type_name(pkcs8->type),
                  signet__key_type_name(key->type));
    signet__key_free(key);
    return NULL;
}

#define PKCS8_DECODER(NAME, TYPE)                                                                                      \
    static int NAME##_decode(void *context, OSSL_CORE_BIO *in, int selection, OSSL_CALLBACK *give, void *give_arg,     \
                             OSSL_PASSPHRASE_CALLBACK *passphrase, void *passphrase_arg) {                             \
        (void)selection, (void)passphrase, (void)passphrase_arg;                                                       \
        return decode(context, TYPE, in, give, give_arg);                                                              \
    }                                                                                                                  \
    SIGNET_DECODER(NAME)

PKCS8_DECODER(rsa_pkcs8, SIGNET_RSA)
PKCS8_DECODER(rsa_pss_pkcs8, SIGNET_RSA_PSS)
PKCS8_DECODER(ec_pkcs8, SIGNET_EC)
PKCS8_DECODER(ed25519_pkcs8, SIGNET_ED25519)
