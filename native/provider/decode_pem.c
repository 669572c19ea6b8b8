/* From PEM to DER: picks our own label out of whatever a file holds. */
#include "decode.h"
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <string.h>

typedef struct {
    char *label;
    char *header;
    unsigned char *der;
    long len;
} pem_block;

static int read_block(pem_block *block, const signet__provider *provider, OSSL_CORE_BIO *in);
static void clear_block(pem_block *block);
static int check_reference(const signet__provider *provider, const pem_block *block);
static int pass_der(const pem_block *block, OSSL_CALLBACK *give, void *give_arg);

/*
 * 1 without calling `give` means "not for me". The block must then have been read to its end all the same: libcrypto
 * gives up on a file in which nobody moves forward. A damaged block with our label is an error, since nobody else can
 * want it.
 */
static int pem_decode(void *context, OSSL_CORE_BIO *in, int selection, OSSL_CALLBACK *give, void *give_arg,
                      OSSL_PASSPHRASE_CALLBACK *passphrase, void *passphrase_arg) {
    const signet__provider *provider = context;
    pem_block block = {NULL, NULL, NULL, 0};
    int ok = 1;

    (void)selection, (void)passphrase, (void)passphrase_arg;
    if (read_block(&block, provider, in) && strcmp(block.label, SIGNET_REFERENCE_PEM_LABEL) == 0)
        ok = check_reference(provider, &block) && pass_der(&block, give, give_arg);
    clear_block(&block);
    return ok;
}

static int read_block(pem_block *block, const signet__provider *provider, OSSL_CORE_BIO *in) {
    /* A genuine private key may pass through here: secure memory. */
    const unsigned int flags = PEM_FLAG_SECURE | PEM_FLAG_EAY_COMPATIBLE;
    BIO *bio;
    int ok;

    signet__errors_begin();
    bio = BIO_new_from_core_bio(provider->shadow_libctx, in);
    ok = bio != NULL && PEM_read_bio_ex(bio, &block->label, &block->header, &block->der, &block->len, flags);
    BIO_free(bio);
    signet__errors_end(1);
    return ok;
}

static void clear_block(pem_block *block) {
    OPENSSL_secure_free(block->label);
    OPENSSL_secure_free(block->header);
    OPENSSL_secure_clear_free(block->der, (size_t)block->len);
}

static int check_reference(const signet__provider *provider, const pem_block *block) {
    signet__key *key = signet__decode_reference(provider, block->der, (size_t)block->len);

    signet__key_free(key);
    return key != NULL;
}

static int pass_der(const pem_block *block, OSSL_CALLBACK *give, void *give_arg) {
    int type = OSSL_OBJECT_PKEY;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_DATA, block->der, (size_t)block->len),
        OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_STRUCTURE, (char *)SIGNET_REFERENCE_STRUCTURE, 0),
        OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type), OSSL_PARAM_construct_end()};
    return give(params, give_arg);
}

SIGNET_DECODER(pem)
