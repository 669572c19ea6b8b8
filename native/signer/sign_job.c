/* The OpenSSL here is node's own, whose symbols the node program exports; the token's is apart (RTLD_DEEPBIND). */
#define _GNU_SOURCE
#include "sign_job.h"

#include "now.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

/* With VERIFY_SAMPLE, one signature in so many is verified. */
#define SAMPLE 64
/* RFC 8032 section 5.1.6. */
#define ED25519_BYTES 64

/* ---- making ---- */

/* What the mechanism takes: the digest, for PKCS#1 v1.5 inside its DigestInfo, for Ed25519 the message itself. */
struct token_input {
    unsigned char room[DIGEST_INFO_HEAD_BYTES + EVP_MAX_MD_SIZE];
    const unsigned char *bytes;
    size_t length;
};

/* The digest of the input, in `room` or where it came. NULL if OpenSSL fails. */
static const unsigned char *digest_of(const struct sign_way *way, const struct sign_input *input, unsigned char *room) {
    if (input->is_digest)
        return input->bytes;
    return EVP_Digest(input->bytes, input->length, room, NULL, way->hash, NULL) == 1 ? room : NULL;
}

static bool prepare(struct token_input *into, const struct sign_way *way, const struct sign_input *input) {
    if (!way->hash) {
        into->bytes = input->bytes;
        into->length = input->length;
        return true;
    }
    const size_t head = way->padding == PADDING_PKCS1 ? DIGEST_INFO_HEAD_BYTES : 0;
    const unsigned char *digest = digest_of(way, input, into->room + head);
    if (!digest)
        return false;
    into->bytes = digest;
    into->length = head + way->digest_length;
    if (head == 0)
        return true;
    memcpy(into->room, way->digest_info, head);
    if (digest != into->room + head)
        memcpy(into->room + head, digest, way->digest_length);
    into->bytes = into->room;
    return true;
}

/*
 * An operation that was left active is ended without a signature: PKCS#11 2.40 has no call for it, but C_SignFinal
 * "always terminates the active signing operation" (section 5.11), and there is no data yet.
 */
static CK_RV sign_init(CK_FUNCTION_LIST *module, CK_SESSION_HANDLE session, const struct sign_key *key,
                       const struct sign_way *way) {
    CK_RSA_PKCS_PSS_PARAMS pss = way->pss;
    CK_MECHANISM mechanism = {way->mechanism, NULL, 0};
    if (way->padding == PADDING_PSS)
        mechanism = (CK_MECHANISM){way->mechanism, &pss, sizeof pss};
    const CK_RV rv = module->C_SignInit(session, &mechanism, key->handle);
    if (rv == CKR_OPERATION_ACTIVE) {
        unsigned char dropped[SIGNATURE_BYTES_MAX];
        CK_ULONG length = sizeof dropped;
        module->C_SignFinal(session, dropped, &length);
    }
    return rv;
}

/* Writes a positive INTEGER (X.690 section 8.3) of big-endian bytes; gives its length. */
static size_t put_integer(unsigned char *into, const unsigned char *bytes, size_t length) {
    while (length > 1 && *bytes == 0)
        bytes++, length--;
    const size_t padding = *bytes >> 7;
    into[0] = 0x02;
    into[1] = (unsigned char)(padding + length);
    into[2] = 0;
    memcpy(into + 2 + padding, bytes, length);
    return 2 + padding + length;
}

/* r || s as SEQUENCE of two INTEGERs (RFC 3279 section 2.2.3), in place. False if it is none of a curve of ours. */
static bool as_der(struct sign_made *made) {
    unsigned char content[2 * (2 + 1 + 66)];
    const size_t half = made->length / 2;
    if (made->length % 2 != 0 || half == 0 || half > 66)
        return false;
    size_t length = put_integer(content, made->bytes, half);
    length += put_integer(content + length, made->bytes + half, half);
    unsigned char *at = made->bytes;
    *at++ = 0x30;
    if (length >= 0x80)
        *at++ = 0x81;
    *at++ = (unsigned char)length;
    memcpy(at, content, length);
    made->length = (size_t)(at - made->bytes) + length;
    return true;
}

CK_RV sign_make(CK_FUNCTION_LIST *module, CK_SESSION_HANDLE session, const struct sign_key *key,
                const struct sign_way *way, const struct sign_input *input, struct sign_made *made) {
    struct token_input to_sign;
    if (!prepare(&to_sign, way, input))
        return CKR_HOST_MEMORY;
    CK_ULONG length = sizeof made->bytes;
    const int64_t begun_ns = now_ns();
    CK_RV rv = sign_init(module, session, key, way);
    if (rv != CKR_OK)
        return rv;
    rv = module->C_Sign(session, (CK_BYTE_PTR)(uintptr_t)to_sign.bytes, to_sign.length, made->bytes, &length);
    made->took_us = (now_ns() - begun_ns + 500) / 1000;
    if (rv != CKR_OK)
        return rv;
    /* A module that says so has written past the end, or lies. */
    if (length > sizeof made->bytes)
        return CKR_GENERAL_ERROR;
    made->length = length;
    made->is_odd = way->is_ecdsa ? !as_der(made) : !way->hash && length != ED25519_BYTES;
    return CKR_OK;
}

/* ---- verifying ---- */

bool sign_is_due(enum sign_verify policy, struct sign_key *key, const struct sign_way *way) {
    const uint32_t before = atomic_fetch_add_explicit(&key->signatures, 1, memory_order_relaxed);
    if (policy == VERIFY_ALWAYS || way->padding != PADDING_NONE)
        return true;
    return policy == VERIFY_FIRST ? before == 0 : before % SAMPLE == 0;
}

/* NULL if OpenSSL cannot read it. Two that make it at once: one of them throws its own away. */
static EVP_PKEY *public_key_of(struct sign_key *key) {
    EVP_PKEY *known = atomic_load(&key->public_key);
    if (known)
        return known;
    const unsigned char *at = key->spki;
    EVP_PKEY *made = d2i_PUBKEY(NULL, &at, (long)key->spki_length);
    if (atomic_compare_exchange_strong(&key->public_key, &known, made))
        return made;
    EVP_PKEY_free(made);
    return known;
}

static bool verifies_message(EVP_PKEY *public_key, const struct sign_input *input, const struct sign_made *made) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    const bool well = context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, public_key) == 1 &&
                      EVP_DigestVerify(context, made->bytes, made->length, input->bytes, input->length) == 1;
    EVP_MD_CTX_free(context);
    return well;
}

static bool verifies_digest(EVP_PKEY *public_key, const struct sign_way *way, const struct sign_input *input,
                            const struct sign_made *made) {
    unsigned char room[EVP_MAX_MD_SIZE];
    const unsigned char *digest = digest_of(way, input, room);
    EVP_PKEY_CTX *context = digest ? EVP_PKEY_CTX_new(public_key, NULL) : NULL;
    bool well = context && EVP_PKEY_verify_init(context) == 1;
    if (well && way->padding == PADDING_PKCS1)
        well = EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
    if (well && way->padding == PADDING_PSS)
        well = EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1;
    well = well && EVP_PKEY_CTX_set_signature_md(context, way->hash) == 1;
    if (well && way->padding == PADDING_PSS)
        well = EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
    well = well && EVP_PKEY_verify(context, made->bytes, made->length, digest, way->digest_length) == 1;
    EVP_PKEY_CTX_free(context);
    return well;
}

bool sign_verifies(struct sign_key *key, const struct sign_way *way, const struct sign_input *input,
                   const struct sign_made *made) {
    ERR_set_mark();
    EVP_PKEY *public_key = public_key_of(key);
    const bool well = public_key && (way->hash ? verifies_digest(public_key, way, input, made)
                                               : verifies_message(public_key, input, made));
    ERR_pop_to_mark();
    return well;
}

void sign_key_clear(struct sign_key *key) {
    EVP_PKEY_free(atomic_load(&key->public_key));
    free(key->spki);
}
