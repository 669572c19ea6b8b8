/* What the C tests of the module begin with: keys of every kind, their certificates, a catalogue of them, and the
 * module. */
#ifndef SIGNET_TEST_PKCS11_FIXTURE_H
#define SIGNET_TEST_PKCS11_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cryptoki.h"
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

enum { RSA_KEY, P256_KEY, P384_KEY, P521_KEY, ED25519_KEY, KINDS };

typedef struct {
    /* Its label is "www-" and this. */
    const char *name;
    EVP_PKEY *genuine;
    X509 *certificate;
    unsigned char spki_sha256[32];
} test_key;

extern test_key keys[KINDS];
/* The module's functions: C_GetFunctionList of the file that SIGNET_TEST_MODULE names. */
extern CK_FUNCTION_LIST *p11;
/* A temporary folder; "catalogue" in it is where the module looks. */
extern char folder[];

/* cmocka group fixtures. */
int load_everything(void **state);
int free_everything(void **state);
/* Another symbol of the module. */
void *module_symbol(const char *name);

/* Replaces the catalogue by one of the keys whose bits are set, in one step as the service does. The chain of each is
 * its certificate and that of the first key. */
void write_catalogue(unsigned kinds);
void write_file(const char *name, const void *bytes, size_t len);
void remove_catalogue(void);

/* Opens a session on the slot where such keys are. */
CK_SESSION_HANDLE open_session(int kind);
/* The only object of the class with the key's label; 0 if there is none. */
CK_OBJECT_HANDLE find(CK_SESSION_HANDLE session, int kind, CK_OBJECT_CLASS class);
/* The number of objects that the template finds. */
unsigned count_found(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count);

#endif
