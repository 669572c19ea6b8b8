#include "sign.h"
#include "errors.h"
#include "key.h"
#include "known.h"
#include "service.h"
#include "signature_scheme.h"
#include "wait.h"
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

/* What is signed with, as far as it was chosen. */
typedef struct {
    EVP_PKEY *key;
    signet__public_key kind;
    /* NULL: none was chosen. */
    const EVP_MD *md;
    signet__hash hash;
    uint32_t scheme;
} choice;

static int read_choice(EVP_PKEY_CTX *context, choice *choice);
static int read_padding(EVP_PKEY_CTX *context, const choice *choice, signet__padding *padding);
static int check_pss(EVP_PKEY_CTX *context, const choice *choice);
static signet__hash hash_of(const EVP_MD *md);
static const char *expected_of(const signet__public_key *kind);
static int answer_size(EVP_PKEY_CTX *context, size_t *made_len);
static int sign_long(const choice *choice, unsigned char *made, size_t *made_len, const unsigned char *message,
                     size_t message_len);
static int ask_service(const choice *choice, const unsigned char *input, size_t len, int is_digest, unsigned char *made,
                       size_t *made_len);
static int take_answer(const choice *choice, const signet_sign_request *request, const signet_sign_result *result,
                       unsigned char *made, size_t *made_len);

int signet__digest_sign(EVP_MD_CTX *context, unsigned char *made, size_t *made_len, const unsigned char *message,
                        size_t message_len) {
    EVP_PKEY_CTX *chosen = EVP_MD_CTX_pkey_ctx(context);
    choice choice;

    if (made == NULL)
        return answer_size(chosen, made_len);
    if (!read_choice(chosen, &choice))
        return 0;
    if (message_len > SIGNET_MESSAGE_BYTES_MAX)
        return sign_long(&choice, made, made_len, message, message_len);
    return ask_service(&choice, message, message_len, 0, made, made_len);
}

int signet__sign(EVP_PKEY_CTX *context, unsigned char *made, size_t *made_len, const unsigned char *digest,
                 size_t digest_len) {
    choice choice;

    if (made == NULL)
        return answer_size(context, made_len);
    if (!read_choice(context, &choice))
        return 0;
    if (digest_len != signet__hash_bytes(choice.hash))
        return signet__raise(SIGNET__R_BAD_INPUT, "expected a digest of %zu bytes; %zu came",
                             signet__hash_bytes(choice.hash), digest_len);
    return ask_service(&choice, digest, digest_len, 1, made, made_len);
}

int signet__digest_fits(EVP_PKEY_CTX *context, const EVP_MD *md) {
    EVP_PKEY *key = EVP_PKEY_CTX_get0_pkey(context);
    signet__public_key kind;

    if (key == NULL || !signet__key_facts(key, &kind))
        return signet__raise(SIGNET__R_NO_SCHEME, "expected a key of the engine");
    if (signet__signature_scheme(&kind, kind.kind == SIGNET__KEY_RSA ? SIGNET__PKCS1 : SIGNET__NO_PADDING,
                                 hash_of(md)) != 0)
        return 1;
    return signet__raise(SIGNET__R_NO_SCHEME, "%s; digest %s came", expected_of(&kind), EVP_MD_name(md));
}

static int read_choice(EVP_PKEY_CTX *context, choice *choice) {
    signet__padding padding = SIGNET__NO_PADDING;

    choice->key = EVP_PKEY_CTX_get0_pkey(context);
    choice->md = NULL;
    if (choice->key == NULL || !signet__key_facts(choice->key, &choice->kind))
        return signet__raise(SIGNET__R_NO_SCHEME, "expected a key of the engine");
    if (choice->kind.kind != SIGNET__KEY_ED25519)
        EVP_PKEY_CTX_get_signature_md(context, &choice->md);
    choice->hash = hash_of(choice->md);
    /* Where no digest was named, a curve's is the only one. */
    if (choice->md == NULL && choice->kind.kind == SIGNET__KEY_EC)
        choice->hash = signet__hash_of_curve(&choice->kind);
    if (choice->kind.kind == SIGNET__KEY_RSA && !read_padding(context, choice, &padding))
        return 0;
    choice->scheme = signet__signature_scheme(&choice->kind, padding, choice->hash);
    if (choice->scheme != 0)
        return 1;
    return signet__raise(SIGNET__R_NO_SCHEME, "%s; digest %s came", expected_of(&choice->kind),
                         choice->md != NULL ? EVP_MD_name(choice->md) : "none");
}

static int read_padding(EVP_PKEY_CTX *context, const choice *choice, signet__padding *padding) {
    int mode = 0;

    if (EVP_PKEY_CTX_get_rsa_padding(context, &mode) > 0 && mode == RSA_PKCS1_PADDING) {
        *padding = SIGNET__PKCS1;
        return 1;
    }
    *padding = SIGNET__PSS;
    if (mode == RSA_PKCS1_PSS_PADDING)
        return check_pss(context, choice);
    return signet__raise(SIGNET__R_NO_SCHEME,
                         "padding: expected pkcs1 (1) or pss (6); mode %d came; raw RSA does not exist here", mode);
}

/* The only PSS of TLS: MGF1 with the same hash, a salt as long as the digest (RFC 8446 section 4.2.3). */
static int check_pss(EVP_PKEY_CTX *context, const choice *choice) {
    const EVP_MD *mgf1 = NULL;
    int salt = RSA_PSS_SALTLEN_DIGEST;

    if (choice->md == NULL)
        return 1;
    if (EVP_PKEY_CTX_get_rsa_mgf1_md(context, &mgf1) > 0 && mgf1 != NULL &&
        EVP_MD_type(mgf1) != EVP_MD_type(choice->md))
        return signet__raise(SIGNET__R_NO_SCHEME, "PSS with %s: expected MGF1 with the same digest; %s came",
                             EVP_MD_name(choice->md), EVP_MD_name(mgf1));
    if (EVP_PKEY_CTX_get_rsa_pss_saltlen(context, &salt) > 0 &&
        (salt == RSA_PSS_SALTLEN_DIGEST || salt == EVP_MD_size(choice->md)))
        return 1;
    return signet__raise(SIGNET__R_NO_SCHEME,
                         "PSS with %s: expected a salt of %d bytes (rsa_pss_saltlen:digest); %d came",
                         EVP_MD_name(choice->md), EVP_MD_size(choice->md), salt);
}

static signet__hash hash_of(const EVP_MD *md) {
    switch (md == NULL ? NID_undef : EVP_MD_type(md)) {
    case NID_sha256:
        return SIGNET__SHA256;
    case NID_sha384:
        return SIGNET__SHA384;
    case NID_sha512:
        return SIGNET__SHA512;
    default:
        return SIGNET__NO_HASH;
    }
}

static const char *expected_of(const signet__public_key *kind) {
    if (kind->kind == SIGNET__KEY_RSA)
        return "an RSA key signs with SHA-256, SHA-384 or SHA-512, padded by PKCS#1 v1.5 or PSS";
    if (kind->kind == SIGNET__KEY_ED25519)
        return "an Ed25519 key signs the message itself, without a digest";
    return kind->bits == 256   ? "a P-256 key signs with SHA-256"
           : kind->bits == 384 ? "a P-384 key signs with SHA-384"
                               : "a P-521 key signs with SHA-512";
}

/* libcrypto asks for the room before every signature: no request for that. */
static int answer_size(EVP_PKEY_CTX *context, size_t *made_len) {
    EVP_PKEY *key = EVP_PKEY_CTX_get0_pkey(context);

    if (key == NULL)
        return 0;
    *made_len = (size_t)EVP_PKEY_size(key);
    return 1;
}

static int sign_long(const choice *choice, unsigned char *made, size_t *made_len, const unsigned char *message,
                     size_t message_len) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_len = 0;

    if (choice->md == NULL)
        return signet__raise(SIGNET__R_BAD_INPUT, "expected at most %d bytes for a key that signs no digest; %zu came",
                             SIGNET_MESSAGE_BYTES_MAX, message_len);
    if (!EVP_Digest(message, message_len, digest, &digest_len, choice->md, NULL))
        return 0;
    return ask_service(choice, digest, digest_len, 1, made, made_len);
}

/* May pause the ASYNC_JOB: no lock is held, and nothing of the error queue is marked here. */
static int ask_service(const choice *choice, const unsigned char *input, size_t len, int is_digest, unsigned char *made,
                       size_t *made_len) {
    signet_sign_request request = {
        .scheme = choice->scheme, .input = input, .input_len = len, .input_is_digest = is_digest};
    char fault[SIGNET__FAULT_BYTES_MAX];
    signet_sign_result result;
    signet__service *service;

    if (len == 0)
        return signet__raise(SIGNET__R_BAD_INPUT, "expected a message of at least 1 byte");
    if (!signet__key_identity(choice->key, request.spki_sha256))
        return signet__raise(SIGNET__R_NO_MEMORY, "the public key could not be written");
    service = signet__service_take(fault);
    if (service == NULL)
        return signet__raise(SIGNET__R_BAD_CONFIGURATION, "%s", fault);
    memset(&result, 0, sizeof result);
    signet__sign_and_wait(service->client, service->loop, &request, &result);
    signet__service_give_back(service);
    return take_answer(choice, &request, &result, made, made_len);
}

/* What a server's error log says: which key, which scheme, and what became of it. */
static int take_answer(const choice *choice, const signet_sign_request *request, const signet_sign_result *result,
                       unsigned char *made, size_t *made_len) {
    char label[SIGNET__LABEL_BYTES_MAX + 1], hash[17];

    if (result->status == SIGNET_OK && result->signature_len <= *made_len) {
        memcpy(made, result->signature, result->signature_len);
        *made_len = result->signature_len;
        return 1;
    }
    if (result->status == SIGNET_OK)
        return signet__raise(SIGNET__R_BUFFER_TOO_SMALL, "expected room for %zu bytes; there is for %zu",
                             result->signature_len, *made_len);
    for (int i = 0; i < 8; i++)
        snprintf(hash + 2 * i, 3, "%02x", request->spki_sha256[i]);
    signet__known_label(request->spki_sha256, label);
    return signet__raise(SIGNET__R_STATUS + (int)result->status, "signet: key \"%s\" (%s), scheme 0x%04x, %s: %s",
                         label, hash, (unsigned)choice->scheme, signet_status_word(result->status), result->reason);
}
