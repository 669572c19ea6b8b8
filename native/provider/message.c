#include "message.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

static int keep(signet__message *message, const unsigned char *data, size_t len);
static int start_hashing(signet__message *message, OSSL_LIB_CTX *libctx, signet__digest digest);

void signet__message_clear(signet__message *message) {
    OPENSSL_free(message->bytes);
    EVP_MD_CTX_free(message->hash);
    memset(message, 0, sizeof *message);
}

int signet__message_copy(signet__message *to, const signet__message *from) {
    memset(to, 0, sizeof *to);
    if (from->len > 0 && !keep(to, from->bytes, from->len))
        return 0;
    if (from->hash == NULL)
        return 1;
    to->hash = EVP_MD_CTX_new();
    return to->hash != NULL && EVP_MD_CTX_copy_ex(to->hash, from->hash);
}

int signet__message_append(signet__message *message, const unsigned char *data, size_t len, OSSL_LIB_CTX *libctx,
                           signet__digest digest) {
    if (message->hash == NULL && len <= SIGNET_MESSAGE_BYTES_MAX - message->len)
        return keep(message, data, len);
    if (message->hash == NULL && !start_hashing(message, libctx, digest))
        return 0;
    return EVP_DigestUpdate(message->hash, data, len);
}

int signet__message_digest(const signet__message *message, unsigned char *out, size_t *len) {
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    unsigned int written = 0;
    int ok = copy != NULL && EVP_MD_CTX_copy_ex(copy, message->hash) && EVP_DigestFinal_ex(copy, out, &written);

    EVP_MD_CTX_free(copy);
    *len = written;
    return ok;
}

static int keep(signet__message *message, const unsigned char *data, size_t len) {
    if (len > message->room - message->len) {
        size_t room = message->room == 0 ? 512 : message->room;
        while (room < message->len + len)
            room *= 2;
        unsigned char *bytes = OPENSSL_realloc(message->bytes, room);
        if (bytes == NULL)
            return 0;
        message->bytes = bytes;
        message->room = room;
    }
    if (len > 0)
        memcpy(message->bytes + message->len, data, len);
    message->len += len;
    return 1;
}

static int start_hashing(signet__message *message, OSSL_LIB_CTX *libctx, signet__digest digest) {
    EVP_MD *md = digest == SIGNET_NO_DIGEST ? NULL : EVP_MD_fetch(libctx, signet__digest_name(digest), NULL);
    int ok;

    if (md == NULL)
        return 0;
    message->hash = EVP_MD_CTX_new();
    ok = message->hash != NULL && EVP_DigestInit_ex(message->hash, md, NULL) &&
         EVP_DigestUpdate(message->hash, message->bytes, message->len);
    EVP_MD_free(md);
    message->len = 0;
    return ok;
}
