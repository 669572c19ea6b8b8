/* What the outside of a certificate says (RFC 5280 section 4.1), for faces that find certificates by it. */
#ifndef SIGNET_CATALOGUE_CERTIFICATE_H
#define SIGNET_CATALOGUE_CERTIFICATE_H

#include "der.h"

/* All DER, with tag and length. */
typedef struct {
    signet__span der, serial, issuer, subject, public_key;
} signet__certificate;

/* False if it does not look like a certificate. The spans point into `der`. */
bool signet__certificate_parse(signet__certificate *certificate, signet__span der);

#endif
