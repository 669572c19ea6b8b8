/* What CKM_RSA_PKCS is given. */
#ifndef SIGNET_PKCS11_INPUT_H
#define SIGNET_PKCS11_INPUT_H

#include "cryptoki.h"
#include "mechanism.h"

/*
 * A DigestInfo of RFC 8017 section 9.2 (note 1), exactly as it stands there, with SHA-256, SHA-384 or SHA-512: *input
 * becomes the digest in it. Anything else, such as what TLS 1.1 signed, is CKR_DATA_INVALID: raw RSA does not exist
 * here.
 */
CK_RV signet__digest_info_read(signet__span *input, signet__hash *hash);

#endif
