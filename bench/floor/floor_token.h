/* The PKCS#11 side of the floor. Whatever fails is said on stderr and ends the process with 1. */
#ifndef FLOOR_TOKEN_H
#define FLOOR_TOKEN_H

#define CRYPTOKI_COMPAT
#include <p11-kit/pkcs11.h>

typedef struct {
    const char *module, *label, *pin_file, *key_label;
    /* ecdsa-p256, rsa-pkcs1 or rsa-pss; always with SHA-256. */
    const char *mechanism;
} floor_token;

/* Enough for a digest and for DigestInfo. */
#define FLOOR_INPUT_BYTES_MAX 64

typedef struct {
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;
    CK_MECHANISM mechanism;
    CK_RSA_PKCS_PSS_PARAMS pss;
    unsigned char input[FLOOR_INPUT_BYTES_MAX];
    CK_ULONG input_len;
    unsigned long long counter;
    /* Of floor_openssl. */
    struct evp_pkey_ctx_st *context;
} floor_session;

/* Once in a process: loads the module and logs in. */
void floor_token_open(const floor_token *token);
void floor_token_close(void);
/* A session with the key found. */
floor_session floor_session_open(const floor_token *token);
/* C_SignInit and C_Sign, over another digest each time. */
void floor_sign(floor_session *session);

#endif
