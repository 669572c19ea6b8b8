/* Room for what a function gives back, as PKCS#11 asks for it (2.40 section 5.2). */
#ifndef SIGNET_PKCS11_OUTPUT_H
#define SIGNET_PKCS11_OUTPUT_H

#include "cryptoki.h"
#include <stdbool.h>
#include <stddef.h>

/* CKR_OK if there is room for `needed` bytes, or only the length was asked for; *goes_on: the operation stays with its
 * session, and *len says what is needed. CKR_BUFFER_TOO_SMALL, CKR_ARGUMENTS_BAD. */
CK_RV signet__check_room(const CK_BYTE *bytes, CK_ULONG *len, size_t needed, bool *goes_on);

#endif
