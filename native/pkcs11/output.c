#include "output.h"

CK_RV signet__check_room(const CK_BYTE *bytes, CK_ULONG *len, size_t needed, bool *goes_on) {
    CK_ULONG room;

    *goes_on = false;
    if (len == NULL)
        return CKR_ARGUMENTS_BAD;
    room = *len;
    *goes_on = bytes == NULL || room < needed;
    if (*goes_on)
        *len = needed;
    return bytes == NULL || room >= needed ? CKR_OK : CKR_BUFFER_TOO_SMALL;
}
