/* The one place where a failure becomes a CK_RV. */
#ifndef SIGNET_PKCS11_CKR_H
#define SIGNET_PKCS11_CKR_H

#include "cryptoki.h"
#include "signet_client.h"

CK_RV signet__ckr_of_status(signet_status status);

#endif
