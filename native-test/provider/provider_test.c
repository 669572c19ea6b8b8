/* The provider as programs see it through libcrypto and libssl. Nothing may stay on the error queue where something
 * worked. */
#include "fixture.h"
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <string.h>

#define EACH_KEY(KEY) for (test_key *KEY = keys; KEY < keys + KINDS; KEY++)

static void assert_no_errors(void) {
    unsigned long error = ERR_peek_error();
    if (error != 0)
        ERR_print_errors_fp(stderr);
    assert_int_equal(error, 0);
}

static void loading_a_reference_leaves_no_error(void **state) {
    (void)state;
    EACH_KEY(test) {
        EVP_PKEY *key = read_pem(libctx, test->reference_pem);
        assert_non_null(key);
        assert_no_errors();
        EVP_PKEY_free(key);
    }
}

static void a_genuine_key_stays_in_the_default_provider(void **state) {
    (void)state;
    EACH_KEY(test) {
        char pem[8192] = "";
        BIO *bio = BIO_new(BIO_s_mem());
        PEM_write_bio_PrivateKey(bio, test->genuine, NULL, NULL, 0, NULL, NULL);
        BIO_read(bio, pem, sizeof pem - 1);
        BIO_free(bio);
        EVP_PKEY *key = read_pem(libctx, pem);
        assert_string_equal(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key)), "default");
        assert_string_equal(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(test->key)), "signet");
        assert_no_errors();
        EVP_PKEY_free(key);
    }
}

static void a_signature_leaves_no_error_and_errno(void **state) {
    static const char message[] = "what is signed";
    unsigned char made[512];
    size_t len;

    (void)state;
    EACH_KEY(test) {
        errno = 4711;
        assert_int_equal(sign_message(test->key, test->digest, 0, message, sizeof message, made, &len), 1);
        assert_int_equal(errno, 4711);
        assert_no_errors();
        assert_true(is_right(test, 0, message, sizeof message, made, len));
    }
}

static void a_public_key_of_a_certificate_matches(void **state) {
    (void)state;
    EACH_KEY(test) {
        assert_int_equal(X509_check_private_key(test->certificate, test->key), 1);
        assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(test->certificate), test->key), 1);
        assert_no_errors();
        assert_int_not_equal(EVP_PKEY_eq(keys[test == keys].genuine, test->key), 1);
        ERR_clear_error();
    }
}

static void the_public_key_comes_out_and_the_private_one_does_not(void **state) {
    (void)state;
    EACH_KEY(test) {
        OSSL_PARAM *params = NULL;
        unsigned char *real = NULL, *ours = NULL;
        BIO *bio = BIO_new(BIO_s_mem());
        int len = i2d_PUBKEY(test->genuine, &real);

        assert_int_equal(i2d_PUBKEY(test->key, &ours), len);
        assert_memory_equal(real, ours, len);
        assert_int_equal(EVP_PKEY_todata(test->key, EVP_PKEY_PUBLIC_KEY, &params), 1);
        assert_no_errors();
        assert_null(OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_RSA_D));
        assert_null(OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_PRIV_KEY));
        OSSL_PARAM_free(params);
        params = NULL;
        assert_int_equal(EVP_PKEY_todata(test->key, EVP_PKEY_KEYPAIR, &params), 0);
        assert_null(params);
        assert_int_equal(PEM_write_bio_PrivateKey(bio, test->key, NULL, NULL, 0, NULL, NULL), 0);
        assert_int_equal(BIO_ctrl_pending(bio), 0);
        ERR_clear_error();
        BIO_free(bio);
        OPENSSL_free(real);
        OPENSSL_free(ours);
    }
}

static void a_private_key_is_not_imported(void **state) {
    (void)state;
    EACH_KEY(test) {
        EVP_PKEY_CTX *context =
            EVP_PKEY_CTX_new_from_name(libctx, EVP_PKEY_get0_type_name(test->genuine), "provider=signet");
        OSSL_PARAM *params = NULL;
        EVP_PKEY *key = NULL;

        assert_non_null(context);
        EVP_PKEY_todata(test->genuine, EVP_PKEY_KEYPAIR, &params);
        assert_int_equal(EVP_PKEY_fromdata_init(context), 1);
        assert_int_not_equal(EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, params), 1);
        assert_int_equal(EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
        assert_int_equal(EVP_PKEY_eq(key, test->key), 1);
        OSSL_PARAM_free(params);
        EVP_PKEY_free(key);
        EVP_PKEY_CTX_free(context);
        ERR_clear_error();
    }
}

static void a_public_key_does_not_sign(void **state) {
    unsigned char made[512];
    size_t len = sizeof made;

    (void)state;
    EACH_KEY(test) {
        EVP_PKEY_CTX *context =
            EVP_PKEY_CTX_new_from_name(libctx, EVP_PKEY_get0_type_name(test->genuine), "provider=signet");
        OSSL_PARAM *params = NULL;
        EVP_PKEY *key = NULL;

        EVP_PKEY_todata(test->genuine, EVP_PKEY_PUBLIC_KEY, &params);
        EVP_PKEY_fromdata_init(context);
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params);
        assert_int_equal(sign_message(key, test->digest, 0, "x", 1, made, &len), 0);
        ERR_clear_error();
        OSSL_PARAM_free(params);
        EVP_PKEY_free(key);
        EVP_PKEY_CTX_free(context);
    }
}

static void a_copy_of_a_key_signs(void **state) {
    unsigned char made[512];
    size_t len;

    (void)state;
    EACH_KEY(test) {
        EVP_PKEY *copy = EVP_PKEY_dup(test->key);
        assert_non_null(copy);
        assert_int_equal(sign_message(copy, test->digest, 0, "x", 1, made, &len), 1);
        assert_true(is_right(test, 0, "x", 1, made, len));
        assert_no_errors();
        EVP_PKEY_free(copy);
    }
}

static void a_key_answers_like_the_genuine_one(void **state) {
    (void)state;
    EACH_KEY(test) {
        assert_int_equal(EVP_PKEY_get_size(test->key), EVP_PKEY_get_size(test->genuine));
        assert_int_equal(EVP_PKEY_get_bits(test->key), EVP_PKEY_get_bits(test->genuine));
        assert_int_equal(EVP_PKEY_get_security_bits(test->key), EVP_PKEY_get_security_bits(test->genuine));
        assert_true(EVP_PKEY_is_a(test->key, EVP_PKEY_get0_type_name(test->genuine)));
        assert_true(EVP_PKEY_can_sign(test->key));
        assert_no_errors();
    }
}

static void the_default_digest_is_the_one_that_the_curve_signs_with(void **state) {
    char name[64];

    (void)state;
    EACH_KEY(test) {
        assert_true(EVP_PKEY_get_default_digest_name(test->key, name, sizeof name) > 0);
        assert_string_equal(name, test->digest != NULL ? test->digest : "UNDEF");
    }
}

/* Facts of libssl: it asks so before it chooses a certificate. */
static void digests_are_probed_without_an_error(void **state) {
    (void)state;
    EACH_KEY(test) {
        if (test->digest == NULL)
            continue;
        assert_int_equal(EVP_PKEY_digestsign_supports_digest(test->key, libctx, test->digest, NULL), 1);
        assert_int_equal(EVP_PKEY_digestsign_supports_digest(test->key, libctx, "SHA1", NULL), 0);
        assert_no_errors();
    }
    assert_int_equal(EVP_PKEY_digestsign_supports_digest(keys[0].key, libctx, "SHA2-384", NULL), 1);
    assert_int_equal(EVP_PKEY_digestsign_supports_digest(keys[1].key, libctx, "SHA2-384", NULL), 0);
}

static EVP_MD_CTX *start(EVP_PKEY *key, OSSL_LIB_CTX *in, const char *digest, int pss) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *params;
    assert_int_equal(EVP_DigestSignInit_ex(context, &params, digest, in, NULL, key, NULL), 1);
    if (pss) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(params, RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(params, RSA_PSS_SALTLEN_DIGEST), 1);
    }
    return context;
}

static void check_algorithm_id(test_key *test, const char *digest, int pss) {
    unsigned char ours[128], real[128];
    OSSL_PARAM ours_params[] = {OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, ours, sizeof ours),
                                OSSL_PARAM_END};
    OSSL_PARAM real_params[] = {OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, real, sizeof real),
                                OSSL_PARAM_END};
    EVP_MD_CTX *one = start(test->key, libctx, digest, pss), *other = start(test->genuine, NULL, digest, pss);

    assert_int_equal(EVP_PKEY_CTX_get_params(EVP_MD_CTX_get_pkey_ctx(one), ours_params), 1);
    assert_int_equal(EVP_PKEY_CTX_get_params(EVP_MD_CTX_get_pkey_ctx(other), real_params), 1);
    assert_int_equal(ours_params[0].return_size, real_params[0].return_size);
    assert_memory_equal(ours, real, ours_params[0].return_size);
    EVP_MD_CTX_free(one);
    EVP_MD_CTX_free(other);
}

static void algorithm_ids_are_those_of_libcrypto(void **state) {
    static const char *const digests[] = {"SHA256", "SHA384", "SHA512"};

    (void)state;
    for (int i = 0; i < 3; i++) {
        check_algorithm_id(&keys[0], digests[i], 0);
        check_algorithm_id(&keys[0], digests[i], 1);
        check_algorithm_id(&keys[1 + i], digests[i], 0);
        check_algorithm_id(&keys[5], digests[i], 1);
    }
    check_algorithm_id(&keys[4], NULL, 0);
    assert_no_errors();
}

static void a_stream_can_be_copied_half_way(void **state) {
    static unsigned char first[20000], made[512];
    size_t len = sizeof made;

    (void)state;
    for (size_t half = 8; half <= sizeof first; half += sizeof first - 8) {
        EVP_MD_CTX *one = start(keys[1].key, libctx, "SHA256", 0), *copy = EVP_MD_CTX_new();
        unsigned char *whole = calloc(1, half + 3);
        assert_int_equal(EVP_DigestSignUpdate(one, first, half), 1);
        assert_int_equal(EVP_MD_CTX_copy_ex(copy, one), 1);
        assert_int_equal(EVP_DigestSignUpdate(copy, "\0\0\0", 3), 1);
        EVP_MD_CTX_free(one);
        len = sizeof made;
        assert_int_equal(EVP_DigestSignFinal(copy, made, &len), 1);
        assert_true(is_right(&keys[1], 0, whole, half + 3, made, len));
        assert_no_errors();
        EVP_MD_CTX_free(copy);
        free(whole);
    }
}

static void a_long_message_is_signed_in_one_piece_too(void **state) {
    static unsigned char message[40000], made[512];
    size_t len;

    (void)state;
    assert_int_equal(sign_message(keys[0].key, "SHA256", 1, message, sizeof message, made, &len), 1);
    assert_true(is_right(&keys[0], 1, message, sizeof message, made, len));
    assert_int_equal(sign_message(keys[4].key, NULL, 0, message, sizeof message, made, &len), 0);
    assert_non_null(strstr(ERR_reason_error_string(ERR_peek_error()), "bad input to sign"));
    ERR_clear_error();
}

/* Client and server in memory; both want a certificate of the other. */
static void shake_hands(test_key *test, int version) {
    SSL_CTX *context = SSL_CTX_new_ex(libctx, NULL, TLS_method());
    SSL *client, *server;
    BIO *one, *other;

    SSL_CTX_set_min_proto_version(context, version);
    SSL_CTX_set_max_proto_version(context, version);
    assert_int_equal(SSL_CTX_use_certificate(context, test->certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, test->key), 1);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), test->certificate);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    client = SSL_new(context);
    server = SSL_new(context);
    BIO_new_bio_pair(&one, 0, &other, 0);
    SSL_set_bio(client, one, one);
    SSL_set_bio(server, other, other);
    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    for (int i = 0; i < 20 && (SSL_in_init(client) || SSL_in_init(server)); i++) {
        SSL_do_handshake(client);
        SSL_do_handshake(server);
    }
    if (!SSL_is_init_finished(server))
        ERR_print_errors_fp(stderr);
    assert_true(SSL_is_init_finished(client) && SSL_is_init_finished(server));
    assert_no_errors();
    SSL_free(client);
    SSL_free(server);
    SSL_CTX_free(context);
}

static void handshakes_leave_no_error(void **state) {
    (void)state;
    EACH_KEY(test) {
        shake_hands(test, TLS1_3_VERSION);
        shake_hands(test, TLS1_2_VERSION);
    }
}

/* RFC 4055 section 1.2: such a key signs by PSS and no other way. */
static void an_rsa_pss_key_signs_by_pss_only(void **state) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *params;
    unsigned char made[512];
    size_t len = sizeof made;

    (void)state;
    assert_true(EVP_PKEY_is_a(keys[5].key, "RSASSA-PSS"));
    assert_false(EVP_PKEY_is_a(keys[5].key, "RSA"));
    assert_int_equal(sign_message(keys[5].key, "SHA384", 0, "x", 1, made, &len), 1);
    assert_int_equal(EVP_DigestSignInit_ex(context, &params, "SHA256", libctx, NULL, keys[5].key, NULL), 1);
    assert_int_not_equal(EVP_PKEY_CTX_set_rsa_padding(params, RSA_PKCS1_PADDING), 1);
    EVP_MD_CTX_free(context);
    ERR_clear_error();
}

/* Whether the error queue has an error with these words; empties it. */
static int was_raised(const char *words) {
    const char *data;
    int flags, found = 0;

    while (ERR_get_error_all(NULL, NULL, NULL, &data, &flags) != 0)
        found |= (flags & ERR_TXT_STRING) != 0 && strstr(data, words) != NULL;
    return found;
}

/* The second form of a reference: PKCS#8 with an OID of Signet's, the reference where the private key would be. */
static void the_second_form_gives_the_same_key(void **state) {
    static const unsigned char head[] = {0x02, 0x01, 0x00, 0x30, 0x15, 0x06, 0x13, 0x69, 0xcd, 0x81, 0xb9, 0xfe, 0x82,
                                         0x8a, 0xa8, 0xdf, 0xab, 0x8f, 0xdb, 0xab, 0xc6, 0xad, 0x93, 0xfd, 0x6a};
    static const unsigned char types[KINDS] = {1, 2, 2, 2, 3, 4};

    (void)state;
    EACH_KEY(test)
    for (unsigned char type = 1; type <= 4; type++) {
        unsigned char der[4096], *at = der, *inner = NULL;
        char *label = NULL, *header = NULL, pem[8192] = "";
        long inner_len;
        BIO *bio = BIO_new_mem_buf(test->reference_pem, -1), *out = BIO_new(BIO_s_mem());
        EVP_PKEY *key;
        int content_len;

        assert_int_equal(PEM_read_bio(bio, &label, &header, &inner, &inner_len), 1);
        content_len = (int)sizeof head + 1 + ASN1_object_size(0, (int)inner_len, V_ASN1_OCTET_STRING);
        ASN1_put_object(&at, 1, content_len, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
        memcpy(at, head, sizeof head);
        at[sizeof head] = type;
        at += sizeof head + 1;
        ASN1_put_object(&at, 0, (int)inner_len, V_ASN1_OCTET_STRING, V_ASN1_UNIVERSAL);
        memcpy(at, inner, (size_t)inner_len);
        PEM_write_bio(out, "PRIVATE KEY", "", der, (at - der) + inner_len);
        BIO_read(out, pem, sizeof pem - 1);
        key = read_pem(libctx, pem);
        if (type == types[test - keys]) {
            assert_int_equal(EVP_PKEY_eq(key, test->key), 1);
            assert_string_equal(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key)), "signet");
            assert_no_errors();
        } else {
            assert_null(key);
            assert_true(was_raised("as the OID says"));
        }
        ERR_clear_error();
        EVP_PKEY_free(key);
        BIO_free(bio);
        BIO_free(out);
        OPENSSL_free(label);
        OPENSSL_free(header);
        OPENSSL_free(inner);
    }
}

/* libssl asks so for the static-RSA suites. */
static void decryption_is_refused_in_words(void **state) {
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(libctx, keys[0].key, NULL);
    const char *data;
    int flags;

    (void)state;
    assert_true(EVP_PKEY_decrypt_init(context) <= 0);
    assert_string_equal(ERR_reason_error_string(ERR_peek_error()), "no decryption and no static RSA");
    ERR_peek_error_data(&data, &flags);
    assert_non_null(strstr(data, "!kRSA"));
    ERR_clear_error();
    EVP_PKEY_CTX_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loading_a_reference_leaves_no_error),
        cmocka_unit_test(a_genuine_key_stays_in_the_default_provider),
        cmocka_unit_test(a_signature_leaves_no_error_and_errno),
        cmocka_unit_test(a_public_key_of_a_certificate_matches),
        cmocka_unit_test(the_public_key_comes_out_and_the_private_one_does_not),
        cmocka_unit_test(a_private_key_is_not_imported),
        cmocka_unit_test(a_public_key_does_not_sign),
        cmocka_unit_test(a_copy_of_a_key_signs),
        cmocka_unit_test(a_key_answers_like_the_genuine_one),
        cmocka_unit_test(the_default_digest_is_the_one_that_the_curve_signs_with),
        cmocka_unit_test(digests_are_probed_without_an_error),
        cmocka_unit_test(algorithm_ids_are_those_of_libcrypto),
        cmocka_unit_test(a_stream_can_be_copied_half_way),
        cmocka_unit_test(a_long_message_is_signed_in_one_piece_too),
        cmocka_unit_test(handshakes_leave_no_error),
        cmocka_unit_test(an_rsa_pss_key_signs_by_pss_only),
        cmocka_unit_test(the_second_form_gives_the_same_key),
        cmocka_unit_test(decryption_is_refused_in_words),
    };
    return cmocka_run_group_tests_name("provider", tests, load_everything, free_everything);
}
