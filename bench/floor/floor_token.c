#include "floor_token.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MAX 64
#define PIN_BYTES_MAX 256
#define SHA256_BYTES 32
#define SIGNATURE_BYTES_MAX 1024

static CK_FUNCTION_LIST *p11;
static CK_SLOT_ID slot;

static void load(const char *module);
static CK_SLOT_ID find_slot(const char *label);
static size_t read_pin(const char *file, unsigned char *pin);
static CK_SESSION_HANDLE open_session(void);
static CK_OBJECT_HANDLE find_key(CK_SESSION_HANDLE session, const char *label);
static void choose_mechanism(floor_session *session, const char *name);
static void must(CK_RV rv, const char *what);
static _Noreturn void fail(const char *what, const char *which);

void floor_token_open(const floor_token *token) {
    unsigned char pin[PIN_BYTES_MAX];
    CK_C_INITIALIZE_ARGS options = {.flags = CKF_OS_LOCKING_OK};
    load(token->module);
    must(p11->C_Initialize(&options), "C_Initialize");
    slot = find_slot(token->label);
    /* This session stays open: the login would end with the last one. */
    CK_SESSION_HANDLE session = open_session();
    size_t n = read_pin(token->pin_file, pin);
    must(p11->C_Login(session, CKU_USER, pin, n), "C_Login");
    explicit_bzero(pin, sizeof pin);
}

void floor_token_close(void) {
    p11->C_Finalize(NULL);
}

floor_session floor_session_open(const floor_token *token) {
    floor_session session = {.session = open_session()};
    session.key = find_key(session.session, token->key_label);
    choose_mechanism(&session, token->mechanism);
    return session;
}

void floor_sign(floor_session *s) {
    unsigned char signature[SIGNATURE_BYTES_MAX];
    CK_ULONG n = sizeof signature;
    /* The digest counts on, so that no two signatures are of the same. */
    s->counter++;
    memcpy(s->input + s->input_len - sizeof s->counter, &s->counter, sizeof s->counter);
    if (s->mechanism.mechanism == CKM_RSA_PKCS_PSS)
        s->mechanism.pParameter = &s->pss;
    must(p11->C_SignInit(s->session, &s->mechanism, s->key), "C_SignInit");
    must(p11->C_Sign(s->session, s->input, s->input_len, signature, &n), "C_Sign");
}

static void load(const char *module) {
    void *library = dlopen(module, RTLD_NOW | RTLD_LOCAL);
    CK_RV (*get_list)(CK_FUNCTION_LIST **) = NULL;
    if (!library)
        fail("cannot load the module:", dlerror());
    *(void **)&get_list = dlsym(library, "C_GetFunctionList");
    if (!get_list)
        fail("no PKCS#11 module:", module);
    must(get_list(&p11), "C_GetFunctionList");
}

static CK_SLOT_ID find_slot(const char *label) {
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG n = SLOTS_MAX;
    must(p11->C_GetSlotList(1, slots, &n), "C_GetSlotList");
    for (CK_ULONG i = 0; i < n; i++) {
        CK_TOKEN_INFO info;
        unsigned char padded[sizeof info.label];
        memset(padded, ' ', sizeof padded);
        memcpy(padded, label, strnlen(label, sizeof padded));
        if (p11->C_GetTokenInfo(slots[i], &info) == CKR_OK && memcmp(info.label, padded, sizeof padded) == 0)
            return slots[i];
    }
    fail("the module has no token labelled", label);
}

static size_t read_pin(const char *name, unsigned char *pin) {
    FILE *file = fopen(name, "r");
    if (!file || !fgets((char *)pin, PIN_BYTES_MAX, file))
        fail("cannot read the PIN from", name);
    fclose(file);
    return strcspn((char *)pin, "\r\n");
}

static CK_SESSION_HANDLE open_session(void) {
    CK_SESSION_HANDLE session;
    must(p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session), "C_OpenSession");
    return session;
}

static CK_OBJECT_HANDLE find_key(CK_SESSION_HANDLE session, const char *label) {
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &class, sizeof class}, {CKA_LABEL, (void *)label, strlen(label)}};
    CK_OBJECT_HANDLE key;
    CK_ULONG n = 0;
    must(p11->C_FindObjectsInit(session, wanted, 2), "C_FindObjectsInit");
    must(p11->C_FindObjects(session, &key, 1, &n), "C_FindObjects");
    must(p11->C_FindObjectsFinal(session), "C_FindObjectsFinal");
    if (n == 0)
        fail("the token has no private key labelled", label);
    return key;
}

static void choose_mechanism(floor_session *s, const char *name) {
    /* RFC 8017, section 9.2, note 1. */
    static const unsigned char digest_info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                                0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
    s->input_len = SHA256_BYTES;
    if (strcmp(name, "ecdsa-p256") == 0) {
        s->mechanism.mechanism = CKM_ECDSA;
    } else if (strcmp(name, "rsa-pkcs1") == 0) {
        s->mechanism.mechanism = CKM_RSA_PKCS;
        memcpy(s->input, digest_info, sizeof digest_info);
        s->input_len += sizeof digest_info;
    } else if (strcmp(name, "rsa-pss") == 0) {
        s->mechanism.mechanism = CKM_RSA_PKCS_PSS;
        s->mechanism.ulParameterLen = sizeof s->pss;
        s->pss = (CK_RSA_PKCS_PSS_PARAMS){CKM_SHA256, CKG_MGF1_SHA256, SHA256_BYTES};
    } else {
        fail("--mechanism wants ecdsa-p256, rsa-pkcs1 or rsa-pss, not", name);
    }
}

static void must(CK_RV rv, const char *what) {
    if (rv == CKR_OK)
        return;
    fprintf(stderr, "floor: %s: 0x%lx\n", what, rv);
    exit(1);
}

static _Noreturn void fail(const char *what, const char *which) {
    fprintf(stderr, "floor: %s %s\n", what, which);
    exit(1);
}
