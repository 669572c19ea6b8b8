/*
 * One signature: which key and scheme a job names, C_SignInit and C_Sign, what TLS carries of the result, and whether
 * it verifies. Nothing here knows of threads or of the front; sign_loop.h does.
 */
#ifndef SIGNET_SIGN_JOB_H
#define SIGNET_SIGN_JOB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <p11-kit/pkcs11.h>

/* More than any signature of ours (RSA-4096: 512), so that CKR_BUFFER_TOO_SMALL cannot leave an operation open. */
#define SIGNATURE_BYTES_MAX 1024
#define DIGEST_INFO_HEAD_BYTES 19
#define SPKI_SHA256_BYTES 32
/* What a key that has signed nothing yet is expected to take. */
#define NEVER_SIGNED_US INT64_MAX

/* Which signatures are verified (docs/design.md, decision 9); RSA's always are. */
enum sign_verify { VERIFY_ALWAYS, VERIFY_FIRST, VERIFY_SAMPLE };

/* A SignatureScheme, as src/algorithms.ts has it. */
struct sign_way {
    uint16_t scheme;
    CK_MECHANISM_TYPE mechanism;
    /* NULL where the message itself is signed (Ed25519). */
    EVP_MD *hash;
    size_t digest_length;
    enum { PADDING_NONE, PADDING_PKCS1, PADDING_PSS } padding;
    /* PKCS#11 gives r || s, TLS carries a SEQUENCE of two INTEGERs. */
    bool is_ecdsa;
    CK_RSA_PKCS_PSS_PARAMS pss;
    /* DigestInfo up to the digest (RFC 8017 section 9.2, note 1). */
    unsigned char digest_info[DIGEST_INFO_HEAD_BYTES];
};

/* A private key of the token. All but the last four members stay as they are while anybody signs. */
struct sign_key {
    unsigned char spki_sha256[SPKI_SHA256_BYTES];
    CK_OBJECT_HANDLE handle;
    /* A bit for each way that it may go. */
    uint32_t ways;
    unsigned char *spki;
    size_t spki_length;
    /* Of `spki`, made when it is first needed. */
    _Atomic(EVP_PKEY *) public_key;
    _Atomic uint32_t signatures;
    /* What the last of them took the token, in microseconds. */
    _Atomic int64_t last_us;
};

struct sign_input {
    const unsigned char *bytes;
    size_t length;
    bool is_digest;
};

/* A signature as TLS carries it. */
struct sign_made {
    unsigned char bytes[SIGNATURE_BYTES_MAX];
    size_t length;
    /* C_SignInit and C_Sign. */
    int64_t took_us;
    /* What the token gave cannot be a signature of its kind: it is to be verified, which it will not. */
    bool is_odd;
};

/* One C_SignInit and one C_Sign; what the token answered. An operation that was left active before is ended (then
 * CKR_OPERATION_ACTIVE). The input fits the way. */
CK_RV sign_make(CK_FUNCTION_LIST *module, CK_SESSION_HANDLE session, const struct sign_key *key,
                const struct sign_way *way, const struct sign_input *input, struct sign_made *made);

/* Counts the signature, and says whether it is one to verify. */
bool sign_is_due(enum sign_verify policy, struct sign_key *key, const struct sign_way *way);
/* Whether a signature is the key's over the input. Nothing is left on OpenSSL's error queue. */
bool sign_verifies(struct sign_key *key, const struct sign_way *way, const struct sign_input *input,
                   const struct sign_made *made);

/* Frees what a key owns. */
void sign_key_clear(struct sign_key *key);

#endif
