/* As much of DER (X.690) as it takes to look into what a service wrote: public keys and certificates. */
#ifndef SIGNET_CATALOGUE_DER_H
#define SIGNET_CATALOGUE_DER_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes that somebody else owns. */
typedef struct {
    const unsigned char *bytes;
    size_t len;
} signet__span;

#define SIGNET__DER_INTEGER 0x02
#define SIGNET__DER_BIT_STRING 0x03
#define SIGNET__DER_OCTET_STRING 0x04
#define SIGNET__DER_NULL 0x05
#define SIGNET__DER_OID 0x06
#define SIGNET__DER_SEQUENCE 0x30
/* [0], constructed. */
#define SIGNET__DER_CONTEXT_0 0xa0

/* Takes one element with this tag off the front of *from; *content is what is in it. The length must be definite and
 * minimal. Otherwise false, and *from stays. */
bool signet__der_take(signet__span *from, unsigned char tag, signet__span *content);
/* The same, but *element has its tag and length too. */
bool signet__der_take_whole(signet__span *from, unsigned char tag, signet__span *element);
/* Takes off an INTEGER that is not negative; *number has no leading zero byte, and none at all if it is 0. */
bool signet__der_take_unsigned(signet__span *from, signet__span *number);

bool signet__span_equals(signet__span span, const void *bytes, size_t len);

#endif
