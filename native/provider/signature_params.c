/* Parameters of a signature: digest, padding, salt length, MGF1's digest; and the AlgorithmIdentifier that follows from
 * them. */
#include "signature.h"
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

/* RSA_PSS_SALTLEN_AUTO_DIGEST_MAX of OpenSSL 3.1: at most the digest's length, which every key of 2048 bits and more
 * has room for. */
#define SALT_AUTO_DIGEST_MAX (-4)

static int set_padding(signet__signature *signature, const OSSL_PARAM *p);
static int set_salt(signet__signature *signature, const OSSL_PARAM *p);
static int set_mgf1(signet__signature *signature, const OSSL_PARAM *p);
static int set_digest(signet__signature *signature, const OSSL_PARAM *p);
static int get_padding(const signet__signature *signature, OSSL_PARAM *p);
static int get_salt(const signet__signature *signature, OSSL_PARAM *p);
static int get_algorithm_id(const signet__signature *signature, OSSL_PARAM *p);

int signet__signature_set_params(void *signature_in, const OSSL_PARAM params[]) {
    static const struct {
        const char *name;
        int (*set)(signet__signature *, const OSSL_PARAM *);
    } setters[] = {
        {OSSL_SIGNATURE_PARAM_DIGEST, set_digest},
        {OSSL_SIGNATURE_PARAM_PAD_MODE, set_padding},
        {OSSL_SIGNATURE_PARAM_PSS_SALTLEN, set_salt},
        {OSSL_SIGNATURE_PARAM_MGF1_DIGEST, set_mgf1},
    };
    signet__signature *signature = signature_in;
    const OSSL_PARAM *p;

    if (params == NULL)
        return 1;
    if (signature->verify != NULL)
        return EVP_PKEY_CTX_set_params(signature->verify, params);
    for (size_t i = 0; i < sizeof setters / sizeof setters[0]; i++)
        if ((p = OSSL_PARAM_locate_const(params, setters[i].name)) != NULL && !setters[i].set(signature, p))
            return 0;
    return signet__signature_check(signature);
}

int signet__signature_get_params(void *signature_in, OSSL_PARAM params[]) {
    const signet__signature *signature = signature_in;
    const char *digest = signet__digest_name(signature->digest);
    const char *mgf1 = signature->mgf1 == SIGNET_NO_DIGEST ? digest : signet__digest_name(signature->mgf1);
    OSSL_PARAM *p;

    if (signature->verify != NULL)
        return EVP_PKEY_CTX_get_params(signature->verify, params);
    if ((p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_DIGEST)) != NULL &&
        !OSSL_PARAM_set_utf8_string(p, digest != NULL ? digest : ""))
        return 0;
    if ((p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_MGF1_DIGEST)) != NULL &&
        !OSSL_PARAM_set_utf8_string(p, mgf1 != NULL ? mgf1 : ""))
        return 0;
    if ((p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_PAD_MODE)) != NULL && !get_padding(signature, p))
        return 0;
    if ((p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN)) != NULL && !get_salt(signature, p))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID);
    return p == NULL || get_algorithm_id(signature, p);
}

int signet__signature_set_digest(signet__signature *signature, const char *name) {
    signet__digest digest = SIGNET_NO_DIGEST;

    if (name == NULL || name[0] == '\0' || strcmp(name, "UNDEF") == 0)
        return signet__signature_check(signature);
    if (!signet__digest_find(name, &digest))
        return signet__raise(&signature->provider->errors, SIGNET_R_NO_SCHEME, "%s; digest %s came",
                             signature->key != NULL ? signet__scheme_expected(signature->key)
                                                    : "expected SHA-256, SHA-384 or SHA-512",
                             name);
    signature->digest = digest;
    return signet__signature_check(signature);
}

int signet__signature_check(const signet__signature *signature) {
    const signet__errors *errors = &signature->provider->errors;
    const char *digest = signet__digest_name(signature->digest);
    int is_pss = signature->padding == SIGNET_PSS;

    if (signature->key == NULL)
        return 1;
    if (signature->digest == SIGNET_NO_DIGEST && signature->key->type != SIGNET_ED25519)
        return 1;
    if (signet__scheme_find(signature->key, signature->padding, signature->digest) == NULL)
        return signet__raise(errors, SIGNET_R_NO_SCHEME, "%s; digest %s came", signet__scheme_expected(signature->key),
                             digest != NULL ? digest : "none");
    if (is_pss && signature->salt != SIGNET_SALT_DIGEST &&
        (size_t)signature->salt != signet__digest_bytes(signature->digest))
        return signet__raise(errors, SIGNET_R_NO_SCHEME,
                             "PSS with %s: expected a salt of %zu bytes (rsa_pss_saltlen:digest); %d came", digest,
                             signet__digest_bytes(signature->digest), signature->salt);
    if (is_pss && signature->mgf1 != SIGNET_NO_DIGEST && signature->mgf1 != signature->digest)
        return signet__raise(errors, SIGNET_R_NO_SCHEME, "PSS with %s: expected MGF1 with the same digest; %s came",
                             digest, signet__digest_name(signature->mgf1));
    return 1;
}

static int text_of(const OSSL_PARAM *p, const char **text) {
    return p->data_type == OSSL_PARAM_UTF8_STRING && OSSL_PARAM_get_utf8_string_ptr(p, text);
}

static int set_digest(signet__signature *signature, const OSSL_PARAM *p) {
    const char *name;
    if (!text_of(p, &name))
        return signet__raise(&signature->provider->errors, SIGNET_R_BAD_PARAMETER, "digest: expected a name");
    return signet__signature_set_digest(signature, name);
}

static int set_mgf1(signet__signature *signature, const OSSL_PARAM *p) {
    const char *name = "?";
    if (text_of(p, &name) && signet__digest_find(name, &signature->mgf1))
        return 1;
    return signet__raise(&signature->provider->errors, SIGNET_R_NO_SCHEME,
                         "mgf1-digest: expected SHA-256, SHA-384 or SHA-512; %s came", name);
}

static int set_padding(signet__signature *signature, const OSSL_PARAM *p) {
    const char *name = NULL;
    int mode = 0;

    if (!text_of(p, &name))
        OSSL_PARAM_get_int(p, &mode);
    if (mode == RSA_PKCS1_PADDING || (name != NULL && strcmp(name, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0))
        signature->padding = SIGNET_PKCS1;
    else if (mode == RSA_PKCS1_PSS_PADDING || (name != NULL && strcmp(name, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0))
        signature->padding = SIGNET_PSS;
    else
        return signet__raise(&signature->provider->errors, SIGNET_R_NO_SCHEME,
                             "padding: expected pkcs1 (1) or pss (6); %s (%d) came; raw RSA does not exist here",
                             name != NULL ? name : "mode", mode);
    return 1;
}

/* OpenSSL's special lengths by name (provider documentation of RSA signatures); others are numbers. */
static int salt_named(const char *name) {
    if (strcmp(name, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) == 0)
        return RSA_PSS_SALTLEN_DIGEST;
    if (strcmp(name, OSSL_PKEY_RSA_PSS_SALT_LEN_MAX) == 0)
        return RSA_PSS_SALTLEN_MAX;
    if (strcmp(name, OSSL_PKEY_RSA_PSS_SALT_LEN_AUTO) == 0)
        return RSA_PSS_SALTLEN_AUTO;
    if (strcmp(name, "auto-digestmax") == 0)
        return SALT_AUTO_DIGEST_MAX;
    return atoi(name);
}

static int set_salt(signet__signature *signature, const OSSL_PARAM *p) {
    const char *name;
    int salt = RSA_PSS_SALTLEN_MAX;

    if (text_of(p, &name))
        salt = salt_named(name);
    else
        OSSL_PARAM_get_int(p, &salt);
    if (salt == SALT_AUTO_DIGEST_MAX)
        salt = SIGNET_SALT_DIGEST;
    if (salt < SIGNET_SALT_DIGEST)
        return signet__raise(&signature->provider->errors, SIGNET_R_NO_SCHEME,
                             "PSS salt length: expected the digest's (rsa_pss_saltlen:digest); %s came",
                             salt == RSA_PSS_SALTLEN_AUTO ? "auto" : "max");
    signature->salt = salt;
    return 1;
}

static int get_padding(const signet__signature *signature, OSSL_PARAM *p) {
    int is_pss = signature->padding == SIGNET_PSS;
    if (p->data_type == OSSL_PARAM_UTF8_STRING)
        return OSSL_PARAM_set_utf8_string(p, is_pss ? OSSL_PKEY_RSA_PAD_MODE_PSS : OSSL_PKEY_RSA_PAD_MODE_PKCSV15);
    return OSSL_PARAM_set_int(p, is_pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING);
}

static int get_salt(const signet__signature *signature, OSSL_PARAM *p) {
    if (p->data_type == OSSL_PARAM_UTF8_STRING)
        return OSSL_PARAM_set_utf8_string(p, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST);
    return OSSL_PARAM_set_int(p, signature->salt);
}

static int get_algorithm_id(const signet__signature *signature, OSSL_PARAM *p) {
    const signet__scheme *scheme =
        signature->key == NULL ? NULL : signet__scheme_find(signature->key, signature->padding, signature->digest);
    return scheme != NULL && OSSL_PARAM_set_octet_string(p, scheme->algorithm_id, scheme->algorithm_id_len);
}

#define TEXT(NAME) OSSL_PARAM_DEFN(NAME, OSSL_PARAM_UTF8_STRING, NULL, 0)
#define ALGORITHM_ID OSSL_PARAM_DEFN(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, OSSL_PARAM_OCTET_STRING, NULL, 0)
#define RSA_PARAMS                                                                                                     \
    TEXT(OSSL_SIGNATURE_PARAM_DIGEST), TEXT(OSSL_SIGNATURE_PARAM_PAD_MODE), TEXT(OSSL_SIGNATURE_PARAM_PSS_SALTLEN),    \
        TEXT(OSSL_SIGNATURE_PARAM_MGF1_DIGEST)

#define PARAM_TABLE(NAME, ...)                                                                                         \
    const OSSL_PARAM *NAME(void *signature, void *provider) {                                                          \
        static const OSSL_PARAM params[] = {__VA_ARGS__, OSSL_PARAM_END};                                              \
        (void)signature, (void)provider;                                                                               \
        return params;                                                                                                 \
    }

PARAM_TABLE(signet__rsa_settable, RSA_PARAMS)
PARAM_TABLE(signet__rsa_gettable, RSA_PARAMS, ALGORITHM_ID)
PARAM_TABLE(signet__ecdsa_settable, TEXT(OSSL_SIGNATURE_PARAM_DIGEST))
PARAM_TABLE(signet__ecdsa_gettable, TEXT(OSSL_SIGNATURE_PARAM_DIGEST), ALGORITHM_ID)
PARAM_TABLE(signet__ed25519_gettable, ALGORITHM_ID)
