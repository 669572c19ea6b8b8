/* What an object says of itself. */
#ifndef SIGNET_PKCS11_ATTRIBUTE_H
#define SIGNET_PKCS11_ATTRIBUTE_H

#include "object.h"

/* Labels and EC points, with what is put around them. */
#define SIGNET__VALUE_BYTES_MAX 320

typedef struct {
    /* In the catalogue, a constant, or `made`. */
    const void *bytes;
    size_t len;
    _Alignas(CK_ULONG) unsigned char made[SIGNET__VALUE_BYTES_MAX];
} signet__value;

/* CKR_OK, CKR_ATTRIBUTE_SENSITIVE or CKR_ATTRIBUTE_TYPE_INVALID. */
CK_RV signet__attribute(const signet__object *object, CK_ATTRIBUTE_TYPE type, signet__value *value);

/* Whether the object has all of the template. */
bool signet__object_matches(const signet__object *object, const CK_ATTRIBUTE *template, CK_ULONG count);

#endif
