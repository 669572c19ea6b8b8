#include "method.h"
#include "lock.h"
#include "sign.h"
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>

#define METHODS 3

typedef int control_function(EVP_PKEY_CTX *context, int type, int number, void *value);

static const int nids_of_keys[METHODS] = {EVP_PKEY_RSA, EVP_PKEY_EC, EVP_PKEY_ED25519};
static EVP_PKEY_METHOD *methods[METHODS];
static int engines;
/* libcrypto's own. */
static control_function *control_of_rsa, *control_of_ec;

static int make(void);
static EVP_PKEY_METHOD *copy_of(int nid);
static void replace_control(EVP_PKEY_METHOD *method, control_function *ours, control_function **theirs);
static int control_rsa(EVP_PKEY_CTX *context, int type, int number, void *value);
static int control_ec(EVP_PKEY_CTX *context, int type, int number, void *value);

/* Engines are bound one after the other. */
int signet__methods_take(void) {
    if (engines == 0 && !make()) {
        engines = 1;
        signet__methods_give_back();
        return 0;
    }
    engines++;
    return 1;
}

int signet__methods_give_back(void) {
    if (--engines > 0)
        return 0;
    for (int i = 0; i < METHODS; i++) {
        EVP_PKEY_meth_free(methods[i]);
        methods[i] = NULL;
    }
    return 1;
}

/*
 * Lists none, so that nothing can make them the default for all keys of a program: neither ENGINE_set_default nor
 * NGINX's `ssl_engine`. That would take keys of files, and of providers, away from where they belong.
 */
int signet__methods(ENGINE *engine, EVP_PKEY_METHOD **method, const int **nids, int nid) {
    (void)engine;
    if (method == NULL) {
        *nids = nids_of_keys;
        return 0;
    }
    *method = NULL;
    for (int i = 0; i < METHODS; i++)
        if (nids_of_keys[i] == nid)
            *method = methods[i];
    return *method != NULL;
}

static int make(void) {
    for (int i = 0; i < METHODS; i++) {
        methods[i] = copy_of(nids_of_keys[i]);
        if (methods[i] == NULL)
            return 0;
        EVP_PKEY_meth_set_digestsign(methods[i], signet__digest_sign);
    }
    EVP_PKEY_meth_set_sign(methods[0], NULL, signet__sign);
    EVP_PKEY_meth_set_sign(methods[1], NULL, signet__sign);
    replace_control(methods[0], control_rsa, &control_of_rsa);
    replace_control(methods[1], control_ec, &control_of_ec);
    return 1;
}

/* What would need the private key in this process is left out. */
static EVP_PKEY_METHOD *copy_of(int nid) {
    const EVP_PKEY_METHOD *builtin = EVP_PKEY_meth_find(nid);
    EVP_PKEY_METHOD *copy;
    int id, flags;

    if (builtin == NULL)
        return NULL;
    EVP_PKEY_meth_get0_info(&id, &flags, builtin);
    copy = EVP_PKEY_meth_new(nid, flags);
    if (copy == NULL)
        return NULL;
    EVP_PKEY_meth_copy(copy, builtin);
    EVP_PKEY_meth_set_decrypt(copy, NULL, NULL);
    EVP_PKEY_meth_set_derive(copy, NULL, NULL);
    return copy;
}

static void replace_control(EVP_PKEY_METHOD *method, control_function *ours, control_function **theirs) {
    int (*by_name)(EVP_PKEY_CTX * context, const char *type, const char *value);

    EVP_PKEY_meth_get_ctrl(method, theirs, &by_name);
    EVP_PKEY_meth_set_ctrl(method, ours, by_name);
}

/* A digest that goes with no SignatureScheme is refused when it is chosen: libssl then takes another one. */
static int control_rsa(EVP_PKEY_CTX *context, int type, int number, void *value) {
    int ok;

    if (type == EVP_PKEY_CTRL_MD && value != NULL && !signet__digest_fits(context, value))
        return 0;
    ok = control_of_rsa(context, type, number, value);
    /* libcrypto's own default is the longest salt that there is room for. */
    if (ok > 0 && type == EVP_PKEY_CTRL_RSA_PADDING && number == RSA_PKCS1_PSS_PADDING)
        return control_of_rsa(context, EVP_PKEY_CTRL_RSA_PSS_SALTLEN, RSA_PSS_SALTLEN_DIGEST, NULL);
    return ok;
}

static int control_ec(EVP_PKEY_CTX *context, int type, int number, void *value) {
    if (type == EVP_PKEY_CTRL_MD && value != NULL && !signet__digest_fits(context, value))
        return 0;
    return control_of_ec(context, type, number, value);
}
