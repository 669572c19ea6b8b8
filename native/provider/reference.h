/* The DER of a key reference (docs/reference-pem.md). */
#ifndef SIGNET_PROVIDER_REFERENCE_H
#define SIGNET_PROVIDER_REFERENCE_H

#include <stddef.h>

#define SIGNET_REFERENCE_PEM_LABEL "SIGNET KEY REFERENCE"
#define SIGNET_REFERENCE_STRUCTURE "SignetKeyReference"
#define SIGNET_REFERENCE_BYTES_MAX 4096
#define SIGNET_LABEL_BYTES_MAX 256

typedef struct {
    /* The SubjectPublicKeyInfo, inside the DER that was parsed. Its content was not looked at. */
    const unsigned char *spki;
    size_t spki_len;
    /* UTF-8 without control characters; empty if there is none. */
    char label[SIGNET_LABEL_BYTES_MAX + 1];
    /* The key is used as an RSASSA-PSS key. */
    int rsa_pss;
} signet__reference;

/* NULL if `der` is a reference and nothing else; otherwise what was expected, for people. Leaves nothing on the error
 * queue. */
const char *signet__reference_parse(signet__reference *reference, const unsigned char *der, size_t len);

/* UTF-8 without control characters: what may be a label and go into logs, where one could forge a line. */
int signet__is_plain_text(const unsigned char *text, size_t len);

#endif
