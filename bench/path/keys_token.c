/*
 * A token with BENCH_KEYS P-256 keys that is ready at once: SoftHSM takes minutes to make 10,000 keys and to tell them.
 * Every process that loads this PKCS#11 module has the same keys, named key-0, key-1, …; their signatures are
 * libcrypto's and take what those take. It does what a signer of Signet asks and nothing else.
 */
#define CRYPTOKI_COMPAT
#include <p11-kit/pkcs11.h>

/* The keys' parts are set and read one by one, which the newer interface does by names and copies. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/obj_mac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 100000
#define SESSIONS_MAX 256
#define HALF_BYTES 32
#define POINT_BYTES 65

typedef struct {
    EC_KEY *key;
    /* CKA_EC_POINT: an OCTET STRING around the point. */
    unsigned char point[2 + POINT_BYTES];
} token_key;

static token_key *keys;
static CK_ULONG keys_count, sessions_count;
static CK_OBJECT_CLASS wanted;
static CK_ULONG next_found;
static token_key *signing[SESSIONS_MAX + 1];
static CK_FUNCTION_LIST functions;

static void make_key(token_key *key, CK_ULONG n);

static CK_RV not_supported(void) {
    return CKR_FUNCTION_NOT_SUPPORTED;
}

static CK_RV initialize(void *options) {
    const char *count = getenv("BENCH_KEYS");

    (void)options;
    keys_count = count ? strtoul(count, NULL, 10) : 0;
    if (keys_count == 0 || keys_count > KEYS_MAX || !(keys = calloc(keys_count, sizeof *keys)))
        return CKR_ARGUMENTS_BAD;
    for (CK_ULONG n = 0; n < keys_count; n++)
        make_key(&keys[n], n);
    return CKR_OK;
}

/* The private number is a hash of the key's own number. */
static void make_key(token_key *key, CK_ULONG n) {
    unsigned char hash[SHA256_DIGEST_LENGTH];
    BIGNUM *number = BN_bin2bn(SHA256((unsigned char *)&n, sizeof n, hash), sizeof hash, NULL);
    key->key = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    const EC_GROUP *group = EC_KEY_get0_group(key->key);
    EC_POINT *point = EC_POINT_new(group);

    EC_POINT_mul(group, point, number, NULL, NULL, NULL);
    EC_KEY_set_private_key(key->key, number);
    EC_KEY_set_public_key(key->key, point);
    key->point[0] = 4;
    key->point[1] = POINT_BYTES;
    EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, key->point + 2, POINT_BYTES, NULL);
    EC_POINT_free(point);
    BN_free(number);
}

static CK_RV finalize(void *reserved) {
    (void)reserved;
    return CKR_OK;
}

static CK_RV get_slot_list(unsigned char present, CK_SLOT_ID *slots, CK_ULONG *count) {
    (void)present;
    if (slots && *count > 0)
        slots[0] = 1;
    *count = 1;
    return CKR_OK;
}

static CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info) {
    (void)slot;
    memset(info, ' ', sizeof *info);
    memcpy(info->label, "test", 4);
    info->flags = CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED | CKF_LOGIN_REQUIRED;
    return CKR_OK;
}

static CK_RV get_mechanism_list(CK_SLOT_ID slot, CK_MECHANISM_TYPE *mechanisms, CK_ULONG *count) {
    (void)slot;
    if (mechanisms && *count > 0)
        mechanisms[0] = CKM_ECDSA;
    *count = 1;
    return CKR_OK;
}

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify,
                          CK_SESSION_HANDLE *session) {
    (void)slot, (void)flags, (void)application, (void)notify;
    if (sessions_count == SESSIONS_MAX)
        return CKR_SESSION_COUNT;
    *session = ++sessions_count;
    return CKR_OK;
}

static CK_RV close_session(CK_SESSION_HANDLE session) {
    (void)session;
    return CKR_OK;
}

static CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, unsigned char *pin, CK_ULONG length) {
    (void)session, (void)user, (void)pin, (void)length;
    return CKR_OK;
}

/* A private key has the handle 2n + 1, its public one 2n + 2; there is nothing else. */
static CK_RV find_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count) {
    (void)session;
    wanted = CKO_VENDOR_DEFINED;
    next_found = 0;
    for (CK_ULONG i = 0; i < count; i++)
        if (template[i].type == CKA_CLASS)
            memcpy(&wanted, template[i].pValue, sizeof wanted);
    return CKR_OK;
}

static CK_RV find(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG room, CK_ULONG *count) {
    (void)session;
    *count = 0;
    if (wanted != CKO_PRIVATE_KEY && wanted != CKO_PUBLIC_KEY)
        return CKR_OK;
    while (*count < room && next_found < keys_count)
        objects[(*count)++] = 2 * next_found++ + (wanted == CKO_PRIVATE_KEY ? 1 : 2);
    return CKR_OK;
}

static CK_RV find_final(CK_SESSION_HANDLE session) {
    (void)session;
    return CKR_OK;
}

static CK_RV give(CK_ATTRIBUTE *attribute, const void *value, CK_ULONG length) {
    if (attribute->pValue && attribute->ulValueLen < length)
        return CKR_BUFFER_TOO_SMALL;
    if (attribute->pValue)
        memcpy(attribute->pValue, value, length);
    attribute->ulValueLen = length;
    return CKR_OK;
}

static CK_RV give_attribute(CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attribute) {
    static const unsigned char p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    const CK_KEY_TYPE type = CKK_EC;
    const CK_ULONG n = (object - 1) / 2;
    const unsigned char id[] = {(unsigned char)(n >> 16), (unsigned char)(n >> 8), (unsigned char)n};
    char label[32];

    switch (attribute->type) {
    case CKA_ID:
        return give(attribute, id, sizeof id);
    case CKA_LABEL:
        return give(attribute, label, (CK_ULONG)snprintf(label, sizeof label, "key-%lu", n));
    case CKA_KEY_TYPE:
        return give(attribute, &type, sizeof type);
    case CKA_EC_PARAMS:
        return give(attribute, p256, sizeof p256);
    case CKA_EC_POINT:
        return give(attribute, keys[n].point, sizeof keys[n].point);
    default:
        attribute->ulValueLen = CK_UNAVAILABLE_INFORMATION;
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
}

static CK_RV get_attribute_value(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template,
                                 CK_ULONG count) {
    CK_RV rv = CKR_OK;

    (void)session;
    if (object == 0 || object > 2 * keys_count)
        return CKR_OBJECT_HANDLE_INVALID;
    for (CK_ULONG i = 0; i < count; i++) {
        CK_RV one = give_attribute(object, &template[i]);
        rv = one == CKR_OK ? rv : one;
    }
    return rv;
}

static CK_RV sign_init(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key) {
    if (mechanism->mechanism != CKM_ECDSA || key == 0 || key > 2 * keys_count || session > SESSIONS_MAX)
        return CKR_ARGUMENTS_BAD;
    signing[session] = &keys[(key - 1) / 2];
    return CKR_OK;
}

static CK_RV sign(CK_SESSION_HANDLE session, unsigned char *digest, CK_ULONG length, unsigned char *signature,
                  CK_ULONG *n) {
    if (session > SESSIONS_MAX || !signing[session])
        return CKR_OPERATION_NOT_INITIALIZED;
    if (signature && *n >= 2 * HALF_BYTES) {
        ECDSA_SIG *made = ECDSA_do_sign(digest, (int)length, signing[session]->key);
        if (!made)
            return CKR_GENERAL_ERROR;
        BN_bn2binpad(ECDSA_SIG_get0_r(made), signature, HALF_BYTES);
        BN_bn2binpad(ECDSA_SIG_get0_s(made), signature + HALF_BYTES, HALF_BYTES);
        ECDSA_SIG_free(made);
    }
    *n = 2 * HALF_BYTES;
    return CKR_OK;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list) {
    void **entries = (void **)&functions.C_Initialize;
    size_t count = (sizeof functions - offsetof(CK_FUNCTION_LIST, C_Initialize)) / sizeof *entries;

    for (size_t i = 0; i < count; i++)
        entries[i] = (void *)not_supported;
    functions.version = (CK_VERSION){2, 40};
    functions.C_Initialize = initialize;
    functions.C_Finalize = finalize;
    functions.C_GetSlotList = get_slot_list;
    functions.C_GetTokenInfo = get_token_info;
    functions.C_GetMechanismList = get_mechanism_list;
    functions.C_OpenSession = open_session;
    functions.C_CloseSession = close_session;
    functions.C_Login = login;
    functions.C_FindObjectsInit = find_init;
    functions.C_FindObjects = find;
    functions.C_FindObjectsFinal = find_final;
    functions.C_GetAttributeValue = get_attribute_value;
    functions.C_SignInit = sign_init;
    functions.C_Sign = sign;
    *list = &functions;
    return CKR_OK;
}
