/* What the C tests of the engine begin with: keys of every kind that the fake client has, a catalogue of them, and the
 * engine as openssl.cnf would load it. */
#ifndef SIGNET_TEST_ENGINE_FIXTURE_H
#define SIGNET_TEST_ENGINE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/engine.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

enum { RSA_KEY, P256_KEY, P384_KEY, P521_KEY, ED25519_KEY, KINDS };

typedef struct {
    /* Its label is "www-" and this; its id is "id-" and this. */
    const char *name;
    /* NULL for Ed25519. */
    const EVP_MD *md;
    EVP_PKEY *genuine;
    X509 *certificate;
} test_key;

extern test_key keys[KINDS];
/* Of each test; with a functional reference. */
extern ENGINE *engine;

/* cmocka fixtures of the group and of each test. */
int make_everything(void **state);
int free_everything(void **state);
int open_engine(void **state);
int close_engine(void **state);

/* The engine as a program would get it, with a structural reference; the settings are pairs of command and text, then
 * NULL. */
ENGINE *load_engine(const char *const *settings);

/* The path of a file in the folder of this run; good until the next call. */
const char *in_folder(const char *name);
/* The catalogue of all keys, and of one more with the label of the first. */
void write_catalogue(void);

/* The engine's key of the kind. */
EVP_PKEY *load_key(int kind);
/* A signature by DigestSign; `padding` is 0 but for RSA. 0 or 1. */
int sign_message(EVP_PKEY *key, const EVP_MD *md, int padding, const void *message, size_t len, unsigned char *made,
                 size_t *made_len);
/* Whether the genuine key's public half takes it. */
int is_right(int kind, int padding, const void *message, size_t len, const unsigned char *made, size_t made_len);

/* The last line of the fake client's log, such as "0403 message 12"; and forgets the log. */
const char *asked(void);
/* The queue has an error with these words; it is empty then. */
void assert_error(const char *words);
void assert_no_error(void);

#endif
