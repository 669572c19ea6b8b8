/* One signature: every way, what is verified, and what a token may give that is none. */
#include "scene.h"

#include <stdlib.h>
#include <string.h>

#define SAMPLE 64

static const char MESSAGE[] = "what is signed";

static void assert_signs(size_t sessions, enum way way, bool is_digest) {
    scene scene = scene_open(sessions, VERIFY_ALWAYS);
    unsigned char digest[EVP_MAX_MD_SIZE];
    frames jobs = {.length = 0};
    if (is_digest)
        add_job(&jobs, 7, way, true, digest, digest_of(way, MESSAGE, sizeof MESSAGE, digest), NEVER);
    else
        add_job(&jobs, 7, way, false, MESSAGE, sizeof MESSAGE, NEVER);
    front_send(&scene, &jobs);
    settle(&scene);
    const answer answer = front_receive(&scene);
    assert_int_equal(answer.id, 7);
    assert_signature(way, MESSAGE, sizeof MESSAGE, &answer);
    scene_close(&scene);
}

static void every_way_signs_a_message(void **state) {
    (void)state;
    for (int way = 0; way < WAY_COUNT; way++) {
        assert_signs(1, (enum way)way, false);
        assert_signs(2, (enum way)way, false);
    }
}

static void every_way_with_a_hash_signs_a_digest(void **state) {
    (void)state;
    for (int way = 0; way < ED25519; way++)
        assert_signs(1, (enum way)way, true);
}

static void an_empty_message_is_signed(void **state) {
    (void)state;
    scene scene = scene_open(1, VERIFY_ALWAYS);
    frames jobs = {.length = 0};
    for (int way = 0; way < WAY_COUNT; way++)
        add_job(&jobs, (uint32_t)way, (enum way)way, false, NULL, 0, NEVER);
    front_send(&scene, &jobs);
    settle(&scene);
    for (int way = 0; way < WAY_COUNT; way++) {
        const answer answer = front_receive(&scene);
        assert_signature((enum way)way, "", 0, &answer);
    }
    scene_close(&scene);
}

/* A spoilt signature is the job's end, by the caller's hand; the next is sent. */
static void assert_spoilt_fails(enum way way, enum fake_spoil how, enum sign_verify verify, CK_RV rv) {
    scene scene = scene_open(1, verify);
    frames jobs = {.length = 0};
    add_job(&jobs, 1, way, false, MESSAGE, sizeof MESSAGE, NEVER);
    add_job(&jobs, 2, way, false, MESSAGE, sizeof MESSAGE, NEVER);
    add_job(&jobs, 3, way, false, MESSAGE, sizeof MESSAGE, NEVER);
    front_send(&scene, &jobs);
    fake_shut_gate();
    fake_let_through(1);
    next_begin(&scene);
    fake_wait_for_arrivals(2);
    fake_spoil(how, 1);
    fake_open_gate();
    const struct sign_event event = next_end(&scene, SIGN_EVENT_FAILED);
    assert_int_equal(event.id, 2);
    assert_int_equal(event.rv, rv);
    assert_int_equal(event.key, KEY_OF_WAY[way]);
    assert_int_equal(event.way, way);
    assert_false(event.is_stale);
    settle(&scene);
    for (uint32_t id = 1; id <= 3; id += 2) {
        const answer answer = front_receive(&scene);
        assert_int_equal(answer.id, id);
        assert_signature(way, MESSAGE, sizeof MESSAGE, &answer);
    }
    assert_false(front_has_answers(&scene));
    scene_close(&scene);
}

static void a_signature_that_does_not_verify_is_not_sent(void **state) {
    (void)state;
    for (int way = 0; way < WAY_COUNT; way++)
        assert_spoilt_fails((enum way)way, SPOIL_BIT, VERIFY_ALWAYS, CKR_OK);
    assert_spoilt_fails(P256, SPOIL_ZERO, VERIFY_ALWAYS, CKR_OK);
}

static void rsa_is_always_verified(void **state) {
    (void)state;
    for (int way = PSS256; way <= PKCS512; way++) {
        assert_spoilt_fails((enum way)way, SPOIL_BIT, VERIFY_FIRST, CKR_OK);
        assert_spoilt_fails((enum way)way, SPOIL_BIT, VERIFY_SAMPLE, CKR_OK);
    }
}

static void what_cannot_be_a_signature_is_not_sent_though_it_is_not_due(void **state) {
    (void)state;
    assert_spoilt_fails(P256, SPOIL_ODD, VERIFY_FIRST, CKR_OK);
    assert_spoilt_fails(P521, SPOIL_EMPTY, VERIFY_FIRST, CKR_OK);
    assert_spoilt_fails(ED25519, SPOIL_ODD, VERIFY_FIRST, CKR_OK);
    assert_spoilt_fails(ED25519, SPOIL_EMPTY, VERIFY_FIRST, CKR_OK);
}

static void a_length_beyond_the_buffer_is_a_failure_of_the_module(void **state) {
    (void)state;
    assert_spoilt_fails(P256, SPOIL_LONG, VERIFY_FIRST, CKR_GENERAL_ERROR);
    assert_spoilt_fails(PKCS256, SPOIL_LONG, VERIFY_ALWAYS, CKR_GENERAL_ERROR);
}

/* Spoils every signature of `count`, and gives which jobs were found out: those that were verified. */
static size_t found_out(enum way way, enum sign_verify verify, uint32_t count, uint32_t *ids) {
    scene scene = scene_open(1, verify);
    frames jobs = {.length = 0};
    size_t found = 0;
    fake_spoil(SPOIL_BIT, count);
    for (uint32_t id = 0; id < count; id++) {
        add_job(&jobs, id, way, false, MESSAGE, sizeof MESSAGE, NEVER);
        add_frame(&jobs, FRAME_REFRESH, 0, NULL, 0);
        front_send(&scene, &jobs);
        struct sign_event event;
        sign_loop_next(scene.loop, &event);
        if (event.kind == SIGN_EVENT_FAILED) {
            ids[found++] = event.id;
            next(&scene, SIGN_EVENT_ORDER);
        } else {
            assert_int_equal(event.kind, SIGN_EVENT_ORDER);
            const answer answer = front_receive(&scene);
            assert_int_equal(answer.status, OK);
            assert_false(is_signature(way, MESSAGE, sizeof MESSAGE, &answer));
        }
    }
    scene_close(&scene);
    return found;
}

static void first_verifies_the_first_of_a_key(void **state) {
    (void)state;
    uint32_t ids[2 * SAMPLE + 2];
    assert_int_equal(found_out(ED25519, VERIFY_FIRST, SAMPLE + 2, ids), 1);
    assert_int_equal(ids[0], 0);
}

static void sample_verifies_the_first_and_one_in_64(void **state) {
    (void)state;
    uint32_t ids[2 * SAMPLE + 2];
    assert_int_equal(found_out(P256, VERIFY_SAMPLE, 2 * SAMPLE + 2, ids), 3);
    assert_int_equal(ids[0], 0);
    assert_int_equal(ids[1], SAMPLE);
    assert_int_equal(ids[2], 2 * SAMPLE);
}

static void keys_that_are_found_anew_are_verified_anew(void **state) {
    (void)state;
    scene scene = scene_open(1, VERIFY_FIRST);
    frames jobs = {.length = 0};
    add_plain_job(&jobs, 1);
    front_send(&scene, &jobs);
    settle(&scene);
    scene_stand(&scene, 0, -1);
    fake_spoil(SPOIL_BIT, 1);
    add_plain_job(&jobs, 2);
    front_send(&scene, &jobs);
    assert_int_equal(next(&scene, SIGN_EVENT_FAILED).id, 2);
    scene_close(&scene);
}

/* ---- r || s as DER ---- */

static unsigned char given[160];
static size_t given_length;

static CK_RV give(CK_SESSION_HANDLE session, CK_BYTE_PTR input, CK_ULONG input_length, CK_BYTE_PTR into,
                  CK_ULONG_PTR length) {
    (void)session, (void)input, (void)input_length;
    memcpy(into, given, given_length);
    *length = given_length;
    return CKR_OK;
}

static CK_RV begin(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
    (void)session, (void)mechanism, (void)key;
    return CKR_OK;
}

static struct sign_made der_of(const unsigned char *r_and_s, size_t length) {
    static CK_FUNCTION_LIST giver = {.C_SignInit = begin, .C_Sign = give};
    const struct sign_way way = {
        .mechanism = CKM_ECDSA, .is_ecdsa = true, .digest_length = 32, .hash = (EVP_MD *)(uintptr_t)EVP_sha256()};
    const struct sign_key key = {.handle = 1};
    const struct sign_input input = {(const unsigned char *)"", 0, false};
    struct sign_made made;
    memcpy(given, r_and_s, length);
    given_length = length;
    assert_int_equal(sign_make(&giver, 1, &key, &way, &input, &made), CKR_OK);
    return made;
}

#define ASSERT_DER(r_and_s, ...)                                                                                       \
    do {                                                                                                               \
        const unsigned char expected[] = {__VA_ARGS__};                                                                \
        const struct sign_made made = der_of(r_and_s, sizeof r_and_s);                                                 \
        assert_false(made.is_odd);                                                                                     \
        assert_int_equal(made.length, sizeof expected);                                                                \
        assert_memory_equal(made.bytes, expected, sizeof expected);                                                    \
    } while (0)

static void integers_are_as_short_as_they_can_be_and_positive(void **state) {
    (void)state;
    ASSERT_DER(((unsigned char[]){0x01, 0x02, 0x03, 0x04}), 0x30, 8, 2, 2, 1, 2, 2, 2, 3, 4);
    ASSERT_DER(((unsigned char[]){0x00, 0x02, 0x00, 0x84}), 0x30, 7, 2, 1, 2, 2, 2, 0, 0x84);
    ASSERT_DER(((unsigned char[]){0x80, 0x02, 0xff, 0x00}), 0x30, 10, 2, 3, 0, 0x80, 2, 2, 3, 0, 0xff, 0);
    ASSERT_DER(((unsigned char[]){0x00, 0x00, 0x00, 0x01}), 0x30, 6, 2, 1, 0, 2, 1, 1);
    ASSERT_DER(((unsigned char[]){0x7f, 0x80}), 0x30, 7, 2, 1, 0x7f, 2, 2, 0, 0x80);
}

static void the_longest_signature_has_a_long_length(void **state) {
    (void)state;
    unsigned char r_and_s[132];
    memset(r_and_s, 0xff, sizeof r_and_s);
    const struct sign_made made = der_of(r_and_s, sizeof r_and_s);
    const unsigned char head[] = {0x30, 0x81, 138, 2, 67, 0, 0xff};
    assert_false(made.is_odd);
    assert_int_equal(made.length, 141);
    assert_memory_equal(made.bytes, head, sizeof head);
    /* The last length that one byte tells: 127. */
    r_and_s[0] = 0, r_and_s[61] = 0x7f, r_and_s[1] = 0x7f;
    assert_int_equal(der_of(r_and_s, 122).length, 2 + 2 + 60 + 2 + 61);
    r_and_s[0] = 0x7f;
    assert_int_equal(der_of(r_and_s, 122).length, 2 + 2 + 61 + 2 + 61);
    r_and_s[0] = 0xff;
    assert_int_equal(der_of(r_and_s, 122).length, 2 + 2 + 62 + 2 + 61);
    r_and_s[61] = 0xff;
    assert_int_equal(der_of(r_and_s, 122).length, 3 + 2 + 62 + 2 + 62);
}

static void what_is_no_pair_of_a_curve_is_odd(void **state) {
    (void)state;
    static const unsigned char ZEROS[134];
    assert_true(der_of(ZEROS, 0).is_odd);
    assert_true(der_of(ZEROS, 63).is_odd);
    assert_true(der_of(ZEROS, 134).is_odd);
    assert_false(der_of(ZEROS, 132).is_odd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_signs_a_message),
        cmocka_unit_test(every_way_with_a_hash_signs_a_digest),
        cmocka_unit_test(an_empty_message_is_signed),
        cmocka_unit_test(a_signature_that_does_not_verify_is_not_sent),
        cmocka_unit_test(rsa_is_always_verified),
        cmocka_unit_test(what_cannot_be_a_signature_is_not_sent_though_it_is_not_due),
        cmocka_unit_test(a_length_beyond_the_buffer_is_a_failure_of_the_module),
        cmocka_unit_test(first_verifies_the_first_of_a_key),
        cmocka_unit_test(sample_verifies_the_first_and_one_in_64),
        cmocka_unit_test(keys_that_are_found_anew_are_verified_anew),
        cmocka_unit_test(integers_are_as_short_as_they_can_be_and_positive),
        cmocka_unit_test(the_longest_signature_has_a_long_length),
        cmocka_unit_test(what_is_no_pair_of_a_curve_is_odd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
