/* One signature on its way: what C_SignInit said, what came since, and at last the request to the service. */
#ifndef SIGNET_PKCS11_OPERATION_H
#define SIGNET_PKCS11_OPERATION_H

#include "cryptoki.h"
#include "mechanism.h"
#include "object.h"
#include "signet_client.h"

typedef struct signet__operation signet__operation;

/* CKR_OK, or why the key cannot be used so: CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID,
 * CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_SIZE_RANGE (a hash that does not go with the curve). */
CK_RV signet__operation_new(const CK_MECHANISM *asked, const signet__catalogue_key *key, signet__operation **made);
void signet__operation_free(signet__operation *operation);

/* How long the signature will be, in bytes. */
size_t signet__operation_signature_bytes(const signet__operation *operation);
/* Whether something came already (C_SignUpdate). */
bool signet__operation_begun(const signet__operation *operation);

/* Takes more of what is signed. A message beyond SIGNET_MESSAGE_BYTES_MAX is hashed here as it comes. */
CK_RV signet__operation_add(signet__operation *operation, const CK_BYTE *bytes, size_t len);
/* Asks the service and waits. `signature` has room for signet__operation_signature_bytes. */
CK_RV signet__operation_finish(signet__operation *operation, signet_client *client, CK_BYTE *signature);

#endif
