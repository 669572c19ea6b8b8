#include "certificate.h"

bool signet__certificate_parse(signet__certificate *certificate, signet__span der) {
    signet__span all = der, signed_part, skipped;

    certificate->der = der;
    if (!signet__der_take(&all, SIGNET__DER_SEQUENCE, &signed_part) || all.len != 0)
        return false;
    if (!signet__der_take(&signed_part, SIGNET__DER_SEQUENCE, &all))
        return false;
    signet__der_take(&all, SIGNET__DER_CONTEXT_0, &skipped);
    return signet__der_take_whole(&all, SIGNET__DER_INTEGER, &certificate->serial) &&
           signet__der_take(&all, SIGNET__DER_SEQUENCE, &skipped) &&
           signet__der_take_whole(&all, SIGNET__DER_SEQUENCE, &certificate->issuer) &&
           signet__der_take(&all, SIGNET__DER_SEQUENCE, &skipped) &&
           signet__der_take_whole(&all, SIGNET__DER_SEQUENCE, &certificate->subject) &&
           signet__der_take_whole(&all, SIGNET__DER_SEQUENCE, &certificate->public_key);
}
