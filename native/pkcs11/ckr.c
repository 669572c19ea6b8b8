#include "ckr.h"

/* None of these makes a program believe that the token is gone for good: the next signature may succeed. */
CK_RV signet__ckr_of_status(signet_status status) {
    static const CK_RV of[] = {
        [SIGNET_OK] = CKR_OK,
        [SIGNET_UNREACHABLE] = CKR_DEVICE_ERROR,
        [SIGNET_LATE] = CKR_FUNCTION_CANCELED,
        [SIGNET_REFUSED] = CKR_KEY_FUNCTION_NOT_PERMITTED,
        [SIGNET_BAD_REQUEST] = CKR_DATA_INVALID,
        [SIGNET_BUSY] = CKR_FUNCTION_FAILED,
        [SIGNET_NO_TOKEN] = CKR_DEVICE_ERROR,
        [SIGNET_TOKEN_FAILED] = CKR_FUNCTION_FAILED,
        [SIGNET_PROTOCOL] = CKR_DEVICE_ERROR,
        [SIGNET_INTERNAL] = CKR_GENERAL_ERROR,
    };
    return (size_t)status < sizeof of / sizeof of[0] ? of[status] : CKR_GENERAL_ERROR;
}
