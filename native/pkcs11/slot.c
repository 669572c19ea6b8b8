/* The slots, the tokens in them, and their mechanisms. */
#include "slot.h"

#include "library.h"
#include "mechanism.h"
#include <string.h>

/* Any PIN is right, so any length is. */
#define PIN_BYTES_MAX 255

/* The differences between the two. */
static const struct { const char *label, *serial; } tokens[SIGNET__SLOTS] = {{"signet", "1"}, {"signet-ed25519", "2"}};

static CK_RV check_slot(CK_SLOT_ID slot);

CK_RV C_GetSlotList(CK_BBOOL token_present, CK_SLOT_ID *slots, CK_ULONG *count) {
    signet__library *library;
    CK_ULONG room;
    CK_RV rv;

    (void)token_present;
    if (count == NULL)
        return CKR_ARGUMENTS_BAD;
    rv = signet__enter(&library);
    if (rv != CKR_OK)
        return rv;
    room = *count;
    *count = SIGNET__SLOTS;
    if (slots != NULL && room < SIGNET__SLOTS)
        return signet__leave(CKR_BUFFER_TOO_SMALL);
    for (CK_SLOT_ID slot = 0; slots != NULL && slot < SIGNET__SLOTS; slot++)
        slots[slot] = slot;
    return signet__leave(CKR_OK);
}

CK_RV C_GetSlotInfo(CK_SLOT_ID slot, CK_SLOT_INFO *info) {
    CK_RV rv = info == NULL ? CKR_ARGUMENTS_BAD : check_slot(slot);

    if (rv != CKR_OK)
        return rv;
    memset(info, 0, sizeof *info);
    SIGNET__PAD(info->slotDescription, "Signet");
    SIGNET__PAD(info->manufacturerID, "Signet");
    info->flags = CKF_TOKEN_PRESENT;
    return CKR_OK;
}

CK_RV C_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO *info) {
    signet__library *library;
    CK_RV rv = info == NULL ? CKR_ARGUMENTS_BAD : check_slot(slot);

    if (rv == CKR_OK)
        rv = signet__enter(&library);
    if (rv != CKR_OK)
        return rv;
    memset(info, 0, sizeof *info);
    SIGNET__PAD(info->label, tokens[slot].label);
    SIGNET__PAD(info->manufacturerID, "Signet");
    SIGNET__PAD(info->model, "Signet");
    SIGNET__PAD(info->serialNumber, tokens[slot].serial);
    /* No CKF_LOGIN_REQUIRED: the kernel says who the caller is, a PIN would say nothing more. */
    info->flags = CKF_WRITE_PROTECTED | CKF_USER_PIN_INITIALIZED | CKF_TOKEN_INITIALIZED;
    info->ulMaxSessionCount = info->ulMaxRwSessionCount = SIGNET__SESSIONS_MAX;
    info->ulSessionCount = library->sessions.slots[slot].count;
    info->ulRwSessionCount = library->sessions.slots[slot].read_write_count;
    info->ulMaxPinLen = PIN_BYTES_MAX;
    info->ulTotalPublicMemory = info->ulFreePublicMemory = CK_UNAVAILABLE_INFORMATION;
    info->ulTotalPrivateMemory = info->ulFreePrivateMemory = CK_UNAVAILABLE_INFORMATION;
    memset(info->utcTime, ' ', sizeof info->utcTime);
    return signet__leave(CKR_OK);
}

CK_RV C_GetMechanismList(CK_SLOT_ID slot, CK_MECHANISM_TYPE *list, CK_ULONG *count) {
    CK_RV rv = count == NULL ? CKR_ARGUMENTS_BAD : check_slot(slot);
    CK_MECHANISM_TYPE here[SIGNET__MECHANISMS_MAX + SIGNET__SHA512];
    CK_ULONG room, here_count = 0;

    if (rv != CKR_OK)
        return rv;
    for (size_t i = 0; i < signet__mechanism_count(); i++)
        if (signet__slot_of(signet__mechanism_at(i)->kind) == slot)
            here[here_count++] = signet__mechanism_at(i)->type;
    for (int hash = SIGNET__SHA256; hash <= SIGNET__SHA512; hash++)
        here[here_count++] = signet__mechanism_of_hash((signet__hash)hash);
    room = *count;
    *count = here_count;
    if (list == NULL)
        return CKR_OK;
    if (room < here_count)
        return CKR_BUFFER_TOO_SMALL;
    memcpy(list, here, here_count * sizeof here[0]);
    return CKR_OK;
}

CK_RV C_GetMechanismInfo(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info) {
    CK_RV rv = info == NULL ? CKR_ARGUMENTS_BAD : check_slot(slot);
    const signet__mechanism *mechanism = signet__mechanism_find(type);

    if (rv != CKR_OK)
        return rv;
    if (signet__hash_of_mechanism(type) != SIGNET__NO_HASH) {
        *info = (CK_MECHANISM_INFO){0, 0, CKF_DIGEST};
        return CKR_OK;
    }
    if (mechanism == NULL || signet__slot_of(mechanism->kind) != slot)
        return CKR_MECHANISM_INVALID;
    signet__mechanism_info(mechanism, info);
    return CKR_OK;
}

/* Nothing ever happens to a slot, so there is nothing to wait for. */
CK_RV C_WaitForSlotEvent(CK_FLAGS flags, CK_SLOT_ID *slot, void *reserved) {
    CK_RV rv = reserved != NULL ? CKR_ARGUMENTS_BAD : check_slot(0);

    (void)slot;
    if (rv != CKR_OK)
        return rv;
    return flags & CKF_DONT_BLOCK ? CKR_NO_EVENT : CKR_FUNCTION_NOT_SUPPORTED;
}

CK_SLOT_ID signet__slot_of(signet__key_kind kind) {
    return kind == SIGNET__KEY_ED25519 ? 1 : 0;
}

static CK_RV check_slot(CK_SLOT_ID slot) {
    signet__library *library;
    CK_RV rv = signet__enter(&library);

    if (rv != CKR_OK)
        return rv;
    return signet__leave(slot < SIGNET__SLOTS ? CKR_OK : CKR_SLOT_ID_INVALID);
}
