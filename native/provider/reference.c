#include "reference.h"
#include "errors.h"
#include <openssl/asn1.h>
#include <string.h>

/* What is left to read. */
typedef struct {
    const unsigned char *at;
    size_t len;
} span;

static const char *parse_fields(signet__reference *reference, span fields);
static const char *parse_advice(signet__reference *reference, span fields);
static const char *parse_label(signet__reference *reference, span *fields);
static const char *parse_rsa_pss(signet__reference *reference, span *fields);
static int comes_next(span fields, int tag);
static const char *take_label(signet__reference *reference, span text);
static int take(span *from, int tag_class, int tag, span *content, span *whole);

static const char *const BAD_LABEL =
    "expected the label [0] to be a UTF8String of 1 to 256 bytes without control characters";

const char *signet__reference_parse(signet__reference *reference, const unsigned char *der, size_t len) {
    span all = {der, len}, fields, whole;
    const char *expected;

    memset(reference, 0, sizeof *reference);
    if (len > SIGNET_REFERENCE_BYTES_MAX)
        return "expected at most 4096 bytes of DER";
    signet__errors_begin();
    if (!take(&all, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, &fields, &whole))
        expected = "expected a DER SEQUENCE; the file may be cut short";
    else if (all.len != 0)
        expected = "expected nothing behind the DER SEQUENCE";
    else
        expected = parse_fields(reference, fields);
    signet__errors_end(1);
    return expected;
}

static const char *parse_fields(signet__reference *reference, span fields) {
    span version, spki, whole;

    if (!take(&fields, V_ASN1_UNIVERSAL, V_ASN1_INTEGER, &version, &whole))
        return "expected a version INTEGER";
    if (version.len != 1 || version.at[0] != 1)
        return "expected version 1; a newer Signet may have written the file, so use its provider";
    if (!take(&fields, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, &spki, &whole))
        return "expected a SubjectPublicKeyInfo";
    reference->spki = whole.at;
    reference->spki_len = whole.len;
    return parse_advice(reference, fields);
}

/* What is known of it; what comes after is advice that a later version may give. */
static const char *parse_advice(signet__reference *reference, span fields) {
    const char *expected = NULL;

    if (comes_next(fields, 0))
        expected = parse_label(reference, &fields);
    if (expected == NULL && comes_next(fields, 1))
        expected = parse_rsa_pss(reference, &fields);
    return expected;
}

static const char *parse_label(signet__reference *reference, span *fields) {
    span label, text, whole;

    if (!take(fields, V_ASN1_CONTEXT_SPECIFIC, 0, &label, &whole))
        return BAD_LABEL;
    if (!take(&label, V_ASN1_UNIVERSAL, V_ASN1_UTF8STRING, &text, &whole) || label.len != 0)
        return BAD_LABEL;
    return take_label(reference, text);
}

static const char *take_label(signet__reference *reference, span text) {
    if (text.len == 0 || text.len > SIGNET_LABEL_BYTES_MAX || !signet__is_plain_text(text.at, text.len))
        return BAD_LABEL;
    memcpy(reference->label, text.at, text.len);
    reference->label[text.len] = '\0';
    return NULL;
}

static const char *parse_rsa_pss(signet__reference *reference, span *fields) {
    span mark, null, whole;

    if (!take(fields, V_ASN1_CONTEXT_SPECIFIC, 1, &mark, &whole) ||
        !take(&mark, V_ASN1_UNIVERSAL, V_ASN1_NULL, &null, &whole) || null.len != 0 || mark.len != 0)
        return "expected the mark rsaPss [1] to be a NULL";
    reference->rsa_pss = 1;
    return NULL;
}

/* Whether an element of an explicit context tag stands in front. */
static int comes_next(span fields, int tag) {
    return fields.len > 0 && fields.at[0] == (V_ASN1_CONTEXT_SPECIFIC | V_ASN1_CONSTRUCTED | tag);
}

/* Takes one element of definite length off the front of `from`. */
static int take(span *from, int tag_class, int tag, span *content, span *whole) {
    const unsigned char *at = from->at;
    long len;
    int found_tag, found_class, flags;

    if (from->len == 0)
        return 0;
    flags = ASN1_get_object(&at, &len, &found_tag, &found_class, (long)from->len);
    if ((flags & 0x81) != 0 || found_tag != tag || found_class != tag_class)
        return 0;
    content->at = at;
    content->len = (size_t)len;
    whole->at = from->at;
    whole->len = (size_t)(at - from->at) + (size_t)len;
    from->at += whole->len;
    from->len -= whole->len;
    return 1;
}

int signet__is_plain_text(const unsigned char *text, size_t len) {
    while (len > 0) {
        unsigned long letter;
        int used = UTF8_getc(text, (int)len, &letter);
        if (used <= 0 || letter < 0x20 || (letter >= 0x7f && letter < 0xa0))
            return 0;
        text += used;
        len -= (size_t)used;
    }
    return 1;
}
