#include "fake_token.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>

#define HANDLE_BASE 100
/* Long enough for PSS with SHA-512, and made sooner than a longer one. */
#define RSA_BITS 1536

struct session {
    bool is_active, is_in_use;
    CK_MECHANISM_TYPE mechanism;
    CK_RSA_PKCS_PSS_PARAMS pss;
    CK_OBJECT_HANDLE key;
};

static struct {
    struct session sessions[FAKE_SESSIONS + 1];
    CK_SESSION_HANDLE first_session;
    CK_RV init_rv, sign_rv;
    unsigned init_times, sign_times, spoil_times;
    enum fake_spoil spoil;
    unsigned one_in;
    CK_RV moods[4];
    size_t mood_count;
    unsigned random;
    bool is_shut, is_forbidden;
    unsigned passes, arrivals;
    struct fake_counts counts;
} token;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* ---- keys ---- */

static EVP_PKEY *pairs[KEY_COUNT];

static EVP_PKEY *make_pair(enum fake_key key) {
    switch (key) {
    case KEY_P256:
        return EVP_EC_gen("P-256");
    case KEY_P384:
        return EVP_EC_gen("P-384");
    case KEY_P521:
        return EVP_EC_gen("P-521");
    case KEY_RSA:
        return EVP_RSA_gen(RSA_BITS);
    default:
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    }
}

EVP_PKEY *fake_key_pair(enum fake_key key) {
    pthread_mutex_lock(&lock);
    if (!pairs[key])
        pairs[key] = make_pair(key);
    if (!pairs[key])
        abort();
    pthread_mutex_unlock(&lock);
    return pairs[key];
}

CK_OBJECT_HANDLE fake_handle(enum fake_key key) {
    return HANDLE_BASE + key;
}

/* ---- what it is told ---- */

/* All with the lock held, if only for one of them. */
#define TELL(what)                                                                                                     \
    do {                                                                                                               \
        pthread_mutex_lock(&lock);                                                                                     \
        what;                                                                                                          \
        pthread_cond_broadcast(&changed);                                                                              \
        pthread_mutex_unlock(&lock);                                                                                   \
    } while (0)

void fake_reset(void) {
    TELL(memset(&token, 0, sizeof token));
}

void fake_fail_init(CK_RV rv, unsigned times) {
    TELL((token.init_rv = rv, token.init_times = times));
}

void fake_fail_sign(CK_RV rv, unsigned times) {
    TELL((token.sign_rv = rv, token.sign_times = times));
}

void fake_spoil(enum fake_spoil how, unsigned times) {
    TELL((token.spoil = how, token.spoil_times = times));
}

void fake_be_moody(unsigned one_in, const CK_RV *rvs, size_t rv_count) {
    if (rv_count > sizeof token.moods / sizeof token.moods[0])
        abort();
    TELL((token.one_in = one_in, token.mood_count = rv_count, memcpy(token.moods, rvs, rv_count * sizeof *rvs)));
}

void fake_leave_active(CK_SESSION_HANDLE session) {
    TELL(token.sessions[session].is_active = true);
}

void fake_lose_sessions_below(CK_SESSION_HANDLE session) {
    TELL(token.first_session = session);
}

void fake_shut_gate(void) {
    TELL((token.is_shut = true, token.passes = token.arrivals = 0));
}

void fake_let_through(unsigned calls) {
    TELL(token.passes += calls);
}

void fake_open_gate(void) {
    TELL(token.is_shut = false);
}

void fake_wait_for_arrivals(unsigned calls) {
    pthread_mutex_lock(&lock);
    while (token.arrivals < calls)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

void fake_forbid(bool is_forbidden) {
    TELL(token.is_forbidden = is_forbidden);
}

struct fake_counts fake_counts(void) {
    pthread_mutex_lock(&lock);
    const struct fake_counts counts = token.counts;
    pthread_mutex_unlock(&lock);
    return counts;
}

/* ---- the module ---- */

/* With the lock held. */
static bool happens(void) {
    token.random = token.random * 1664525 + 1013904223;
    return token.one_in > 0 && (token.random >> 8) % token.one_in == 0;
}

/* NULL if there is none. The lock is held from now on. */
static struct session *enter(CK_SESSION_HANDLE handle) {
    pthread_mutex_lock(&lock);
    if (token.is_forbidden)
        token.counts.trespasses++;
    if (handle == 0 || handle > FAKE_SESSIONS || handle < token.first_session)
        return NULL;
    struct session *session = &token.sessions[handle];
    if (session->is_in_use)
        token.counts.overlaps++;
    return session;
}

static CK_RV leave(CK_RV rv) {
    pthread_mutex_unlock(&lock);
    return rv;
}

static CK_RV sign_init(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
    struct session *session = enter(handle);
    token.counts.inits++;
    if (!session)
        return leave(CKR_SESSION_HANDLE_INVALID);
    if (token.init_times > 0) {
        token.init_times--;
        return leave(token.init_rv);
    }
    if (token.mood_count > 0 && happens())
        return leave(token.moods[token.random % token.mood_count]);
    if (session->is_active)
        return leave(CKR_OPERATION_ACTIVE);
    if (key < HANDLE_BASE || key >= HANDLE_BASE + KEY_COUNT)
        return leave(CKR_KEY_HANDLE_INVALID);
    if (mechanism->mechanism == CKM_RSA_PKCS_PSS) {
        if (mechanism->ulParameterLen != sizeof session->pss)
            return leave(CKR_MECHANISM_PARAM_INVALID);
        memcpy(&session->pss, mechanism->pParameter, sizeof session->pss);
    } else if (mechanism->ulParameterLen != 0) {
        return leave(CKR_MECHANISM_PARAM_INVALID);
    }
    session->is_active = true;
    session->mechanism = mechanism->mechanism;
    session->key = key;
    return leave(CKR_OK);
}

/* r || s of the DER that OpenSSL makes. */
static size_t as_plain(const unsigned char *der, size_t length, size_t half, unsigned char *into) {
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)length);
    if (!signature)
        abort();
    BN_bn2binpad(ECDSA_SIG_get0_r(signature), into, (int)half);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), into + half, (int)half);
    ECDSA_SIG_free(signature);
    return 2 * half;
}

static const EVP_MD *md_of(CK_MECHANISM_TYPE hash) {
    return hash == CKM_SHA256 ? EVP_sha256() : hash == CKM_SHA384 ? EVP_sha384() : EVP_sha512();
}

static bool set_padding(EVP_PKEY_CTX *context, const struct session *session) {
    if (session->mechanism == CKM_RSA_PKCS)
        return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
    const EVP_MD *md = md_of(session->pss.hashAlg);
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_signature_md(context, md) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(context, md) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(context, (int)session->pss.sLen) == 1;
}

/* 0 if the input is none of the mechanism's. */
static size_t make_signature(const struct session *session, const unsigned char *input, size_t input_length,
                             unsigned char *into, size_t room) {
    EVP_PKEY *pair = fake_key_pair((enum fake_key)(session->key - HANDLE_BASE));
    if (session->mechanism == CKM_EDDSA) {
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        if (EVP_DigestSignInit(context, NULL, NULL, NULL, pair) != 1 ||
            EVP_DigestSign(context, into, &room, input, input_length) != 1)
            room = 0;
        EVP_MD_CTX_free(context);
        return room;
    }
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(pair, NULL);
    if (EVP_PKEY_sign_init(context) != 1 || (session->mechanism != CKM_ECDSA && !set_padding(context, session)) ||
        EVP_PKEY_sign(context, into, &room, input, input_length) != 1)
        room = 0;
    EVP_PKEY_CTX_free(context);
    if (session->mechanism != CKM_ECDSA || room == 0)
        return room;
    unsigned char der[160];
    memcpy(der, into, room);
    return as_plain(der, room, (size_t)(EVP_PKEY_get_bits(pair) + 7) / 8, into);
}

static void spoil(enum fake_spoil how, unsigned char *signature, CK_ULONG *length, CK_ULONG room) {
    switch (how) {
    case SPOIL_BIT:
        signature[*length / 2] ^= 1;
        break;
    case SPOIL_LONG:
        *length = room + 1;
        break;
    case SPOIL_ODD:
        *length -= 1;
        break;
    case SPOIL_EMPTY:
        *length = 0;
        break;
    case SPOIL_ZERO:
        memset(signature, 0, *length);
        break;
    case SPOIL_NOTHING:
        break;
    }
}

/* With the lock held, though not while it waits. */
static void pass_the_gate(void) {
    token.arrivals++;
    pthread_cond_broadcast(&changed);
    while (token.is_shut && token.passes == 0)
        pthread_cond_wait(&changed, &lock);
    if (token.is_shut)
        token.passes--;
    if (token.one_in > 0 && happens()) {
        pthread_mutex_unlock(&lock);
        for (int i = 0; i < 20; i++)
            sched_yield();
        pthread_mutex_lock(&lock);
    }
}

static CK_RV sign(CK_SESSION_HANDLE handle, CK_BYTE_PTR input, CK_ULONG input_length, CK_BYTE_PTR into,
                  CK_ULONG_PTR length) {
    struct session *session = enter(handle);
    token.counts.signs++;
    if (!session || !session->is_active)
        return leave(session ? CKR_OPERATION_NOT_INITIALIZED : CKR_SESSION_HANDLE_INVALID);
    session->is_in_use = true;
    pass_the_gate();
    enum fake_spoil how = SPOIL_NOTHING;
    CK_RV rv = CKR_OK;
    if (token.sign_times > 0) {
        token.sign_times--;
        rv = token.sign_rv;
    } else if (token.spoil_times > 0) {
        token.spoil_times--;
        how = token.spoil;
    } else if (token.mood_count > 0 && happens()) {
        how = SPOIL_BIT;
    }
    const struct session copy = *session;
    pthread_mutex_unlock(&lock);
    const CK_ULONG room = *length;
    if (rv == CKR_OK) {
        *length = make_signature(&copy, input, input_length, into, room);
        rv = *length > 0 ? CKR_OK : CKR_DATA_LEN_RANGE;
    }
    if (rv == CKR_OK)
        spoil(how, into, length, room);
    pthread_mutex_lock(&lock);
    session->is_in_use = session->is_active = false;
    return leave(rv);
}

static CK_RV sign_final(CK_SESSION_HANDLE handle, CK_BYTE_PTR into, CK_ULONG_PTR length) {
    (void)into;
    struct session *session = enter(handle);
    token.counts.finals++;
    if (session)
        session->is_active = false;
    *length = 0;
    return leave(CKR_DATA_LEN_RANGE);
}

CK_FUNCTION_LIST fake_module = {.C_SignInit = sign_init, .C_Sign = sign, .C_SignFinal = sign_final};
