/* Making a signature: the whole message goes to the service, or its digest where that is all there is. */
#include "signature.h"
#include "wait.h"
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

static int ask_service(const signet__signature *signature, const signet__scheme *scheme, const unsigned char *input,
                       size_t len, int is_digest, unsigned char *out, size_t *out_len, size_t out_room);
static int answer_size(const signet__signature *signature, size_t *out_len);
static const signet__scheme *scheme_of(const signet__signature *signature);
static int adopt_digest_of(signet__signature *signature, size_t digest_len);
static int raise_outcome(const signet__signature *signature, const signet__scheme *scheme,
                         const signet_sign_result *result);

int signet__sign_init(void *signature_in, void *key, const OSSL_PARAM params[]) {
    signet__signature *signature = signature_in;
    return signet__signature_set_key(signature, key) && signet__signature_set_params(signature, params);
}

int signet__sign(void *signature_in, unsigned char *out, size_t *out_len, size_t out_room, const unsigned char *digest,
                 size_t digest_len) {
    signet__signature *signature = signature_in;
    const signet__scheme *scheme;

    if (out == NULL)
        return answer_size(signature, out_len);
    if (!adopt_digest_of(signature, digest_len))
        return 0;
    scheme = scheme_of(signature);
    return scheme != NULL && ask_service(signature, scheme, digest, digest_len, 1, out, out_len, out_room);
}

int signet__digest_sign_init(void *signature_in, const char *digest_name, void *key, const OSSL_PARAM params[]) {
    signet__signature *signature = signature_in;
    return signet__signature_set_key(signature, key) && signet__signature_set_digest(signature, digest_name) &&
           signet__signature_set_params(signature, params);
}

int signet__digest_sign(void *signature_in, unsigned char *out, size_t *out_len, size_t out_room,
                        const unsigned char *message, size_t message_len) {
    signet__signature *signature = signature_in;
    const signet__scheme *scheme;

    if (out == NULL)
        return answer_size(signature, out_len);
    scheme = scheme_of(signature);
    if (scheme == NULL)
        return 0;
    if (message_len <= SIGNET_MESSAGE_BYTES_MAX)
        return ask_service(signature, scheme, message, message_len, 0, out, out_len, out_room);
    return signet__digest_sign_update(signature, message, message_len) &&
           signet__digest_sign_final(signature, out, out_len, out_room);
}

int signet__digest_sign_update(void *signature_in, const unsigned char *data, size_t len) {
    signet__signature *signature = signature_in;
    int ok;

    signet__errors_begin();
    ok = signet__message_append(&signature->message, data, len, signature->provider->shadow_libctx, signature->digest);
    if (signet__errors_end(ok))
        return 1;
    return signet__raise(&signature->provider->errors, SIGNET_R_BAD_INPUT,
                         "out of memory, or a message of more than %d bytes for %s", SIGNET_MESSAGE_BYTES_MAX,
                         "a key that cannot sign a digest (Ed25519)");
}

int signet__digest_sign_final(void *signature_in, unsigned char *out, size_t *out_len, size_t out_room) {
    signet__signature *signature = signature_in;
    const signet__message *message = &signature->message;
    const signet__scheme *scheme;
    unsigned char digest[EVP_MAX_MD_SIZE];
    size_t digest_len;
    int ok;

    if (out == NULL)
        return answer_size(signature, out_len);
    scheme = scheme_of(signature);
    if (scheme == NULL)
        return 0;
    if (message->hash == NULL)
        return ask_service(signature, scheme, message->bytes, message->len, 0, out, out_len, out_room);
    signet__errors_begin();
    ok = signet__message_digest(message, digest, &digest_len);
    return signet__errors_end(ok) && ask_service(signature, scheme, digest, digest_len, 1, out, out_len, out_room);
}

/* libcrypto asks for the room before every signature: no request for that. */
static int answer_size(const signet__signature *signature, size_t *out_len) {
    if (signature->key == NULL)
        return 0;
    *out_len = (size_t)EVP_PKEY_get_size(signature->key->shadow);
    return 1;
}

static const signet__scheme *scheme_of(const signet__signature *signature) {
    const signet__scheme *scheme;

    if (signature->key == NULL || !signet__signature_check(signature))
        return NULL;
    scheme = signet__scheme_find(signature->key, signature->padding, signature->digest);
    if (scheme == NULL)
        signet__raise(&signature->provider->errors, SIGNET_R_NO_SCHEME, "%s; no digest was named",
                      signet__scheme_expected(signature->key));
    return scheme;
}

/* A bare digest must be of the named length; ECDSA may leave it unnamed, since there the digest is signed without its
 * name. */
static int adopt_digest_of(signet__signature *signature, size_t digest_len) {
    static const signet__digest digests[] = {SIGNET_SHA256, SIGNET_SHA384, SIGNET_SHA512};

    if (signature->digest == SIGNET_NO_DIGEST && signature->key != NULL && signature->key->type == SIGNET_EC)
        for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++)
            if (signet__digest_bytes(digests[i]) == digest_len)
                signature->digest = digests[i];
    if (signature->digest == SIGNET_NO_DIGEST)
        return signet__raise(&signature->provider->errors, SIGNET_R_NO_SCHEME,
                             "expected a named digest (-pkeyopt digest:SHA256); raw data of %zu bytes came",
                             digest_len);
    if (digest_len == signet__digest_bytes(signature->digest))
        return 1;
    return signet__raise(&signature->provider->errors, SIGNET_R_BAD_INPUT,
                         "expected a %s digest of %zu bytes; %zu came", signet__digest_name(signature->digest),
                         signet__digest_bytes(signature->digest), digest_len);
}

/* May pause the ASYNC_JOB: nothing of the error queue is marked here. */
static int ask_service(const signet__signature *signature, const signet__scheme *scheme, const unsigned char *input,
                       size_t len, int is_digest, unsigned char *out, size_t *out_len, size_t out_room) {
    const signet__provider *provider = signature->provider;
    signet_sign_request request = {
        .scheme = scheme->code, .input = input, .input_len = len, .input_is_digest = is_digest};
    signet_sign_result result;

    if (len == 0)
        return signet__raise(&provider->errors, SIGNET_R_BAD_INPUT, "expected a message of at least 1 byte");
    if (provider->client == NULL)
        return signet__raise(&provider->errors, SIGNET_R_BAD_CONFIGURATION, "%s", provider->config_fault);
    memcpy(request.spki_sha256, signature->key->spki_sha256, sizeof request.spki_sha256);
    memset(&result, 0, sizeof result);
    if (signet__sign_and_wait(provider->client, provider->loop, &request, &result) != SIGNET_OK)
        return raise_outcome(signature, scheme, &result);
    if (result.signature_len > out_room)
        return signet__raise(&provider->errors, SIGNET_R_BUFFER_TOO_SMALL,
                             "expected room for %zu bytes; there is for %zu", result.signature_len, out_room);
    memcpy(out, result.signature, result.signature_len);
    *out_len = result.signature_len;
    return 1;
}

/* What a server's error log says: which key, which scheme, and what became of it. */
static int raise_outcome(const signet__signature *signature, const signet__scheme *scheme,
                         const signet_sign_result *result) {
    const signet__key *key = signature->key;
    char hash[17];

    for (int i = 0; i < 8; i++)
        snprintf(hash + 2 * i, 3, "%02x", key->spki_sha256[i]);
    return signet__raise(&signature->provider->errors, SIGNET_R_STATUS + (int)result->status,
                         "signet: key \"%s\" (%s), %s, %s: %s", key->label, hash, scheme->name,
                         signet_status_word(result->status), result->reason);
}
