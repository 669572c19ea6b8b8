/* C_GetAttributeValue, and the table of attributes. */
#include "attribute.h"

#include "library.h"
#include "mechanism.h"
#include <stdio.h>
#include <string.h>

#define KEYS (SIGNET__PRIVATE_KEY | SIGNET__PUBLIC_KEY)
#define ALL (KEYS | SIGNET__CERTIFICATE)
#define RSA (1u << SIGNET__KEY_RSA)
#define CURVED (1u << SIGNET__KEY_EC | 1u << SIGNET__KEY_ED25519)
#define ANY (RSA | CURVED)

typedef void getter(const signet__object *object, signet__value *value);

static getter get_class, get_unique_id, get_yes, get_no, get_nothing, get_label, get_id, get_key_type, get_no_mechanism,
    get_modulus, get_modulus_bits, get_exponent, get_ec_params, get_ec_point, get_public_key_info, get_subject,
    get_issuer, get_serial, get_der, get_x509, get_category, get_unspecified_domain, get_allowed_mechanisms;

/* get is NULL for what a token must not give away, and this one does not have. */
static const struct {
    CK_ATTRIBUTE_TYPE type;
    unsigned classes, kinds;
    getter *get;
} attributes[] = {
    {CKA_CLASS, ALL, ANY, get_class},
    {CKA_UNIQUE_ID, ALL, ANY, get_unique_id},
    {CKA_TOKEN, ALL, ANY, get_yes},
    /* Seen without a login. */
    {CKA_PRIVATE, ALL, ANY, get_no},
    {CKA_MODIFIABLE, ALL, ANY, get_no},
    {CKA_COPYABLE, ALL, ANY, get_no},
    {CKA_DESTROYABLE, ALL, ANY, get_no},
    {CKA_LABEL, ALL, ANY, get_label},
    {CKA_ID, ALL, ANY, get_id},
    {CKA_SUBJECT, ALL, ANY, get_subject},
    {CKA_START_DATE, ALL, ANY, get_nothing},
    {CKA_END_DATE, ALL, ANY, get_nothing},
    {CKA_PUBLIC_KEY_INFO, ALL, ANY, get_public_key_info},
    {CKA_KEY_TYPE, KEYS, ANY, get_key_type},
    {CKA_DERIVE, KEYS, ANY, get_no},
    {CKA_LOCAL, KEYS, ANY, get_no},
    {CKA_KEY_GEN_MECHANISM, KEYS, ANY, get_no_mechanism},
    {CKA_MODULUS, KEYS, RSA, get_modulus},
    {CKA_PUBLIC_EXPONENT, KEYS, RSA, get_exponent},
    {CKA_MODULUS_BITS, SIGNET__PUBLIC_KEY, RSA, get_modulus_bits},
    {CKA_EC_PARAMS, KEYS, CURVED, get_ec_params},
    {CKA_EC_POINT, KEYS, CURVED, get_ec_point},
    {CKA_SENSITIVE, SIGNET__PRIVATE_KEY, ANY, get_yes},
    {CKA_EXTRACTABLE, SIGNET__PRIVATE_KEY, ANY, get_no},
    /* What was before is not known here. */
    {CKA_ALWAYS_SENSITIVE, SIGNET__PRIVATE_KEY, ANY, get_no},
    {CKA_NEVER_EXTRACTABLE, SIGNET__PRIVATE_KEY, ANY, get_no},
    {CKA_SIGN, SIGNET__PRIVATE_KEY, ANY, get_yes},
    {CKA_SIGN_RECOVER, SIGNET__PRIVATE_KEY, ANY, get_no},
    {CKA_DECRYPT, SIGNET__PRIVATE_KEY, ANY, get_no},
    {CKA_UNWRAP, SIGNET__PRIVATE_KEY, ANY, get_no},
    {CKA_WRAP_WITH_TRUSTED, SIGNET__PRIVATE_KEY, ANY, get_no},
    {CKA_ALWAYS_AUTHENTICATE, SIGNET__PRIVATE_KEY, ANY, get_no},
    {CKA_ALLOWED_MECHANISMS, SIGNET__PRIVATE_KEY, ANY, get_allowed_mechanisms},
    {CKA_PRIVATE_EXPONENT, SIGNET__PRIVATE_KEY, RSA, NULL},
    {CKA_PRIME_1, SIGNET__PRIVATE_KEY, RSA, NULL},
    {CKA_PRIME_2, SIGNET__PRIVATE_KEY, RSA, NULL},
    {CKA_EXPONENT_1, SIGNET__PRIVATE_KEY, RSA, NULL},
    {CKA_EXPONENT_2, SIGNET__PRIVATE_KEY, RSA, NULL},
    {CKA_COEFFICIENT, SIGNET__PRIVATE_KEY, RSA, NULL},
    {CKA_VALUE, SIGNET__PRIVATE_KEY, CURVED, NULL},
    {CKA_TRUSTED, SIGNET__PUBLIC_KEY | SIGNET__CERTIFICATE, ANY, get_no},
    {CKA_ENCRYPT, SIGNET__PUBLIC_KEY, ANY, get_no},
    {CKA_VERIFY, SIGNET__PUBLIC_KEY, ANY, get_no},
    {CKA_VERIFY_RECOVER, SIGNET__PUBLIC_KEY, ANY, get_no},
    {CKA_WRAP, SIGNET__PUBLIC_KEY, ANY, get_no},
    {CKA_CERTIFICATE_TYPE, SIGNET__CERTIFICATE, ANY, get_x509},
    {CKA_CERTIFICATE_CATEGORY, SIGNET__CERTIFICATE, ANY, get_category},
    {CKA_JAVA_MIDP_SECURITY_DOMAIN, SIGNET__CERTIFICATE, ANY, get_unspecified_domain},
    {CKA_ISSUER, SIGNET__CERTIFICATE, ANY, get_issuer},
    {CKA_SERIAL_NUMBER, SIGNET__CERTIFICATE, ANY, get_serial},
    {CKA_VALUE, SIGNET__CERTIFICATE, ANY, get_der},
    {CKA_URL, SIGNET__CERTIFICATE, ANY, get_nothing},
};

static CK_RV give(const signet__object *object, CK_ATTRIBUTE *asked);
static void point_to(signet__value *value, signet__span span);
static void make_number(signet__value *value, CK_ULONG number);

CK_RV C_GetAttributeValue(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object_handle, CK_ATTRIBUTE *template,
                          CK_ULONG count) {
    signet__library *library;
    signet__session *session;
    signet__object object;
    CK_RV rv, one;

    if (template == NULL && count > 0)
        return CKR_ARGUMENTS_BAD;
    rv = signet__enter_session(handle, &library, &session);
    if (rv != CKR_OK)
        return rv;
    if (!signet__object_find(&library->shelf, session->slot, object_handle, &object))
        return signet__leave(CKR_OBJECT_HANDLE_INVALID);
    for (CK_ULONG i = 0; i < count; i++) {
        one = give(&object, &template[i]);
        if (one != CKR_OK)
            rv = one;
    }
    return signet__leave(rv);
}

CK_RV signet__attribute(const signet__object *object, CK_ATTRIBUTE_TYPE type, signet__value *value) {
    unsigned kind = 1u << object->key->public_key.kind;

    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        if (attributes[i].type != type || !(attributes[i].classes & object->class) || !(attributes[i].kinds & kind))
            continue;
        if (attributes[i].get == NULL)
            return CKR_ATTRIBUTE_SENSITIVE;
        attributes[i].get(object, value);
        return CKR_OK;
    }
    return CKR_ATTRIBUTE_TYPE_INVALID;
}

bool signet__object_matches(const signet__object *object, const CK_ATTRIBUTE *template, CK_ULONG count) {
    signet__value value;

    for (CK_ULONG i = 0; i < count; i++) {
        if (signet__attribute(object, template[i].type, &value) != CKR_OK || value.len != template[i].ulValueLen)
            return false;
        if (value.len > 0 && memcmp(value.bytes, template[i].pValue, value.len) != 0)
            return false;
    }
    return true;
}

static CK_RV give(const signet__object *object, CK_ATTRIBUTE *asked) {
    signet__value value;
    CK_ULONG room = asked->ulValueLen;
    CK_RV rv = signet__attribute(object, asked->type, &value);

    asked->ulValueLen = CK_UNAVAILABLE_INFORMATION;
    if (rv != CKR_OK)
        return rv;
    if (asked->pValue != NULL && room < value.len)
        return CKR_BUFFER_TOO_SMALL;
    asked->ulValueLen = value.len;
    if (asked->pValue != NULL && value.len > 0)
        memcpy(asked->pValue, value.bytes, value.len);
    return CKR_OK;
}

static void get_class(const signet__object *object, signet__value *value) {
    make_number(value, object->class == SIGNET__PRIVATE_KEY  ? CKO_PRIVATE_KEY
                       : object->class == SIGNET__PUBLIC_KEY ? CKO_PUBLIC_KEY
                                                             : CKO_CERTIFICATE);
}

static void get_unique_id(const signet__object *object, signet__value *value) {
    char *text = (char *)value->made;
    size_t len = 0;

    for (size_t i = 0; i < sizeof object->key->spki_sha256; i++)
        len += (size_t)sprintf(text + len, "%02x", object->key->spki_sha256[i]);
    len += (size_t)sprintf(text + len, "-%u-%zu", (unsigned)object->class, object->place);
    point_to(value, (signet__span){value->made, len});
}

static void get_yes(const signet__object *object, signet__value *value) {
    static const CK_BBOOL yes = 1;
    (void)object;
    point_to(value, (signet__span){&yes, sizeof yes});
}

static void get_no(const signet__object *object, signet__value *value) {
    static const CK_BBOOL no = 0;
    (void)object;
    point_to(value, (signet__span){&no, sizeof no});
}

static void get_nothing(const signet__object *object, signet__value *value) {
    (void)object;
    point_to(value, (signet__span){value->made, 0});
}

/* The certificates that signed the key's own are not called like the key: a name should find one certificate. */
static void get_label(const signet__object *object, signet__value *value) {
    signet__span label = object->key->label;

    if (object->place == 0) {
        point_to(value, label);
        return;
    }
    memcpy(value->made, label.bytes, label.len);
    label.len += (size_t)sprintf((char *)value->made + label.len, " issuer %zu", object->place);
    point_to(value, (signet__span){value->made, label.len});
}

static void get_id(const signet__object *object, signet__value *value) {
    if (object->place > 0)
        get_nothing(object, value);
    else
        point_to(value, object->key->id);
}

static void get_key_type(const signet__object *object, signet__value *value) {
    static const CK_KEY_TYPE types[] = {
        [SIGNET__KEY_RSA] = CKK_RSA, [SIGNET__KEY_EC] = CKK_EC, [SIGNET__KEY_ED25519] = CKK_EC_EDWARDS};
    make_number(value, types[object->key->public_key.kind]);
}

static void get_no_mechanism(const signet__object *object, signet__value *value) {
    (void)object;
    make_number(value, CK_UNAVAILABLE_INFORMATION);
}

static void get_modulus(const signet__object *object, signet__value *value) {
    point_to(value, object->key->public_key.modulus);
}

static void get_modulus_bits(const signet__object *object, signet__value *value) {
    make_number(value, object->key->public_key.bits);
}

static void get_exponent(const signet__object *object, signet__value *value) {
    point_to(value, object->key->public_key.exponent);
}

/* Ed25519: PrintableString "edwards25519" (PKCS#11 3.0 section 2.3.5), which GnuTLS and OpenSC know as well. */
static void get_ec_params(const signet__object *object, signet__value *value) {
    static const unsigned char edwards25519[] = "\x13\x0c"
                                                "edwards25519";
    if (object->key->public_key.kind == SIGNET__KEY_EC)
        point_to(value, object->key->public_key.curve);
    else
        point_to(value, (signet__span){edwards25519, sizeof edwards25519 - 1});
}

/* An OCTET STRING with the point. */
static void get_ec_point(const signet__object *object, signet__value *value) {
    signet__span point = object->key->public_key.point;
    unsigned char *at = value->made;

    *at++ = SIGNET__DER_OCTET_STRING;
    if (point.len >= 0x80)
        *at++ = 0x81;
    *at++ = (unsigned char)point.len;
    memcpy(at, point.bytes, point.len);
    point_to(value, (signet__span){value->made, (size_t)(at - value->made) + point.len});
}

static void get_public_key_info(const signet__object *object, signet__value *value) {
    if (object->class == SIGNET__CERTIFICATE)
        point_to(value, object->key->certificates[object->place].public_key);
    else
        point_to(value, object->key->spki);
}

/* Of a key: that of its certificate. */
static void get_subject(const signet__object *object, signet__value *value) {
    if (object->key->certificate_count == 0)
        get_nothing(object, value);
    else
        point_to(value, object->key->certificates[object->place].subject);
}

static void get_issuer(const signet__object *object, signet__value *value) {
    point_to(value, object->key->certificates[object->place].issuer);
}

static void get_serial(const signet__object *object, signet__value *value) {
    point_to(value, object->key->certificates[object->place].serial);
}

static void get_der(const signet__object *object, signet__value *value) {
    point_to(value, object->key->certificates[object->place].der);
}

static void get_x509(const signet__object *object, signet__value *value) {
    (void)object;
    make_number(value, CKC_X_509);
}

/* PKCS#11 2.40 section 4.6.2: 1 is the token's user, 2 an authority. */
static void get_category(const signet__object *object, signet__value *value) {
    make_number(value, object->place == 0 ? 1 : 2);
}

static void get_unspecified_domain(const signet__object *object, signet__value *value) {
    (void)object;
    make_number(value, 0);
}

static void get_allowed_mechanisms(const signet__object *object, signet__value *value) {
    CK_MECHANISM_TYPE fitting[SIGNET__MECHANISMS_MAX];
    size_t count = signet__mechanisms_of(&object->key->public_key, fitting);

    _Static_assert(sizeof fitting <= sizeof value->made, "all mechanisms have room");
    memcpy(value->made, fitting, count * sizeof fitting[0]);
    point_to(value, (signet__span){value->made, count * sizeof fitting[0]});
}

static void point_to(signet__value *value, signet__span span) {
    value->bytes = span.bytes;
    value->len = span.len;
}

static void make_number(signet__value *value, CK_ULONG number) {
    memcpy(value->made, &number, sizeof number);
    point_to(value, (signet__span){value->made, sizeof number});
}
