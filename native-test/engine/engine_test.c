/* The engine in a program, with a client that signs by itself. */
#include "catalogue_writer.h"
#include "fixture.h"
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE "what is to be signed"
#define MESSAGE_LEN (sizeof MESSAGE - 1)
#define THREADS 8
#define SIGNATURES_PER_THREAD 40

static void assert_signs(int kind, int padding, const char *expected_request) {
    unsigned char made[512];
    size_t len;
    EVP_PKEY *key = load_key(kind);

    assert_no_error();
    if (!sign_message(key, keys[kind].md, padding, MESSAGE, MESSAGE_LEN, made, &len)) {
        ERR_print_errors_fp(stderr);
        fail_msg("%s does not sign", keys[kind].name);
    }
    assert_no_error();
    assert_true(is_right(kind, padding, MESSAGE, MESSAGE_LEN, made, len));
    assert_string_equal(asked(), expected_request);
    EVP_PKEY_free(key);
}

static void every_kind_of_key_signs_the_whole_message(void **state) {
    (void)state;
    assert_signs(RSA_KEY, RSA_PKCS1_PADDING, "0401 message 20");
    assert_signs(RSA_KEY, RSA_PKCS1_PSS_PADDING, "0804 message 20");
    assert_signs(P256_KEY, 0, "0403 message 20");
    assert_signs(P384_KEY, 0, "0503 message 20");
    assert_signs(P521_KEY, 0, "0603 message 20");
    assert_signs(ED25519_KEY, 0, "0807 message 20");
}

static void rsa_signs_with_every_hash_of_tls(void **state) {
    const EVP_MD *mds[] = {EVP_sha256(), EVP_sha384(), EVP_sha512()};
    char expected[64];
    unsigned char made[512];
    size_t len;
    EVP_PKEY *key = load_key(RSA_KEY);

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_true(sign_message(key, mds[i], RSA_PKCS1_PADDING, MESSAGE, MESSAGE_LEN, made, &len));
        snprintf(expected, sizeof expected, "%04x message 20", 0x0401 + 0x100 * i);
        assert_string_equal(asked(), expected);
        assert_true(sign_message(key, mds[i], RSA_PKCS1_PSS_PADDING, MESSAGE, MESSAGE_LEN, made, &len));
        snprintf(expected, sizeof expected, "%04x message 20", 0x0804 + i);
        assert_string_equal(asked(), expected);
    }
    EVP_PKEY_free(key);
}

static void a_streamed_message_goes_as_a_digest(void **state) {
    static const struct {
        int kind;
        const char *request;
    } streamed[] = {{RSA_KEY, "0401 digest 32"}, {P256_KEY, "0403 digest 32"}, {P384_KEY, "0503 digest 48"}};
    (void)state;
    for (int i = 0; i < 3; i++) {
        int kind = streamed[i].kind;
        EVP_PKEY *key = load_key(kind);
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        unsigned char made[512];
        size_t len = sizeof made;

        assert_int_equal(EVP_DigestSignInit(context, NULL, keys[kind].md, NULL, key), 1);
        assert_int_equal(EVP_DigestSignUpdate(context, MESSAGE, 5), 1);
        assert_int_equal(EVP_DigestSignUpdate(context, MESSAGE + 5, MESSAGE_LEN - 5), 1);
        assert_int_equal(EVP_DigestSignFinal(context, NULL, &len), 1);
        assert_int_equal(EVP_DigestSignFinal(context, made, &len), 1);
        assert_no_error();
        assert_true(is_right(kind, 0, MESSAGE, MESSAGE_LEN, made, len));
        assert_string_equal(asked(), streamed[i].request);
        EVP_MD_CTX_free(context);
        EVP_PKEY_free(key);
    }
}

static void a_message_over_16_KiB_goes_as_a_digest(void **state) {
    unsigned char *message = malloc(16385), made[512];
    EVP_PKEY *key = load_key(P256_KEY), *edwards = load_key(ED25519_KEY);
    size_t len;

    (void)state;
    memset(message, 'x', 16385);
    assert_true(sign_message(key, keys[P256_KEY].md, 0, message, 16384, made, &len));
    assert_string_equal(asked(), "0403 message 16384");
    assert_true(sign_message(key, keys[P256_KEY].md, 0, message, 16385, made, &len));
    assert_string_equal(asked(), "0403 digest 32");
    assert_true(is_right(P256_KEY, 0, message, 16385, made, len));
    assert_false(sign_message(edwards, NULL, 0, message, 16385, made, &len));
    assert_error("expected at most 16384 bytes");
    assert_false(sign_message(key, keys[P256_KEY].md, 0, "", 0, made, &len));
    assert_error("expected a message of at least 1 byte");
    EVP_PKEY_free(key);
    EVP_PKEY_free(edwards);
    free(message);
}

static void what_has_no_scheme_is_refused_when_it_is_chosen(void **state) {
    static const struct {
        int kind;
        const char *words;
    } wrong[] = {{RSA_KEY, "an RSA key signs with SHA-256, SHA-384 or SHA-512"},
                 {P256_KEY, "a P-256 key signs with SHA-256"},
                 {P384_KEY, "a P-384 key signs with SHA-384"},
                 {P521_KEY, "a P-521 key signs with SHA-512"}};

    (void)state;
    for (int i = 0; i < 4; i++) {
        EVP_PKEY *key = load_key(wrong[i].kind);
        EVP_MD_CTX *context = EVP_MD_CTX_new();

        assert_int_not_equal(EVP_DigestSignInit(context, NULL, EVP_sha224(), NULL, key), 1);
        assert_error(wrong[i].words);
        EVP_MD_CTX_free(context);
        EVP_PKEY_free(key);
    }
    assert_string_equal(asked(), "");
}

static int sign_pss(EVP_PKEY *key, int salt, const EVP_MD *mgf1) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *params;
    unsigned char made[512];
    size_t len = sizeof made;
    int ok = EVP_DigestSignInit(context, &params, EVP_sha256(), NULL, key) == 1 &&
             EVP_PKEY_CTX_set_rsa_padding(params, RSA_PKCS1_PSS_PADDING) == 1 &&
             (salt == 0 || EVP_PKEY_CTX_set_rsa_pss_saltlen(params, salt) == 1) &&
             (mgf1 == NULL || EVP_PKEY_CTX_set_rsa_mgf1_md(params, mgf1) == 1) &&
             EVP_DigestSign(context, made, &len, (const unsigned char *)MESSAGE, MESSAGE_LEN) == 1;

    EVP_MD_CTX_free(context);
    return ok && is_right(RSA_KEY, RSA_PKCS1_PSS_PADDING, MESSAGE, MESSAGE_LEN, made, len);
}

static void only_the_PSS_of_TLS_is_signed(void **state) {
    EVP_PKEY *key = load_key(RSA_KEY);

    (void)state;
    assert_true(sign_pss(key, 0, NULL));
    assert_true(sign_pss(key, 32, EVP_sha256()));
    assert_true(sign_pss(key, RSA_PSS_SALTLEN_DIGEST, NULL));
    assert_false(sign_pss(key, 20, NULL));
    assert_error("expected a salt of 32 bytes (rsa_pss_saltlen:digest); 20 came");
    assert_false(sign_pss(key, RSA_PSS_SALTLEN_MAX, NULL));
    assert_error("expected a salt of 32 bytes");
    assert_false(sign_pss(key, 0, EVP_sha512()));
    assert_error("expected MGF1 with the same digest");
    EVP_PKEY_free(key);
}

static void raw_rsa_and_decryption_do_not_exist(void **state) {
    EVP_PKEY *key = load_key(RSA_KEY), *curve = load_key(P256_KEY);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    unsigned char block[256] = {0}, made[256];
    size_t len = sizeof made;
    RSA *rsa;

    (void)state;
    assert_int_equal(EVP_PKEY_sign_init(context), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(context, RSA_NO_PADDING), 1);
    assert_int_not_equal(EVP_PKEY_sign(context, made, &len, block, sizeof block), 1);
    assert_error("raw RSA does not exist here");
    EVP_PKEY_decrypt_init(context);
    assert_int_not_equal(EVP_PKEY_decrypt(context, made, &len, block, sizeof block), 1);
    EVP_PKEY_CTX_free(context);
    ERR_clear_error();
    /* A digest without a name is none that PKCS#1 could sign. */
    context = EVP_PKEY_CTX_new(key, NULL);
    assert_int_equal(EVP_PKEY_sign_init(context), 1);
    len = sizeof made;
    assert_int_not_equal(EVP_PKEY_sign(context, made, &len, block, 32), 1);
    assert_error("digest none came");
    EVP_PKEY_CTX_free(context);
    context = EVP_PKEY_CTX_new(curve, NULL);
    assert_int_not_equal(EVP_PKEY_derive_init(context), 1);
    EVP_PKEY_CTX_free(context);
    rsa = EVP_PKEY_get1_RSA(key);
    assert_int_equal(RSA_private_encrypt(32, block, made, rsa, RSA_PKCS1_PADDING), -1);
    RSA_free(rsa);
    EVP_PKEY_free(key);
    EVP_PKEY_free(curve);
    ERR_clear_error();
}

static void a_digest_is_signed_as_such(void **state) {
    EVP_PKEY *key = load_key(P256_KEY);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    unsigned char digest[32], made[512];
    size_t len = sizeof made;

    (void)state;
    EVP_Digest(MESSAGE, MESSAGE_LEN, digest, NULL, EVP_sha256(), NULL);
    assert_int_equal(EVP_PKEY_sign_init(context), 1);
    assert_int_equal(EVP_PKEY_sign(context, made, &len, digest, sizeof digest), 1);
    assert_string_equal(asked(), "0403 digest 32");
    assert_true(is_right(P256_KEY, 0, MESSAGE, MESSAGE_LEN, made, len));
    len = sizeof made;
    assert_int_not_equal(EVP_PKEY_sign(context, made, &len, digest, 31), 1);
    assert_error("expected a digest of 32 bytes; 31 came");
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(key);
}

static void assert_loads(const char *name, int kind) {
    EVP_PKEY *key = ENGINE_load_private_key(engine, name, NULL, NULL);

    if (key == NULL) {
        ERR_print_errors_fp(stderr);
        fail_msg("no key %s", name);
    }
    assert_no_error();
    assert_int_equal(EVP_PKEY_eq(key, keys[kind].genuine), 1);
    assert_int_equal(X509_check_private_key(keys[kind].certificate, key), 1);
    EVP_PKEY_free(key);
}

static void keys_have_many_names(void **state) {
    unsigned char hash[32];
    char by_hash[80] = "spki_";

    (void)state;
    catalogue_hash(keys[P384_KEY].genuine, hash);
    for (int i = 0; i < 32; i++)
        snprintf(by_hash + 5 + 2 * i, 3, "%02X", hash[i]);
    assert_loads("label_www-RSA", RSA_KEY);
    assert_loads("www-P-256", P256_KEY);
    assert_loads("id_69642D502d323536", P256_KEY);
    assert_loads("69642D502d323536", P256_KEY);
    assert_loads(by_hash, P384_KEY);
    assert_loads(by_hash + 5, P384_KEY);
    assert_loads("pkcs11:object=www-ED25519", ED25519_KEY);
    assert_loads("pkcs11:token=signet;object=www%2dRSA;type=private?pin-value=1234", RSA_KEY);
    assert_loads("pkcs11:id=%69d-P-521", P521_KEY);
    assert_loads("pkcs11:object=www-P-521;id=id-P-521;", P521_KEY);
}

static void assert_no_key(const char *name, const char *words) {
    assert_null(ENGINE_load_private_key(engine, name, NULL, NULL));
    assert_error(words);
}

static void a_wrong_name_says_what_is_wrong(void **state) {
    (void)state;
    assert_no_key("label_www", "the catalogue has no key \"label_www\" among its 5");
    assert_no_key("pkcs11:object=www-RSA;id=id-P-256", "has no key");
    assert_no_key("id_xyz", "id_: expected 1 to 64 bytes in hexadecimal");
    assert_no_key("spki_00", "spki_: expected the 64 hexadecimal digits");
    assert_no_key("", "expected label_LABEL, id_HEX");
    assert_no_key(NULL, "expected label_LABEL, id_HEX");
    assert_no_key("pkcs11:token=signet", "pkcs11: expected object= (the label) or id=");
    assert_no_key("pkcs11:object=a;object=b", "each once");
    assert_no_key("pkcs11:object=%0", "expected object=");
    assert_no_key("pkcs11:object=a;color=blue", "expected attributes of RFC 7512");
    assert_no_key("pkcs11:object=a;type=cert", "type: expected private or public");
}

static void two_keys_of_one_label_are_told(void **state) {
    EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");

    (void)state;
    catalogue_begin();
    catalogue_put(keys[P256_KEY].genuine, NULL, "www", "1");
    catalogue_put(other, NULL, "www", "2");
    catalogue_write(in_folder("catalogue.pb"));
    assert_no_key("label_www", "2 keys of the catalogue are meant by \"label_www\": name one by id_HEX");
    assert_loads("pkcs11:object=www;id=1", P256_KEY);
    EVP_PKEY_free(other);
}

static void the_catalogue_may_come_and_go(void **state) {
    (void)state;
    unlink(in_folder("catalogue.pb"));
    assert_no_key("www-RSA", "catalogue.pb: No such file or directory; the service writes it");
    catalogue_begin();
    catalogue_put(keys[RSA_KEY].genuine, NULL, "www-RSA", "1");
    catalogue_write(in_folder("catalogue.pb"));
    assert_loads("www-RSA", RSA_KEY);
    assert_no_key("www-P-256", "among its 1");
    write_catalogue();
    assert_loads("www-P-256", P256_KEY);
    unlink(in_folder("catalogue.pb"));
    assert_loads("www-P-256", P256_KEY);
}

static void the_public_half_can_be_loaded_alone(void **state) {
    EVP_PKEY *key = ENGINE_load_public_key(engine, "www-P-256", NULL, NULL);

    (void)state;
    assert_non_null(key);
    assert_int_equal(EVP_PKEY_eq(key, keys[P256_KEY].genuine), 1);
    EVP_PKEY_free(key);
}

static void a_failure_names_the_key_and_the_reason(void **state) {
    unsigned char made[512];
    size_t len;
    EVP_PKEY *key;

    (void)state;
    setenv("SIGNET_FAKE_FAIL", "unreachable", 1);
    key = load_key(P256_KEY);
    assert_false(sign_message(key, keys[P256_KEY].md, 0, MESSAGE, MESSAGE_LEN, made, &len));
    assert_int_equal(ERR_GET_REASON(ERR_peek_last_error()), 129);
    assert_error("signing service unreachable: signet: key \"www-P-256\" (");
    EVP_PKEY_free(key);
}

static void bad_settings_are_told_when_a_key_is_loaded(void **state) {
    static const struct {
        const char *name, *text, *words;
    } bad[] = {{"TIMEOUT_MS", "soon", "TIMEOUT_MS: expected a number of milliseconds from 1 to 60000; \"soon\" came"},
               {"TIMEOUT_MS", "60001", "TIMEOUT_MS: expected"},
               {"SOCKETS", "a:b:c:d:e:f:g:h:i", "SOCKETS (openssl.cnf, else SIGNET_SOCKETS): expected 1 to 8 paths"}};

    (void)state;
    for (int i = 0; i < 3; i++) {
        close_engine(NULL);
        engine = load_engine((const char *[]){"CATALOGUE", in_folder("catalogue.pb"), bad[i].name, bad[i].text, NULL});
        assert_int_equal(ENGINE_init(engine), 1);
        assert_no_key("www-RSA", bad[i].words);
    }
}

static void settings_may_come_after_init(void **state) {
    (void)state;
    close_engine(NULL);
    engine = load_engine((const char *[]){NULL});
    assert_int_equal(ENGINE_init(engine), 1);
    assert_int_equal(ENGINE_ctrl_cmd_string(engine, "CATALOGUE", in_folder("catalogue.pb"), 0), 1);
    assert_loads("www-RSA", RSA_KEY);
    assert_int_not_equal(ENGINE_ctrl_cmd_string(engine, "PIN", "1234", 0), 1);
    ERR_clear_error();
}

/* NGINX's ssl_engine does this. */
static void it_is_never_the_default_for_other_keys(void **state) {
    unsigned char made[512];
    size_t len;

    (void)state;
    assert_int_equal(ENGINE_set_default(engine, ENGINE_METHOD_ALL), 1);
    ENGINE_register_complete(engine);
    for (int i = 0; i < KINDS; i++) {
        assert_true(sign_message(keys[i].genuine, keys[i].md, 0, MESSAGE, MESSAGE_LEN, made, &len));
        assert_true(is_right(i, 0, MESSAGE, MESSAGE_LEN, made, len));
    }
    assert_string_equal(asked(), "");
    assert_signs(P256_KEY, 0, "0403 message 20");
}

static void a_key_outlives_the_references_of_those_who_loaded_it(void **state) {
    unsigned char made[512];
    size_t len;
    EVP_PKEY *key = load_key(P256_KEY), *rsa = load_key(RSA_KEY);

    (void)state;
    ENGINE_finish(engine);
    ENGINE_free(engine);
    engine = NULL;
    EVP_PKEY_free(rsa);
    assert_true(sign_message(key, keys[P256_KEY].md, 0, MESSAGE, MESSAGE_LEN, made, &len));
    EVP_PKEY_free(key);
    assert_no_error();
    /* It was gone, and comes back. */
    open_engine(NULL);
    assert_signs(RSA_KEY, 0, "0401 message 20");
}

static void a_child_of_a_fork_loads_and_signs(void **state) {
    EVP_PKEY *key = load_key(P256_KEY);
    pid_t child = fork();
    int status;

    (void)state;
    if (child == 0) {
        unsigned char made[512];
        size_t len;
        EVP_PKEY *another = load_key(RSA_KEY);
        int ok = sign_message(key, keys[P256_KEY].md, 0, MESSAGE, MESSAGE_LEN, made, &len) &&
                 sign_message(another, keys[RSA_KEY].md, 0, MESSAGE, MESSAGE_LEN, made, &len);
        EVP_PKEY_free(another);
        EVP_PKEY_free(key);
        _exit(ok ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    EVP_PKEY_free(key);
}

static void *sign_and_load(void *failures) {
    for (int i = 0; i < SIGNATURES_PER_THREAD; i++) {
        int kind = i % 2 == 0 ? P256_KEY : ED25519_KEY;
        unsigned char made[512];
        size_t len;
        EVP_PKEY *key = load_key(kind);
        if (!sign_message(key, keys[kind].md, 0, MESSAGE, MESSAGE_LEN, made, &len) ||
            !is_right(kind, 0, MESSAGE, MESSAGE_LEN, made, len))
            ++*(int *)failures;
        EVP_PKEY_free(key);
    }
    OPENSSL_thread_stop();
    return NULL;
}

static void threads_load_and_sign_at_once(void **state) {
    pthread_t threads[THREADS];
    int failures[THREADS] = {0};

    (void)state;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, sign_and_load, &failures[i]);
    for (int i = 0; i < 20; i++)
        write_catalogue();
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(failures[i], 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_engine, close_engine)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(every_kind_of_key_signs_the_whole_message),
        TEST(rsa_signs_with_every_hash_of_tls),
        TEST(a_streamed_message_goes_as_a_digest),
        TEST(a_message_over_16_KiB_goes_as_a_digest),
        TEST(what_has_no_scheme_is_refused_when_it_is_chosen),
        TEST(only_the_PSS_of_TLS_is_signed),
        TEST(raw_rsa_and_decryption_do_not_exist),
        TEST(a_digest_is_signed_as_such),
        TEST(keys_have_many_names),
        TEST(a_wrong_name_says_what_is_wrong),
        TEST(two_keys_of_one_label_are_told),
        TEST(the_catalogue_may_come_and_go),
        TEST(the_public_half_can_be_loaded_alone),
        TEST(a_failure_names_the_key_and_the_reason),
        TEST(bad_settings_are_told_when_a_key_is_loaded),
        TEST(settings_may_come_after_init),
        TEST(it_is_never_the_default_for_other_keys),
        TEST(a_key_outlives_the_references_of_those_who_loaded_it),
        TEST(a_child_of_a_fork_loads_and_signs),
        TEST(threads_load_and_sign_at_once),
    };
    return cmocka_run_group_tests(tests, make_everything, free_everything);
}
