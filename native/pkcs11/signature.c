#include "signature.h"

#include <string.h>

#define ED25519_SIGNATURE_BYTES 64

static bool write_number(signet__span number, unsigned char *at, size_t len);

size_t signet__signature_bytes(const signet__public_key *key) {
    size_t bytes = (key->bits + 7) / 8;

    if (key->kind == SIGNET__KEY_ED25519)
        return ED25519_SIGNATURE_BYTES;
    return key->kind == SIGNET__KEY_EC ? 2 * bytes : bytes;
}

bool signet__signature_to_pkcs11(const signet__public_key *key, const unsigned char *tls, size_t tls_len,
                                 unsigned char *pkcs11) {
    signet__span der = {tls, tls_len}, numbers, r, s;
    size_t bytes = signet__signature_bytes(key);

    if (key->kind != SIGNET__KEY_EC) {
        if (tls_len != bytes)
            return false;
        memcpy(pkcs11, tls, bytes);
        return true;
    }
    return signet__der_take(&der, SIGNET__DER_SEQUENCE, &numbers) && der.len == 0 &&
           signet__der_take_unsigned(&numbers, &r) && signet__der_take_unsigned(&numbers, &s) && numbers.len == 0 &&
           write_number(r, pkcs11, bytes / 2) && write_number(s, pkcs11 + bytes / 2, bytes / 2);
}

/* Big-endian, with zeros in front. */
static bool write_number(signet__span number, unsigned char *at, size_t len) {
    if (number.len == 0 || number.len > len)
        return false;
    memset(at, 0, len - number.len);
    memcpy(at + len - number.len, number.bytes, number.len);
    return true;
}
