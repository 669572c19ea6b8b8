/* The module as a program sees it, with a client that signs by itself: what it shows, signs and refuses. */
#include "fixture.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIGNATURE_BYTES_MAX 512

static int initialize(void **state) {
    (void)state;
    write_catalogue((1u << KINDS) - 1);
    assert_int_equal(p11->C_Initialize(NULL), CKR_OK);
    return 0;
}

static int finalize(void **state) {
    (void)state;
    p11->C_Finalize(NULL);
    return 0;
}

/* ---- verification by OpenSSL, of what PKCS#11 gives */

static int verify_ec(EVP_PKEY_CTX *context, const unsigned char *made, size_t len, const unsigned char *digest,
                     size_t digest_len) {
    ECDSA_SIG *signature = ECDSA_SIG_new();
    unsigned char *der = NULL;
    int der_len, ok;

    ECDSA_SIG_set0(signature, BN_bin2bn(made, (int)len / 2, NULL), BN_bin2bn(made + len / 2, (int)len / 2, NULL));
    der_len = i2d_ECDSA_SIG(signature, &der);
    ok = EVP_PKEY_verify(context, der, (size_t)der_len, digest, digest_len);
    OPENSSL_free(der);
    ECDSA_SIG_free(signature);
    return ok;
}

static void assert_signed(int kind, const EVP_MD *md, bool pss, const void *message, size_t message_len,
                          const unsigned char *made, size_t len) {
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(keys[kind].genuine, NULL);
    unsigned char digest[64];
    unsigned digest_len;

    if (kind == ED25519_KEY) {
        EVP_MD_CTX *verifying = EVP_MD_CTX_new();
        assert_int_equal(EVP_DigestVerifyInit(verifying, NULL, NULL, NULL, keys[kind].genuine), 1);
        assert_int_equal(EVP_DigestVerify(verifying, made, len, message, message_len), 1);
        EVP_MD_CTX_free(verifying);
        EVP_PKEY_CTX_free(context);
        return;
    }
    EVP_Digest(message, message_len, digest, &digest_len, md, NULL);
    assert_int_equal(EVP_PKEY_verify_init(context), 1);
    assert_int_equal(EVP_PKEY_CTX_set_signature_md(context, md), 1);
    if (pss) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST), 1);
    }
    if (kind == RSA_KEY)
        assert_int_equal(EVP_PKEY_verify(context, made, len, digest, digest_len), 1);
    else
        assert_int_equal(verify_ec(context, made, len, digest, digest_len), 1);
    EVP_PKEY_CTX_free(context);
}

/* ---- signing */

typedef struct {
    CK_MECHANISM_TYPE type;
    int kind;
    const char *md;
    /* What goes in: the message ('m'), its digest ('d') or a DigestInfo ('i'). */
    char input;
    bool pss;
} way;

static const way ways[] = {
    {CKM_RSA_PKCS, RSA_KEY, "SHA256", 'i', false},
    {CKM_RSA_PKCS, RSA_KEY, "SHA384", 'i', false},
    {CKM_RSA_PKCS, RSA_KEY, "SHA512", 'i', false},
    {CKM_SHA256_RSA_PKCS, RSA_KEY, "SHA256", 'm', false},
    {CKM_SHA384_RSA_PKCS, RSA_KEY, "SHA384", 'm', false},
    {CKM_SHA512_RSA_PKCS, RSA_KEY, "SHA512", 'm', false},
    {CKM_RSA_PKCS_PSS, RSA_KEY, "SHA256", 'd', true},
    {CKM_RSA_PKCS_PSS, RSA_KEY, "SHA384", 'd', true},
    {CKM_RSA_PKCS_PSS, RSA_KEY, "SHA512", 'd', true},
    {CKM_SHA256_RSA_PKCS_PSS, RSA_KEY, "SHA256", 'm', true},
    {CKM_SHA384_RSA_PKCS_PSS, RSA_KEY, "SHA384", 'm', true},
    {CKM_SHA512_RSA_PKCS_PSS, RSA_KEY, "SHA512", 'm', true},
    {CKM_ECDSA, P256_KEY, "SHA256", 'd', false},
    {CKM_ECDSA, P384_KEY, "SHA384", 'd', false},
    {CKM_ECDSA, P521_KEY, "SHA512", 'd', false},
    {CKM_ECDSA_SHA256, P256_KEY, "SHA256", 'm', false},
    {CKM_ECDSA_SHA384, P384_KEY, "SHA384", 'm', false},
    {CKM_ECDSA_SHA512, P521_KEY, "SHA512", 'm', false},
    {CKM_EDDSA, ED25519_KEY, "SHA512", 'm', false},
};
#define WAYS (sizeof ways / sizeof ways[0])

static CK_RSA_PKCS_PSS_PARAMS pss_params(const char *md) {
    if (strcmp(md, "SHA256") == 0)
        return (CK_RSA_PKCS_PSS_PARAMS){CKM_SHA256, CKG_MGF1_SHA256, 32};
    if (strcmp(md, "SHA384") == 0)
        return (CK_RSA_PKCS_PSS_PARAMS){CKM_SHA384, CKG_MGF1_SHA384, 48};
    return (CK_RSA_PKCS_PSS_PARAMS){CKM_SHA512, CKG_MGF1_SHA512, 64};
}

static CK_RV sign_init(CK_SESSION_HANDLE session, const way *way) {
    CK_RSA_PKCS_PSS_PARAMS params = pss_params(way->md);
    CK_MECHANISM mechanism = {way->type, way->pss ? &params : NULL, way->pss ? sizeof params : 0};
    return p11->C_SignInit(session, &mechanism, find(session, way->kind, CKO_PRIVATE_KEY));
}

/* DigestInfo without a parser: the prefix of RFC 8017 differs in two bytes and two lengths. */
static size_t make_input(const way *way, const void *message, size_t len, unsigned char *input) {
    unsigned char prefix[] = {0x30, 0,    0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                              0x65, 0x03, 0x04, 0x02, 0,    0x05, 0x00, 0x04, 0};
    const EVP_MD *md = EVP_get_digestbyname(way->md);
    size_t before = way->input == 'i' ? sizeof prefix : 0;
    unsigned digest_len;

    if (way->input == 'm') {
        memcpy(input, message, len);
        return len;
    }
    EVP_Digest(message, len, input + before, &digest_len, md, NULL);
    prefix[1] = (unsigned char)(17 + digest_len);
    prefix[14] = (unsigned char)(digest_len / 16 - 1);
    prefix[18] = (unsigned char)digest_len;
    memcpy(input, prefix, before);
    return before + digest_len;
}

static void every_mechanism_makes_a_signature_that_verifies(void **state) {
    static const char message[] = "what is signed";
    unsigned char input[128], made[SIGNATURE_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < WAYS; i++) {
        CK_SESSION_HANDLE session = open_session(ways[i].kind);
        CK_ULONG len = sizeof made;
        size_t input_len = make_input(&ways[i], message, sizeof message, input);

        assert_int_equal(sign_init(session, &ways[i]), CKR_OK);
        assert_int_equal(p11->C_Sign(session, input, input_len, made, &len), CKR_OK);
        assert_signed(ways[i].kind, EVP_get_digestbyname(ways[i].md), ways[i].pss, message, sizeof message, made, len);
        p11->C_CloseSession(session);
    }
}

static void a_message_may_come_in_pieces(void **state) {
    unsigned char message[5000], made[SIGNATURE_BYTES_MAX];

    (void)state;
    memset(message, 'x', sizeof message);
    for (size_t i = 0; i < WAYS; i++) {
        CK_SESSION_HANDLE session = open_session(ways[i].kind);
        CK_ULONG len = sizeof made;

        if (ways[i].input != 'm')
            continue;
        assert_int_equal(sign_init(session, &ways[i]), CKR_OK);
        for (size_t at = 0; at < sizeof message; at += 1000)
            assert_int_equal(p11->C_SignUpdate(session, message + at, 1000), CKR_OK);
        assert_int_equal(p11->C_SignUpdate(session, NULL, 0), CKR_OK);
        assert_int_equal(p11->C_SignFinal(session, made, &len), CKR_OK);
        assert_signed(ways[i].kind, EVP_get_digestbyname(ways[i].md), ways[i].pss, message, sizeof message, made, len);
    }
    p11->C_CloseAllSessions(0);
    p11->C_CloseAllSessions(1);
}

static void last_line_of_log(char *line, int size) {
    char path[128];
    FILE *log;
    snprintf(path, sizeof path, "%s/log", folder);
    log = fopen(path, "r");
    assert_non_null(log);
    while (fgets(line, size, log) != NULL)
        ;
    fclose(log);
}

/* 16,384 bytes are the most that a request may have. */
static void a_message_is_sent_whole_unless_it_is_too_long(void **state) {
    static unsigned char message[16385];
    unsigned char made[SIGNATURE_BYTES_MAX];
    char line[64];

    (void)state;
    for (size_t i = 0; i < WAYS; i++) {
        CK_SESSION_HANDLE session = open_session(ways[i].kind);
        CK_ULONG len = sizeof made;

        if (ways[i].input != 'm')
            continue;
        assert_int_equal(sign_init(session, &ways[i]), CKR_OK);
        assert_int_equal(p11->C_Sign(session, message, 16384, made, &len), CKR_OK);
        last_line_of_log(line, sizeof line);
        assert_non_null(strstr(line, "message 16384"));
        assert_int_equal(sign_init(session, &ways[i]), CKR_OK);
        if (ways[i].kind == ED25519_KEY) {
            assert_int_equal(p11->C_Sign(session, message, 16385, made, &len), CKR_DATA_LEN_RANGE);
            continue;
        }
        assert_int_equal(p11->C_SignUpdate(session, message, 16384), CKR_OK);
        assert_int_equal(p11->C_SignUpdate(session, message, 1), CKR_OK);
        len = sizeof made;
        assert_int_equal(p11->C_SignFinal(session, made, &len), CKR_OK);
        last_line_of_log(line, sizeof line);
        assert_non_null(strstr(line, " digest "));
        assert_signed(ways[i].kind, EVP_get_digestbyname(ways[i].md), ways[i].pss, message, sizeof message, made, len);
    }
}

static void assert_init_fails(int kind, CK_MECHANISM_TYPE type, void *parameter, CK_ULONG len, CK_RV rv) {
    CK_SESSION_HANDLE session = open_session(kind);
    CK_MECHANISM mechanism = {type, parameter, len};

    assert_int_equal(p11->C_SignInit(session, &mechanism, find(session, kind, CKO_PRIVATE_KEY)), rv);
    p11->C_CloseSession(session);
}

static void what_does_not_fit_the_key_is_refused_before_the_service_hears_of_it(void **state) {
    CK_RSA_PKCS_PSS_PARAMS good = {CKM_SHA256, CKG_MGF1_SHA256, 32}, other_mgf = {CKM_SHA256, CKG_MGF1_SHA1, 32},
                           other_salt = {CKM_SHA256, CKG_MGF1_SHA256, 20}, sha1 = {CKM_SHA_1, CKG_MGF1_SHA1, 20};
    signet__eddsa_params prehashed = {1, 0, NULL}, pure = {0, 0, NULL};

    (void)state;
    assert_init_fails(RSA_KEY, CKM_RSA_X_509, NULL, 0, CKR_MECHANISM_INVALID);
    assert_init_fails(RSA_KEY, CKM_SHA1_RSA_PKCS, NULL, 0, CKR_MECHANISM_INVALID);
    assert_init_fails(RSA_KEY, CKM_ECDSA, NULL, 0, CKR_KEY_TYPE_INCONSISTENT);
    assert_init_fails(P256_KEY, CKM_SHA256_RSA_PKCS, NULL, 0, CKR_KEY_TYPE_INCONSISTENT);
    assert_init_fails(P256_KEY, CKM_EDDSA, NULL, 0, CKR_KEY_TYPE_INCONSISTENT);
    assert_init_fails(ED25519_KEY, CKM_ECDSA, NULL, 0, CKR_KEY_TYPE_INCONSISTENT);
    assert_init_fails(P256_KEY, CKM_ECDSA_SHA384, NULL, 0, CKR_KEY_SIZE_RANGE);
    assert_init_fails(P384_KEY, CKM_ECDSA_SHA256, NULL, 0, CKR_KEY_SIZE_RANGE);
    assert_init_fails(P521_KEY, CKM_ECDSA_SHA384, NULL, 0, CKR_KEY_SIZE_RANGE);
    assert_init_fails(P256_KEY, CKM_ECDSA, &good, sizeof good, CKR_MECHANISM_PARAM_INVALID);
    assert_init_fails(RSA_KEY, CKM_RSA_PKCS_PSS, NULL, 0, CKR_MECHANISM_PARAM_INVALID);
    assert_init_fails(RSA_KEY, CKM_RSA_PKCS_PSS, &good, sizeof good - 1, CKR_MECHANISM_PARAM_INVALID);
    assert_init_fails(RSA_KEY, CKM_RSA_PKCS_PSS, &other_mgf, sizeof other_mgf, CKR_MECHANISM_PARAM_INVALID);
    assert_init_fails(RSA_KEY, CKM_RSA_PKCS_PSS, &other_salt, sizeof other_salt, CKR_MECHANISM_PARAM_INVALID);
    assert_init_fails(RSA_KEY, CKM_RSA_PKCS_PSS, &sha1, sizeof sha1, CKR_MECHANISM_PARAM_INVALID);
    assert_init_fails(RSA_KEY, CKM_SHA384_RSA_PKCS_PSS, &good, sizeof good, CKR_MECHANISM_PARAM_INVALID);
    assert_init_fails(ED25519_KEY, CKM_EDDSA, &prehashed, sizeof prehashed, CKR_MECHANISM_PARAM_INVALID);
    assert_init_fails(ED25519_KEY, CKM_EDDSA, &pure, sizeof pure, CKR_OK);
}

static void assert_sign_fails(const way *way, const void *input, size_t input_len, CK_RV rv) {
    CK_SESSION_HANDLE session = open_session(way->kind);
    unsigned char made[SIGNATURE_BYTES_MAX];
    CK_ULONG len = sizeof made;

    assert_int_equal(sign_init(session, way), CKR_OK);
    assert_int_equal(p11->C_Sign(session, (CK_BYTE *)input, input_len, made, &len), rv);
    assert_int_equal(p11->C_Sign(session, (CK_BYTE *)input, input_len, made, &len), CKR_OPERATION_NOT_INITIALIZED);
    p11->C_CloseSession(session);
}

static void only_a_digest_info_and_a_digest_of_the_right_length_are_signed(void **state) {
    const way *pkcs1 = &ways[0], *pss = &ways[6], *p256 = &ways[12], *p521 = &ways[14];
    unsigned char info[128], bad[128];
    size_t len = make_input(pkcs1, "x", 1, info);

    (void)state;
    assert_sign_fails(pkcs1, info, len - 1, CKR_DATA_INVALID);
    assert_sign_fails(pkcs1, info + 19, 32, CKR_DATA_INVALID);
    assert_sign_fails(pkcs1, info, 36, CKR_DATA_INVALID);
    assert_sign_fails(pkcs1, NULL, 0, CKR_DATA_INVALID);
    for (size_t i = 0; i < 19; i++) {
        memcpy(bad, info, len);
        bad[i] ^= 1;
        assert_sign_fails(pkcs1, bad, len, CKR_DATA_INVALID);
    }
    assert_sign_fails(pss, info, 20, CKR_DATA_LEN_RANGE);
    assert_sign_fails(pss, info, 48, CKR_DATA_LEN_RANGE);
    assert_sign_fails(p256, info, 20, CKR_DATA_LEN_RANGE);
    assert_sign_fails(p256, info, 48, CKR_DATA_LEN_RANGE);
    assert_sign_fails(p521, info, 32, CKR_DATA_LEN_RANGE);
    assert_sign_fails(&ways[3], NULL, 0, CKR_DATA_LEN_RANGE);
    assert_sign_fails(&ways[3], NULL, 5, CKR_ARGUMENTS_BAD);
}

static void every_failure_of_the_service_has_its_code(void **state) {
    static const struct {
        const char *word;
        CK_RV rv;
    } failures[] = {
        {"unreachable", CKR_DEVICE_ERROR},
        {"late", CKR_FUNCTION_CANCELED},
        {"refused", CKR_KEY_FUNCTION_NOT_PERMITTED},
        {"bad request", CKR_DATA_INVALID},
        {"busy", CKR_FUNCTION_FAILED},
        {"no token", CKR_DEVICE_ERROR},
        {"token failed", CKR_FUNCTION_FAILED},
        {"protocol error", CKR_DEVICE_ERROR},
        {"internal error", CKR_GENERAL_ERROR},
    };

    (void)state;
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        setenv("SIGNET_FAKE_FAIL", failures[i].word, 1);
        p11->C_Finalize(NULL);
        assert_int_equal(p11->C_Initialize(NULL), CKR_OK);
        assert_sign_fails(&ways[3], "x", 1, failures[i].rv);
    }
    unsetenv("SIGNET_FAKE_FAIL");
}

static void digests_are_those_of_openssl(void **state) {
    static const struct {
        CK_MECHANISM_TYPE type;
        const char *md;
    } hashes[] = {{CKM_SHA256, "SHA256"}, {CKM_SHA384, "SHA384"}, {CKM_SHA512, "SHA512"}};
    CK_SESSION_HANDLE session = open_session(RSA_KEY);
    CK_MECHANISM sha1 = {CKM_SHA_1, NULL, 0};
    unsigned char expected[64], made[64];
    unsigned expected_len;
    CK_ULONG len;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        CK_MECHANISM mechanism = {hashes[i].type, NULL, 0};

        EVP_Digest("what is hashed", 14, expected, &expected_len, EVP_get_digestbyname(hashes[i].md), NULL);
        assert_int_equal(p11->C_DigestInit(session, &mechanism), CKR_OK);
        assert_int_equal(p11->C_DigestInit(session, &mechanism), CKR_OPERATION_ACTIVE);
        len = 0;
        assert_int_equal(p11->C_Digest(session, (CK_BYTE *)"what is hashed", 14, made, &len), CKR_BUFFER_TOO_SMALL);
        assert_int_equal(len, expected_len);
        assert_int_equal(p11->C_Digest(session, (CK_BYTE *)"what is hashed", 14, made, &len), CKR_OK);
        assert_memory_equal(made, expected, expected_len);
        assert_int_equal(p11->C_DigestInit(session, &mechanism), CKR_OK);
        assert_int_equal(p11->C_DigestUpdate(session, (CK_BYTE *)"what is ", 8), CKR_OK);
        assert_int_equal(p11->C_Digest(session, made, 1, made, &len), CKR_OPERATION_ACTIVE);
        assert_int_equal(p11->C_DigestUpdate(session, (CK_BYTE *)"hashed", 6), CKR_OK);
        memset(made, 0, sizeof made);
        assert_int_equal(p11->C_DigestFinal(session, made, &len), CKR_OK);
        assert_memory_equal(made, expected, expected_len);
        assert_int_equal(p11->C_DigestFinal(session, made, &len), CKR_OPERATION_NOT_INITIALIZED);
    }
    assert_int_equal(p11->C_DigestInit(session, &sha1), CKR_MECHANISM_INVALID);
}

static void the_length_can_be_asked_for_first(void **state) {
    static const CK_ULONG expected[] = {256, 64, 96, 132, 64};
    unsigned char made[SIGNATURE_BYTES_MAX];

    (void)state;
    for (size_t i = 3; i < WAYS; i++) {
        CK_SESSION_HANDLE session = open_session(ways[i].kind);
        CK_ULONG len = 0;

        if (ways[i].input != 'm')
            continue;
        assert_int_equal(sign_init(session, &ways[i]), CKR_OK);
        assert_int_equal(p11->C_Sign(session, (CK_BYTE *)"x", 1, NULL, &len), CKR_OK);
        assert_int_equal(len, expected[ways[i].kind]);
        len--;
        assert_int_equal(p11->C_Sign(session, (CK_BYTE *)"x", 1, made, &len), CKR_BUFFER_TOO_SMALL);
        assert_int_equal(len, expected[ways[i].kind]);
        assert_int_equal(p11->C_Sign(session, (CK_BYTE *)"x", 1, made, &len), CKR_OK);
        assert_signed(ways[i].kind, EVP_get_digestbyname(ways[i].md), ways[i].pss, "x", 1, made, len);
        p11->C_CloseSession(session);
    }
}

static void operations_of_a_session_come_one_after_another(void **state) {
    CK_SESSION_HANDLE session = open_session(P256_KEY);
    const way *way = &ways[15];
    unsigned char made[SIGNATURE_BYTES_MAX];
    CK_ULONG len = sizeof made;
    CK_RV (*cancel)(CK_SESSION_HANDLE, CK_FLAGS) = NULL;
    CK_RV (*get_interface)(CK_UTF8CHAR *, CK_VERSION *, CK_INTERFACE **, CK_FLAGS);
    CK_INTERFACE *interface;

    (void)state;
    get_interface = (CK_RV(*)(CK_UTF8CHAR *, CK_VERSION *, CK_INTERFACE **, CK_FLAGS))module_symbol("C_GetInterface");
    assert_int_equal(get_interface(NULL, NULL, &interface, 0), CKR_OK);
    cancel = ((signet__function_list_3_0 *)interface->pFunctionList)->C_SessionCancel;
    assert_int_equal(p11->C_SignUpdate(session, (CK_BYTE *)"x", 1), CKR_OPERATION_NOT_INITIALIZED);
    assert_int_equal(sign_init(session, way), CKR_OK);
    assert_int_equal(sign_init(session, way), CKR_OPERATION_ACTIVE);
    assert_int_equal(p11->C_SignUpdate(session, (CK_BYTE *)"x", 1), CKR_OK);
    assert_int_equal(p11->C_Sign(session, (CK_BYTE *)"x", 1, made, &len), CKR_OPERATION_ACTIVE);
    assert_int_equal(cancel(session, CKF_SIGN), CKR_OK);
    assert_int_equal(p11->C_SignFinal(session, made, &len), CKR_OPERATION_NOT_INITIALIZED);
    assert_int_equal(sign_init(session, way), CKR_OK);
    assert_int_equal(p11->C_SignInit(session, NULL, 0), CKR_OK);
    assert_int_equal(p11->C_SignFinal(session, made, &len), CKR_OPERATION_NOT_INITIALIZED);
    assert_int_equal(p11->C_FindObjects(session, NULL, 0, &len), CKR_OPERATION_NOT_INITIALIZED);
    assert_int_equal(p11->C_FindObjectsInit(session, NULL, 0), CKR_OK);
    assert_int_equal(p11->C_FindObjectsInit(session, NULL, 0), CKR_OPERATION_ACTIVE);
    assert_int_equal(p11->C_CloseSession(session), CKR_OK);
    assert_int_equal(p11->C_CloseSession(session), CKR_SESSION_HANDLE_INVALID);
}

static void only_a_private_key_of_the_slot_signs(void **state) {
    CK_SESSION_HANDLE session = open_session(P256_KEY), other = open_session(ED25519_KEY);
    CK_MECHANISM mechanism = {CKM_ECDSA_SHA256, NULL, 0};
    CK_OBJECT_HANDLE key = find(session, P256_KEY, CKO_PRIVATE_KEY);

    (void)state;
    assert_int_equal(p11->C_SignInit(session, &mechanism, find(session, P256_KEY, CKO_PUBLIC_KEY)),
                     CKR_KEY_TYPE_INCONSISTENT);
    assert_int_equal(p11->C_SignInit(session, &mechanism, 0), CKR_KEY_HANDLE_INVALID);
    assert_int_equal(p11->C_SignInit(session, &mechanism, key + 0x1000), CKR_KEY_HANDLE_INVALID);
    assert_int_equal(p11->C_SignInit(other, &mechanism, key), CKR_KEY_HANDLE_INVALID);
    assert_int_equal(p11->C_SignInit(session + 1, &mechanism, key), CKR_SESSION_HANDLE_INVALID);
}

/* ---- objects */

static void assert_attribute(int kind, CK_OBJECT_CLASS class, CK_ATTRIBUTE_TYPE type, const void *bytes, size_t len) {
    CK_SESSION_HANDLE session = open_session(kind);
    CK_OBJECT_HANDLE object = find(session, kind, class);
    unsigned char value[4096];
    CK_ATTRIBUTE asked = {type, NULL, 0};

    assert_int_equal(p11->C_GetAttributeValue(session, object, &asked, 1), CKR_OK);
    assert_int_equal(asked.ulValueLen, len);
    asked.pValue = value;
    assert_int_equal(p11->C_GetAttributeValue(session, object, &asked, 1), CKR_OK);
    assert_memory_equal(value, bytes, len);
    if (len > 0) {
        asked.ulValueLen = len - 1;
        assert_int_equal(p11->C_GetAttributeValue(session, object, &asked, 1), CKR_BUFFER_TOO_SMALL);
        assert_true(asked.ulValueLen == CK_UNAVAILABLE_INFORMATION);
    }
    p11->C_CloseSession(session);
}

static void assert_flag(int kind, CK_OBJECT_CLASS class, CK_ATTRIBUTE_TYPE type, bool expected) {
    CK_BBOOL value = expected;
    assert_attribute(kind, class, type, &value, sizeof value);
}

static void keys_and_certificates_say_what_openssl_says(void **state) {
    static const CK_KEY_TYPE types[] = {CKK_RSA, CKK_EC, CKK_EC, CKK_EC, CKK_EC_EDWARDS};
    unsigned char der[4096], *at;
    CK_ULONG bits = 2048;

    (void)state;
    for (int i = 0; i < KINDS; i++) {
        X509 *certificate = keys[i].certificate;

        assert_attribute(i, CKO_PRIVATE_KEY, CKA_KEY_TYPE, &types[i], sizeof types[i]);
        assert_attribute(i, CKO_PRIVATE_KEY, CKA_ID, (unsigned char[]){0xaa, (unsigned char)i}, 2);
        assert_flag(i, CKO_PRIVATE_KEY, CKA_SENSITIVE, true);
        assert_flag(i, CKO_PRIVATE_KEY, CKA_EXTRACTABLE, false);
        assert_flag(i, CKO_PRIVATE_KEY, CKA_SIGN, true);
        assert_flag(i, CKO_PRIVATE_KEY, CKA_DECRYPT, false);
        assert_flag(i, CKO_PRIVATE_KEY, CKA_ALWAYS_AUTHENTICATE, false);
        at = der;
        assert_attribute(i, CKO_PUBLIC_KEY, CKA_PUBLIC_KEY_INFO, der, (size_t)i2d_PUBKEY(keys[i].genuine, &at));
        at = der;
        assert_attribute(i, CKO_CERTIFICATE, CKA_VALUE, der, (size_t)i2d_X509(certificate, &at));
        at = der;
        assert_attribute(i, CKO_CERTIFICATE, CKA_SUBJECT, der,
                         (size_t)i2d_X509_NAME(X509_get_subject_name(certificate), &at));
        at = der;
        assert_attribute(i, CKO_CERTIFICATE, CKA_ISSUER, der,
                         (size_t)i2d_X509_NAME(X509_get_issuer_name(certificate), &at));
        at = der;
        assert_attribute(i, CKO_CERTIFICATE, CKA_SERIAL_NUMBER, der,
                         (size_t)i2d_ASN1_INTEGER(X509_get_serialNumber(certificate), &at));
    }
    assert_attribute(RSA_KEY, CKO_PUBLIC_KEY, CKA_MODULUS_BITS, &bits, sizeof bits);
}

static void the_numbers_of_a_key_are_those_of_openssl(void **state) {
    BIGNUM *n = NULL, *e = NULL;
    unsigned char bytes[256], point[140] = {0x04, 65};
    size_t len;

    (void)state;
    EVP_PKEY_get_bn_param(keys[RSA_KEY].genuine, "n", &n);
    EVP_PKEY_get_bn_param(keys[RSA_KEY].genuine, "e", &e);
    assert_attribute(RSA_KEY, CKO_PRIVATE_KEY, CKA_MODULUS, bytes, (size_t)BN_bn2bin(n, bytes));
    assert_attribute(RSA_KEY, CKO_PUBLIC_KEY, CKA_PUBLIC_EXPONENT, bytes, (size_t)BN_bn2bin(e, bytes));
    BN_free(n);
    BN_free(e);
    EVP_PKEY_get_octet_string_param(keys[P256_KEY].genuine, "pub", point + 2, sizeof point - 2, &len);
    assert_attribute(P256_KEY, CKO_PUBLIC_KEY, CKA_EC_POINT, point, len + 2);
    point[1] = 0x81;
    EVP_PKEY_get_octet_string_param(keys[P521_KEY].genuine, "pub", point + 3, sizeof point - 3, &len);
    point[2] = (unsigned char)len;
    assert_attribute(P521_KEY, CKO_PUBLIC_KEY, CKA_EC_POINT, point, len + 3);
    assert_attribute(P384_KEY, CKO_PUBLIC_KEY, CKA_EC_PARAMS, "\x06\x05\x2b\x81\x04\x00\x22", 7);
    assert_attribute(ED25519_KEY, CKO_PUBLIC_KEY, CKA_EC_PARAMS,
                     "\x13\x0c"
                     "edwards25519",
                     14);
}

static void private_numbers_are_not_given(void **state) {
    static const CK_ATTRIBUTE_TYPE rsa[] = {CKA_PRIVATE_EXPONENT, CKA_PRIME_1,    CKA_PRIME_2,
                                            CKA_EXPONENT_1,       CKA_EXPONENT_2, CKA_COEFFICIENT};
    unsigned char value[512];

    (void)state;
    for (int i = 0; i < KINDS; i++) {
        CK_SESSION_HANDLE session = open_session(i);
        for (size_t n = 0; n < (i == RSA_KEY ? 6 : 1); n++) {
            CK_ATTRIBUTE asked[] = {{i == RSA_KEY ? rsa[n] : CKA_VALUE, value, sizeof value},
                                    {CKA_ID, value, sizeof value},
                                    {0x7fffffff, value, sizeof value}};
            assert_int_equal(p11->C_GetAttributeValue(session, find(session, i, CKO_PRIVATE_KEY), asked, 1),
                             CKR_ATTRIBUTE_SENSITIVE);
            assert_true(asked[0].ulValueLen == CK_UNAVAILABLE_INFORMATION);
            assert_int_equal(p11->C_GetAttributeValue(session, find(session, i, CKO_PRIVATE_KEY), asked, 3),
                             CKR_ATTRIBUTE_TYPE_INVALID);
            assert_int_equal(asked[1].ulValueLen, 2);
        }
        p11->C_CloseSession(session);
    }
}

static void templates_find_what_they_say(void **state) {
    CK_SESSION_HANDLE session = open_session(RSA_KEY);
    CK_OBJECT_CLASS class = CKO_CERTIFICATE;
    CK_BBOOL yes = 1;
    CK_ATTRIBUTE by_class = {CKA_CLASS, &class, sizeof class}, signing = {CKA_SIGN, &yes, sizeof yes},
                 by_id = {CKA_ID, "\xaa\x01", 2}, too_short = {CKA_CLASS, &class, 4}, no_value = {CKA_ID, NULL, 2},
                 issuer = {CKA_LABEL, "www-P-256 issuer 1", 18};

    (void)state;
    assert_int_equal(count_found(session, NULL, 0), 4 * 4);
    assert_int_equal(count_found(session, &by_class, 1), 8);
    assert_int_equal(count_found(session, &signing, 1), 4);
    assert_int_equal(count_found(session, &by_id, 1), 3);
    assert_int_equal(count_found(session, &too_short, 1), 0);
    assert_int_equal(count_found(session, &issuer, 1), 1);
    assert_int_equal(p11->C_FindObjectsInit(session, &no_value, 1), CKR_ARGUMENTS_BAD);
    assert_int_equal(count_found(open_session(ED25519_KEY), NULL, 0), 4);
}

static void handles_stay_with_their_key_when_the_catalogue_changes(void **state) {
    CK_SESSION_HANDLE session = open_session(P256_KEY);
    CK_OBJECT_HANDLE p256 = find(session, P256_KEY, CKO_PRIVATE_KEY), p384 = find(session, P384_KEY, CKO_PRIVATE_KEY);
    CK_ATTRIBUTE asked = {CKA_LABEL, NULL, 0};

    (void)state;
    write_catalogue(1u << P256_KEY | 1u << RSA_KEY);
    assert_int_equal(find(session, P256_KEY, CKO_PRIVATE_KEY), p256);
    assert_int_equal(find(session, P384_KEY, CKO_PRIVATE_KEY), 0);
    assert_int_equal(p11->C_GetAttributeValue(session, p384, &asked, 1), CKR_OBJECT_HANDLE_INVALID);
    write_catalogue((1u << KINDS) - 1);
    assert_int_equal(find(session, P256_KEY, CKO_PRIVATE_KEY), p256);
    assert_int_not_equal(find(session, P384_KEY, CKO_PRIVATE_KEY), 0);
    assert_int_not_equal(find(session, P384_KEY, CKO_PRIVATE_KEY), p384);
}

static void a_catalogue_that_cannot_be_read_changes_nothing(void **state) {
    CK_SESSION_HANDLE session = open_session(P256_KEY);
    CK_OBJECT_HANDLE key = find(session, P256_KEY, CKO_PRIVATE_KEY);

    (void)state;
    write_file("catalogue", "no catalogue", 12);
    assert_int_equal(find(session, P256_KEY, CKO_PRIVATE_KEY), key);
    remove_catalogue();
    assert_int_equal(find(session, P256_KEY, CKO_PRIVATE_KEY), key);
    write_catalogue(1u << P384_KEY);
    assert_int_equal(find(session, P256_KEY, CKO_PRIVATE_KEY), 0);
}

static void without_a_catalogue_the_token_is_empty(void **state) {
    (void)state;
    assert_int_equal(p11->C_Finalize(NULL), CKR_OK);
    remove_catalogue();
    assert_int_equal(p11->C_Initialize(NULL), CKR_OK);
    assert_int_equal(count_found(open_session(RSA_KEY), NULL, 0), 0);
    write_catalogue((1u << KINDS) - 1);
    assert_int_equal(count_found(open_session(RSA_KEY), NULL, 0), 16);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, initialize, finalize)
    const struct CMUnitTest tests[] = {
        TEST(every_mechanism_makes_a_signature_that_verifies),
        TEST(a_message_may_come_in_pieces),
        TEST(a_message_is_sent_whole_unless_it_is_too_long),
        TEST(what_does_not_fit_the_key_is_refused_before_the_service_hears_of_it),
        TEST(only_a_digest_info_and_a_digest_of_the_right_length_are_signed),
        TEST(every_failure_of_the_service_has_its_code),
        TEST(digests_are_those_of_openssl),
        TEST(the_length_can_be_asked_for_first),
        TEST(operations_of_a_session_come_one_after_another),
        TEST(only_a_private_key_of_the_slot_signs),
        TEST(keys_and_certificates_say_what_openssl_says),
        TEST(the_numbers_of_a_key_are_those_of_openssl),
        TEST(private_numbers_are_not_given),
        TEST(templates_find_what_they_say),
        TEST(handles_stay_with_their_key_when_the_catalogue_changes),
        TEST(a_catalogue_that_cannot_be_read_changes_nothing),
        TEST(without_a_catalogue_the_token_is_empty),
    };
    return cmocka_run_group_tests(tests, load_everything, free_everything);
}
