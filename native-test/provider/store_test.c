/* OSSL_STORE for "signet:": keys and certificates by name from a catalogue file. Nothing may stay on the error queue
 * where something worked. */
#include "catalogue_writer.h"
#include "fixture.h"
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/store.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Label NAME and id "id-NAME" for each; a second P-256 key would have the label of the first. */
static void fill_catalogue(void) {
    catalogue_begin();
    for (int i = 0; i < KINDS; i++) {
        char id[32];
        snprintf(id, sizeof id, "id-%s", keys[i].name);
        catalogue_put(keys[i].in_token, keys[i].certificate,
                      i == 2 || i == 3 ? "twins"
                      : i == 4         ? "a;b%?#\xc3\xbc"
                                       : keys[i].name,
                      id);
    }
    catalogue_write(in_folder("catalogue.pb"));
}

static int set_up(void **state) {
    int failed = load_everything(state);
    if (!failed)
        fill_catalogue();
    return failed;
}

static OSSL_STORE_CTX *open_store(const char *uri) {
    return OSSL_STORE_open_ex(uri, libctx, NULL, NULL, NULL, NULL, NULL, NULL);
}

/* The only object of that kind; NULL if there is none. */
static OSSL_STORE_INFO *load_one(const char *uri, int expected) {
    OSSL_STORE_CTX *store = open_store(uri);
    OSSL_STORE_INFO *info;

    if (store == NULL)
        return NULL;
    assert_int_equal(OSSL_STORE_expect(store, expected), 1);
    info = OSSL_STORE_load(store);
    assert_true(OSSL_STORE_eof(store));
    assert_false(OSSL_STORE_error(store));
    OSSL_STORE_close(store);
    return info;
}

static EVP_PKEY *load_key(const char *uri) {
    OSSL_STORE_INFO *info = load_one(uri, OSSL_STORE_INFO_PKEY);
    EVP_PKEY *key = info != NULL ? OSSL_STORE_INFO_get1_PKEY(info) : NULL;
    OSSL_STORE_INFO_free(info);
    return key;
}

static void assert_names(const char *uri, const test_key *test) {
    EVP_PKEY *key = load_key(uri);
    unsigned char made[512];
    size_t len;

    assert_non_null(key);
    assert_int_equal(EVP_PKEY_eq(key, test->key), 1);
    assert_int_equal(X509_check_private_key(test->certificate, key), 1);
    assert_int_equal(sign_message(key, test->digest, 0, "stored", 6, made, &len), 1);
    assert_true(is_right(test, 0, "stored", 6, made, len));
    assert_int_equal(ERR_peek_error(), 0);
    EVP_PKEY_free(key);
}

static void a_key_is_found_by_its_label_its_id_and_its_spki(void **state) {
    unsigned char hash[32];
    char uri[128];
    int at;

    (void)state;
    assert_names("signet:label=RSA", &keys[0]);
    assert_names("SIGNET:label=P%2D256", &keys[1]);
    assert_names("signet:label=a%3bb%25%3F%23\xc3\xbc", &keys[4]);
    assert_names("signet:id=69642d502d333834", &keys[2]);
    assert_names("signet:label=twins;id=69642D502D353231", &keys[3]);
    catalogue_hash(keys[3].in_token, hash);
    at = snprintf(uri, sizeof uri, "signet:spki=");
    for (int i = 0; i < 32; i++)
        at += snprintf(uri + at, sizeof uri - (size_t)at, "%02x", hash[i]);
    assert_names(uri, &keys[3]);
}

static void an_rsa_key_is_an_rsa_pss_key_on_request(void **state) {
    EVP_PKEY *plain = load_key("signet:label=RSA-PSS");

    (void)state;
    assert_true(EVP_PKEY_is_a(plain, "RSA"));
    assert_names("signet:label=RSA-PSS;type=rsa-pss", &keys[5]);
    EVP_PKEY_free(plain);
}

static void what_is_expected_comes_and_nothing_else(void **state) {
    OSSL_STORE_INFO *info = load_one("signet:label=RSA", OSSL_STORE_INFO_CERT);
    unsigned char made[512];
    size_t len;

    (void)state;
    assert_int_equal(X509_cmp(OSSL_STORE_INFO_get0_CERT(info), keys[0].certificate), 0);
    OSSL_STORE_INFO_free(info);
    info = load_one("signet:label=RSA", OSSL_STORE_INFO_PUBKEY);
    assert_int_equal(EVP_PKEY_eq(OSSL_STORE_INFO_get0_PUBKEY(info), keys[0].key), 1);
    assert_int_equal(sign_message(OSSL_STORE_INFO_get0_PUBKEY(info), "SHA256", 0, "x", 1, made, &len), 0);
    ERR_clear_error();
    OSSL_STORE_INFO_free(info);
    assert_null(load_one("signet:label=RSA", OSSL_STORE_INFO_CRL));
    assert_null(load_one("signet:", OSSL_STORE_INFO_PKEY));
    assert_int_equal(ERR_peek_error(), 0);
}

static void without_expectations_the_key_comes_first_and_its_certificate_next(void **state) {
    OSSL_STORE_CTX *store = open_store("signet:label=P-256");
    const int kinds[] = {OSSL_STORE_INFO_PKEY, OSSL_STORE_INFO_CERT};

    (void)state;
    for (int i = 0; i < 2; i++) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);
        assert_int_equal(OSSL_STORE_INFO_get_type(info), kinds[i]);
        OSSL_STORE_INFO_free(info);
    }
    assert_true(OSSL_STORE_eof(store));
    assert_null(OSSL_STORE_load(store));
    assert_int_equal(ERR_peek_error(), 0);
    OSSL_STORE_close(store);
}

static void nothing_named_lists_names_that_work(void **state) {
    OSSL_STORE_CTX *store = open_store("signet:");
    int count = 0;

    (void)state;
    for (OSSL_STORE_INFO *info; (info = OSSL_STORE_load(store)) != NULL; count++) {
        EVP_PKEY *key;
        assert_int_equal(OSSL_STORE_INFO_get_type(info), OSSL_STORE_INFO_NAME);
        assert_true(strlen(OSSL_STORE_INFO_get0_NAME_description(info)) > 0);
        key = load_key(OSSL_STORE_INFO_get0_NAME(info));
        assert_non_null(key);
        EVP_PKEY_free(key);
        OSSL_STORE_INFO_free(info);
    }
    assert_int_equal(count, KINDS);
    assert_int_equal(ERR_peek_error(), 0);
    OSSL_STORE_close(store);
}

static void assert_refused(const char *uri, const char *words) {
    const char *data = "";
    int flags;

    assert_null(open_store(uri));
    ERR_peek_last_error_data(&data, &flags);
    if (strstr(data, words) == NULL)
        fail_msg("%s: expected \"%s\"; \"%s\" came", uri, words, data);
    ERR_clear_error();
}

static void a_wrong_name_is_refused_with_what_was_expected(void **state) {
    (void)state;
    assert_refused("signet:label=nobody", "has no such key; \"signet:\" alone lists");
    assert_refused("signet:label=twins", "has 2 keys of that name; add id= or spki=");
    assert_refused("signet:label=P-256;type=rsa-pss", "expected an RSA key");
    assert_refused("signet:type=rsa-pss", "expected signet: and label=");
    assert_refused("signet:www", "expected signet: and label=NAME, id=HEX or spki=HEX");
    assert_refused("signet:label=RSA;", "separated by ';'");
    assert_refused("signet:label=RSA;label=RSA", "each at most once");
    assert_refused("signet:label=", "expected label= and 1 to 256 bytes");
    assert_refused("signet:label=a%0ab", "without control characters");
    assert_refused("signet:label=a%zz", "as %XX");
    assert_refused("signet:label=a?x", "\"%;?#\" as %XX");
    assert_refused("signet:id=0g", "1 to 64 bytes in hexadecimal");
    assert_refused("signet:id=012", "1 to 64 bytes in hexadecimal");
    assert_refused("signet:spki=01", "32 bytes of the SPKI's SHA-256");
    assert_refused("signet:label=RSA;type=dsa", "expected type=rsa-pss");
}

static void searches_are_not_supported_and_say_so(void **state) {
    OSSL_STORE_CTX *store = open_store("signet:");
    OSSL_STORE_SEARCH *search = OSSL_STORE_SEARCH_by_alias("RSA");

    (void)state;
    assert_int_equal(OSSL_STORE_find(store, search), 0);
    ERR_clear_error();
    OSSL_STORE_SEARCH_free(search);
    OSSL_STORE_close(store);
}

static void a_replaced_catalogue_is_seen_and_a_broken_one_is_not(void **state) {
    OSSL_STORE_CTX *store;
    OSSL_STORE_INFO *info;

    (void)state;
    store = open_store("signet:label=RSA");
    catalogue_begin();
    catalogue_put(keys[0].in_token, keys[0].certificate, "renamed", "id");
    catalogue_write(in_folder("catalogue.pb"));
    assert_names("signet:label=renamed", &keys[0]);
    assert_refused("signet:label=RSA", "has no such key");
    info = OSSL_STORE_load(store);
    assert_int_equal(EVP_PKEY_eq(OSSL_STORE_INFO_get0_PKEY(info), keys[0].key), 1);
    OSSL_STORE_INFO_free(info);
    OSSL_STORE_close(store);
    catalogue_spoil();
    catalogue_write(in_folder("catalogue.pb"));
    assert_names("signet:label=renamed", &keys[0]);
    unlink(in_folder("catalogue.pb"));
    assert_names("signet:label=renamed", &keys[0]);
    fill_catalogue();
    assert_names("signet:label=RSA", &keys[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_found_by_its_label_its_id_and_its_spki),
        cmocka_unit_test(an_rsa_key_is_an_rsa_pss_key_on_request),
        cmocka_unit_test(what_is_expected_comes_and_nothing_else),
        cmocka_unit_test(without_expectations_the_key_comes_first_and_its_certificate_next),
        cmocka_unit_test(nothing_named_lists_names_that_work),
        cmocka_unit_test(a_wrong_name_is_refused_with_what_was_expected),
        cmocka_unit_test(searches_are_not_supported_and_say_so),
        cmocka_unit_test(a_replaced_catalogue_is_seen_and_a_broken_one_is_not),
    };
    return cmocka_run_group_tests_name("store", tests, set_up, free_everything);
}
