#include "operation.h"

#include "ckr.h"
#include "hash.h"
#include "input.h"
#include "settings.h"
#include "signature.h"
#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES_AT_FIRST 256
#define LABEL_BYTES_TOLD 64

struct signet__operation {
    const signet__mechanism *mechanism;
    /* SIGNET__NO_HASH with a DigestInfo, until that was read. */
    signet__hash hash;
    /* Of the catalogue at the time of C_SignInit; its spans are not used. */
    signet__public_key public_key;
    unsigned char spki_sha256[SIGNET_SPKI_SHA256_BYTES];
    char label[LABEL_BYTES_TOLD + 1];
    bool begun;
    /* What came, unless it is too long: then the hash of it. */
    unsigned char *bytes;
    size_t len, room;
    bool is_hashed;
    signet__hashing hashing;
};

static CK_RV buffer(signet__operation *operation, const CK_BYTE *bytes, size_t len);
static CK_RV hash_instead(signet__operation *operation);
static CK_RV prepare(signet__operation *operation, signet_sign_request *request);
static CK_RV ask(signet__operation *operation, signet_client *client, const signet_sign_request *request,
                 CK_BYTE *signature);

CK_RV signet__operation_new(const CK_MECHANISM *asked, const signet__catalogue_key *key, signet__operation **made) {
    const signet__mechanism *mechanism = signet__mechanism_find(asked->mechanism);
    size_t label_len = key->label.len < LABEL_BYTES_TOLD ? key->label.len : LABEL_BYTES_TOLD;
    signet__operation *operation;
    signet__hash hash;
    CK_RV rv;

    if (mechanism == NULL)
        return CKR_MECHANISM_INVALID;
    if (mechanism->kind != key->public_key.kind)
        return CKR_KEY_TYPE_INCONSISTENT;
    rv = signet__mechanism_parameter(mechanism, asked, &hash);
    if (rv != CKR_OK)
        return rv;
    if (asked->mechanism == CKM_ECDSA)
        hash = signet__hash_of_curve(&key->public_key);
    if (mechanism->input != SIGNET__DIGEST_INFO &&
        signet__signature_scheme(&key->public_key, mechanism->padding, hash) == 0)
        return CKR_KEY_SIZE_RANGE;
    operation = calloc(1, sizeof *operation);
    if (operation == NULL)
        return CKR_HOST_MEMORY;
    operation->mechanism = mechanism;
    operation->hash = hash;
    operation->public_key = key->public_key;
    memcpy(operation->spki_sha256, key->spki_sha256, sizeof operation->spki_sha256);
    memcpy(operation->label, key->label.bytes, label_len);
    *made = operation;
    return CKR_OK;
}

void signet__operation_free(signet__operation *operation) {
    if (operation == NULL)
        return;
    free(operation->bytes);
    free(operation);
}

size_t signet__operation_signature_bytes(const signet__operation *operation) {
    return signet__signature_bytes(&operation->public_key);
}

bool signet__operation_begun(const signet__operation *operation) {
    return operation->begun;
}

CK_RV signet__operation_add(signet__operation *operation, const CK_BYTE *bytes, size_t len) {
    CK_RV rv = CKR_OK;

    operation->begun = true;
    if (!operation->is_hashed && len > SIGNET_MESSAGE_BYTES_MAX - operation->len)
        rv = hash_instead(operation);
    if (rv != CKR_OK || len == 0)
        return rv;
    if (!operation->is_hashed)
        return buffer(operation, bytes, len);
    signet__hash_add(&operation->hashing, bytes, len);
    return CKR_OK;
}

CK_RV signet__operation_finish(signet__operation *operation, signet_client *client, CK_BYTE *signature) {
    signet_sign_request request = {0};
    unsigned char digest[SHA512_DIGEST_LENGTH];
    CK_RV rv;

    if (operation->is_hashed) {
        signet__hash_end(&operation->hashing, digest);
        request.input = digest;
        request.input_len = signet__hash_bytes(operation->hash);
        request.input_is_digest = 1;
    } else {
        rv = prepare(operation, &request);
        if (rv != CKR_OK)
            return rv;
    }
    memcpy(request.spki_sha256, operation->spki_sha256, sizeof request.spki_sha256);
    request.scheme = signet__signature_scheme(&operation->public_key, operation->mechanism->padding, operation->hash);
    return ask(operation, client, &request, signature);
}

static CK_RV buffer(signet__operation *operation, const CK_BYTE *bytes, size_t len) {
    size_t room = operation->room == 0 ? BUFFER_BYTES_AT_FIRST : operation->room;
    unsigned char *grown;

    while (room < operation->len + len)
        room *= 2;
    if (room > operation->room) {
        grown = realloc(operation->bytes, room);
        if (grown == NULL)
            return CKR_HOST_MEMORY;
        operation->bytes = grown;
        operation->room = room;
    }
    memcpy(operation->bytes + operation->len, bytes, len);
    operation->len += len;
    return CKR_OK;
}

/* From here on the service sees only a digest, which needs the use "digest". Ed25519 has none to see. */
static CK_RV hash_instead(signet__operation *operation) {
    if (operation->mechanism->input != SIGNET__MESSAGE || operation->hash == SIGNET__NO_HASH)
        return CKR_DATA_LEN_RANGE;
    signet__hash_begin(&operation->hashing, operation->hash);
    if (operation->len > 0)
        signet__hash_add(&operation->hashing, operation->bytes, operation->len);
    operation->is_hashed = true;
    return CKR_OK;
}

static CK_RV prepare(signet__operation *operation, signet_sign_request *request) {
    signet__span input = {operation->bytes, operation->len};
    CK_RV rv = CKR_OK;

    if (operation->mechanism->input == SIGNET__DIGEST_INFO)
        rv = signet__digest_info_read(&input, &operation->hash);
    else if (operation->mechanism->input == SIGNET__DIGEST && input.len != signet__hash_bytes(operation->hash))
        rv = CKR_DATA_LEN_RANGE;
    else if (input.len == 0)
        rv = CKR_DATA_LEN_RANGE;
    request->input = input.bytes;
    request->input_len = input.len;
    request->input_is_digest = operation->mechanism->input != SIGNET__MESSAGE;
    return rv;
}

static CK_RV ask(signet__operation *operation, signet_client *client, const signet_sign_request *request,
                 CK_BYTE *signature) {
    signet_sign_result result;
    signet_status status = signet_client_sign(client, request, &result);

    if (status != SIGNET_OK) {
        signet__tell("no signature with the key \"%s\", scheme 0x%04x: %s", operation->label, (unsigned)request->scheme,
                     result.reason);
        return signet__ckr_of_status(status);
    }
    if (signet__signature_to_pkcs11(&operation->public_key, result.signature, result.signature_len, signature))
        return CKR_OK;
    signet__tell("the service's signature with the key \"%s\" is not of the key's kind", operation->label);
    return CKR_GENERAL_ERROR;
}
