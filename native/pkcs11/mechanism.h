/* The one table of what the module signs: PKCS#11's mechanisms, and what leads from them to a SignatureScheme. */
#ifndef SIGNET_PKCS11_MECHANISM_H
#define SIGNET_PKCS11_MECHANISM_H

#include "cryptoki.h"
#include "signature_scheme.h"
#include <stdbool.h>

#define SIGNET__MECHANISMS_MAX 16

/* What a program hands over to be signed. */
typedef enum {
    SIGNET__MESSAGE,
    /* A digest; of which hash, the mechanism's parameter or the curve says. */
    SIGNET__DIGEST,
    /* A DigestInfo of PKCS#1, which says it itself. */
    SIGNET__DIGEST_INFO
} signet__input_kind;

typedef struct {
    CK_MECHANISM_TYPE type;
    signet__key_kind kind;
    signet__padding padding;
    signet__input_kind input;
    /* SIGNET__MESSAGE: what the message is hashed with. */
    signet__hash hash;
} signet__mechanism;

/* NULL if it is none of the table. */
const signet__mechanism *signet__mechanism_find(CK_MECHANISM_TYPE type);
/* The number of mechanisms; the place-th of them. */
size_t signet__mechanism_count(void);
const signet__mechanism *signet__mechanism_at(size_t place);
/* Those that the key can be used with. */
size_t signet__mechanisms_of(const signet__public_key *key, CK_MECHANISM_TYPE fitting[SIGNET__MECHANISMS_MAX]);
void signet__mechanism_info(const signet__mechanism *mechanism, CK_MECHANISM_INFO *info);

/* SIGNET__NO_HASH if the mechanism is none of CKM_SHA256, CKM_SHA384 and CKM_SHA512. */
signet__hash signet__hash_of_mechanism(CK_MECHANISM_TYPE type);
CK_MECHANISM_TYPE signet__mechanism_of_hash(signet__hash hash);
/* Whether the parameter is what the mechanism wants. RSA-PSS: *hash is what it says. CKR_MECHANISM_PARAM_INVALID. */
CK_RV signet__mechanism_parameter(const signet__mechanism *mechanism, const CK_MECHANISM *asked, signet__hash *hash);

#endif
