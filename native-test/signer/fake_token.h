/*
 * A PKCS#11 module inside the test's own program: C_SignInit, C_Sign and C_SignFinal on keys of OpenSSL, as a token has
 * them (ECDSA gives r || s, CKM_RSA_PKCS takes a DigestInfo). It does what it is told to: waits, fails, spoils.
 */
#ifndef SIGNET_FAKE_TOKEN_H
#define SIGNET_FAKE_TOKEN_H
#include <stdbool.h>
#include <stddef.h>

#include <openssl/evp.h>
#include <p11-kit/pkcs11.h>

/* Sessions are 1 to this. */
#define FAKE_SESSIONS 64

enum fake_key { KEY_P256, KEY_P384, KEY_P521, KEY_RSA, KEY_ED25519, KEY_COUNT };

extern CK_FUNCTION_LIST fake_module;

/* Each is made when first asked for, and stays. */
EVP_PKEY *fake_key_pair(enum fake_key key);
CK_OBJECT_HANDLE fake_handle(enum fake_key key);

/* As if nothing had been said, and no operation were active. */
void fake_reset(void);

/* How a signature is spoilt. LONG: its length is said to be more than there was room for. */
enum fake_spoil { SPOIL_NOTHING, SPOIL_BIT, SPOIL_LONG, SPOIL_ODD, SPOIL_EMPTY, SPOIL_ZERO };

/* The next `times` calls of C_SignInit, or of C_Sign, give it. */
void fake_fail_init(CK_RV rv, unsigned times);
void fake_fail_sign(CK_RV rv, unsigned times);
void fake_spoil(enum fake_spoil how, unsigned times);
/* Of so many calls one each, by chance: fails in C_SignInit with one of `rvs`, spoils a bit, takes longer. */
void fake_be_moody(unsigned one_in, const CK_RV *rvs, size_t rv_count);
/* Somebody has left an operation active. */
void fake_leave_active(CK_SESSION_HANDLE session);
/* Sessions below it are gone: CKR_SESSION_HANDLE_INVALID. */
void fake_lose_sessions_below(CK_SESSION_HANDLE session);

/* From now on each C_Sign waits at the gate until it is let through. */
void fake_shut_gate(void);
void fake_let_through(unsigned calls);
void fake_open_gate(void);
/* Returns when so many calls of C_Sign have come to the gate since it was shut. */
void fake_wait_for_arrivals(unsigned calls);

/* While it is set no call may come; those that do are counted as trespasses. */
void fake_forbid(bool is_forbidden);

struct fake_counts {
    unsigned inits, signs, finals;
    /* Calls while they were forbidden, and calls in a session in which another was under way. */
    unsigned trespasses, overlaps;
};
struct fake_counts fake_counts(void);

#endif
