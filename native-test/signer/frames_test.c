/* What comes from the front: jobs that are refused, frames in pieces and in heaps, orders, broken frames, its end. */
#include "scene.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define GONE_SENTENCE "the caller has stopped waiting"

/* ---- jobs that are refused ---- */

static void refuses_what_does_not_fit(size_t sessions) {
    static const unsigned char ZEROS[64];
    scene scene = scene_open(sessions, VERIFY_ALWAYS);
    frames jobs = {.length = 0};
    struct {
        enum way way;
        size_t length;
        const char *sentence;
    } misfits[] = {
        {P256, 31, "expected a digest of 32 bytes; 31 came"},   {P384, 32, "expected a digest of 48 bytes; 32 came"},
        {PSS512, 0, "expected a digest of 64 bytes; 0 came"},   {PKCS256, 64, "expected a digest of 32 bytes; 64 came"},
        {ED25519, 64, "expected a digest of 0 bytes; 64 came"}, {ED25519, 0, "expected a digest of 0 bytes; 0 came"},
    };
    for (uint32_t i = 0; i < sizeof misfits / sizeof misfits[0]; i++) {
        add_job(&jobs, i, misfits[i].way, true, ZEROS, misfits[i].length, NEVER);
        front_send(&scene, &jobs);
        settle(&scene);
        assert_refused(&scene, i, MISFIT, misfits[i].sentence);
    }
    assert_int_equal(fake_counts().inits, 0);
    scene_close(&scene);
}

static void a_digest_must_have_the_length_of_its_hash(void **state) {
    (void)state;
    refuses_what_does_not_fit(1);
    refuses_what_does_not_fit(3);
}

/* The job of a P-256 key with another scheme, or of another key. */
static void assert_changed_is_refused(size_t at, unsigned char byte, unsigned status, const char *sentence) {
    scene scene = scene_open(1, VERIFY_ALWAYS);
    frames jobs = {.length = 0};
    add_plain_job(&jobs, 0xfffffffe);
    jobs.bytes[at] = byte;
    front_send(&scene, &jobs);
    settle(&scene);
    assert_refused(&scene, 0xfffffffe, status, sentence);
    assert_int_equal(fake_counts().inits, 0);
    scene_close(&scene);
}

static void a_scheme_must_fit_the_key(void **state) {
    (void)state;
    assert_changed_is_refused(HEADER_BYTES, 0x05, MISFIT,
                              "scheme 0x503 does not fit the key, or its token cannot make it");
    assert_changed_is_refused(HEADER_BYTES, 0xff, MISFIT,
                              "scheme 0xff03 does not fit the key, or its token cannot make it");
}

static void a_key_must_be_known(void **state) {
    unsigned char name[SPKI_SHA256_BYTES];
    (void)state;
    spki_sha256_of(KEY_P256, name);
    assert_changed_is_refused(HEADER_BYTES + 3, name[0] ^ 1, UNKNOWN_KEY, "the signer has no such key");
    assert_changed_is_refused(HEADER_BYTES + 34, name[31] ^ 1, UNKNOWN_KEY, "the signer has no such key");
}

static void a_job_after_its_deadline_is_not_signed(void **state) {
    (void)state;
    const double over[] = {1, 0, -0.0, -1, -1e300, -INFINITY, clock_ms() - 1};
    const double ahead[] = {clock_ms() + 1e6, 1e13, 1e300, INFINITY, NAN};
    const size_t over_count = sizeof over / sizeof over[0], ahead_count = sizeof ahead / sizeof ahead[0];
    scene scene = scene_open(1, VERIFY_ALWAYS);
    frames jobs = {.length = 0};
    for (uint32_t i = 0; i < over_count; i++)
        add_job(&jobs, i, P256, false, "late", 4, over[i]);
    for (uint32_t i = 0; i < ahead_count; i++)
        add_job(&jobs, 100 + i, P256, false, "early", 5, ahead[i]);
    front_send(&scene, &jobs);
    settle(&scene);
    for (uint32_t i = 0; i < over_count; i++)
        assert_refused(&scene, i, EXPIRED, GONE_SENTENCE);
    assert_answered(&scene, 100, 100 + (uint32_t)ahead_count - 1, OK);
    scene_close(&scene);
}

static void without_a_session_jobs_are_refused(void **state) {
    (void)state;
    for (size_t sessions = 1; sessions <= 3; sessions += 2) {
        scene scene = scene_open_bare(sessions, VERIFY_ALWAYS, 0);
        frames jobs = {.length = 0};
        add_plain_job(&jobs, 1);
        front_send(&scene, &jobs);
        settle(&scene);
        assert_refused(&scene, 1, NO_SESSION, "the signer has lost its session");
        scene_stand(&scene, 1, (int)sessions);
        add_plain_job(&jobs, 2);
        front_send(&scene, &jobs);
        settle(&scene);
        assert_answered(&scene, 2, 2, OK);
        scene_stand(&scene, 1, 0);
        add_plain_job(&jobs, 3);
        front_send(&scene, &jobs);
        settle(&scene);
        assert_refused(&scene, 3, NO_SESSION, "the signer has lost its session");
        scene_close(&scene);
    }
}

/* ---- frames ---- */

static void frames_may_come_byte_by_byte(void **state) {
    (void)state;
    for (size_t sessions = 1; sessions <= 2; sessions++) {
        scene scene = scene_open(sessions, VERIFY_ALWAYS);
        frames jobs = {.length = 0};
        next_begin(&scene);
        add_plain_job(&jobs, 1);
        for (size_t i = 0; i < jobs.length; i++)
            front_send_bytes(&scene, jobs.bytes + i, 1);
        assert_answered(&scene, 1, 1, OK);
        jobs.length = 0;
        add_plain_job(&jobs, 2);
        add_frame(&jobs, FRAME_REFRESH, 3, NULL, 0);
        for (size_t i = 0; i < jobs.length; i++)
            front_send_bytes(&scene, jobs.bytes + i, 1);
        next_end(&scene, SIGN_EVENT_ORDER);
        assert_answered(&scene, 2, 2, OK);
        scene_close(&scene);
    }
}

static void as_many_jobs_as_may_wait_come_at_once(void **state) {
    (void)state;
    for (size_t sessions = 1; sessions <= 2; sessions++) {
        scene scene = scene_open(sessions, VERIFY_FIRST);
        const uint32_t count = 64 * (uint32_t)sessions;
        frames jobs = {.length = 0};
        for (uint32_t id = 0; id < count; id++)
            add_job(&jobs, id, ED25519, false, "many", 4, NEVER);
        front_send(&scene, &jobs);
        settle(&scene);
        bool is_answered[128] = {false};
        for (uint32_t i = 0; i < count; i++) {
            const answer answer = front_receive(&scene);
            assert_signature(ED25519, "many", 4, &answer);
            assert_false(is_answered[answer.id]);
            is_answered[answer.id] = true;
        }
        assert_false(front_has_answers(&scene));
        scene_close(&scene);
    }
}

static void one_job_more_than_may_wait_is_a_fault_of_the_front(void **state) {
    (void)state;
    for (size_t sessions = 1; sessions <= 2; sessions++) {
        scene scene = scene_open(sessions, VERIFY_FIRST);
        frames jobs = {.length = 0};
        sign_loop_quiet(scene.loop);
        /* They are there before a lane can take one: all in one piece. */
        for (uint32_t id = 0; id < 64 * sessions + 1; id++)
            add_plain_job(&jobs, id);
        front_send(&scene, &jobs);
        const struct sign_event event = next(&scene, SIGN_EVENT_BROKEN);
        assert_string_equal(event.what, sessions == 1 ? "expected a job of at least 52 bytes, one of at most 64"
                                                      : "expected a job of at least 52 bytes, one of at most 128");
        scene_close(&scene);
    }
}

/* A job of the longest frame, alone and behind another whose bytes are still there. */
static void the_longest_frame_is_taken(void **state) {
    (void)state;
    static unsigned char message[FRAME_BYTES_MAX - HEADER_BYTES];
    const size_t job_length = FRAME_BYTES_MAX - JOB_BYTES;
    static frames jobs;
    memset(message, 0x5a, sizeof message);
    for (size_t sessions = 1; sessions <= 2; sessions++) {
        scene scene = scene_open(sessions, VERIFY_ALWAYS);
        next_begin(&scene);
        add_job(&jobs, 1, P256, false, message, job_length, NEVER);
        assert_int_equal(jobs.length, FRAME_BYTES_MAX);
        front_send(&scene, &jobs);
        answer received = front_receive(&scene);
        assert_signature(P256, message, job_length, &received);
        add_plain_job(&jobs, 2);
        front_send_bytes(&scene, jobs.bytes, jobs.length);
        add_job(&jobs, 3, ED25519, false, message, job_length, NEVER);
        front_send_bytes(&scene, jobs.bytes + jobs.length - FRAME_BYTES_MAX, FRAME_BYTES_MAX);
        for (int i = 0; i < 2; i++) {
            received = front_receive(&scene);
            if (received.id == 3)
                assert_signature(ED25519, message, job_length, &received);
        }
        jobs.length = 0;
        add_frame(&jobs, FRAME_REFRESH, 9, message, sizeof message);
        front_send(&scene, &jobs);
        assert_int_equal(next_end(&scene, SIGN_EVENT_ORDER).frame_length, FRAME_BYTES_MAX);
        scene_close(&scene);
    }
}

static void assert_breaks(size_t sessions, uint32_t length, unsigned type, const char *what) {
    const unsigned char head[9] = {(unsigned char)(length >> 24), (unsigned char)(length >> 16),
                                   (unsigned char)(length >> 8), (unsigned char)length, (unsigned char)type};
    scene scene = scene_open(sessions, VERIFY_ALWAYS);
    frames jobs = {.length = 0};
    next_begin(&scene);
    add_plain_job(&jobs, 1);
    front_send(&scene, &jobs);
    assert_answered(&scene, 1, 1, OK);
    front_send_bytes(&scene, head, sizeof head);
    assert_string_equal(next_end(&scene, SIGN_EVENT_BROKEN).what, what);
    scene_close(&scene);
}

static void what_is_no_frame_is_told(void **state) {
    (void)state;
    for (size_t sessions = 1; sessions <= 2; sessions++) {
        assert_breaks(sessions, 0, 0, "expected a frame of 9 to 131072 bytes; one of 4 came");
        assert_breaks(sessions, 4, 0, "expected a frame of 9 to 131072 bytes; one of 8 came");
        assert_breaks(sessions, FRAME_BYTES_MAX - 3, FRAME_JOB,
                      "expected a frame of 9 to 131072 bytes; one of 131073 came");
        assert_breaks(sessions, UINT32_MAX, FRAME_JOB, "expected a frame of 9 to 131072 bytes; one of 4294967299 came");
        assert_breaks(sessions, 5, FRAME_JOB,
                      sessions == 1 ? "expected a job of at least 52 bytes, one of at most 64"
                                    : "expected a job of at least 52 bytes, one of at most 128");
    }
}

/* ---- orders ---- */

static void an_order_is_seen_whole_and_alone(size_t sessions) {
    scene scene = scene_open(sessions, VERIFY_ALWAYS);
    frames sent = {.length = 0};
    add_plain_job(&sent, 1);
    add_plain_job(&sent, 2);
    add_frame(&sent, FRAME_REFRESH, 77, "body", 4);
    add_plain_job(&sent, 3);
    add_frame(&sent, FRAME_PIN, 78, NULL, 0);
    add_frame(&sent, FRAME_REFRESH, 79, NULL, 0);
    add_plain_job(&sent, 4);
    front_send(&scene, &sent);
    struct sign_event event = next(&scene, SIGN_EVENT_ORDER);
    fake_forbid(true);
    assert_int_equal(event.frame_length, HEADER_BYTES + 4);
    assert_memory_equal(event.frame,
                        "\0\0\0\x09\x03\0\0\0\x4d"
                        "body",
                        event.frame_length);
    /* What was before it is answered, of what is behind it nothing. */
    const uint32_t first = front_receive(&scene).id, second = front_receive(&scene).id;
    assert_int_equal(first + second, 3);
    assert_false(front_has_answers(&scene));
    assert_int_equal(fake_counts().signs, 2);
    fake_forbid(false);
    event = next(&scene, SIGN_EVENT_ORDER);
    fake_forbid(true);
    assert_int_equal(event.frame[8], 78);
    assert_answered(&scene, 3, 3, OK);
    assert_false(front_has_answers(&scene));
    event = next(&scene, SIGN_EVENT_ORDER);
    assert_int_equal(event.frame[8], 79);
    fake_forbid(false);
    settle(&scene);
    assert_answered(&scene, 4, 4, OK);
    scene_close(&scene);
}

static void jobs_wait_behind_an_order(void **state) {
    (void)state;
    an_order_is_seen_whole_and_alone(1);
    an_order_is_seen_whole_and_alone(4);
}

static const char PIN[] = "correct horse battery staple 12345";

static void a_pin_does_not_outlive_its_order(void **state) {
    (void)state;
    scene scene = scene_open(1, VERIFY_ALWAYS);
    frames sent = {.length = 0};
    add_frame(&sent, FRAME_PIN, 0, PIN, sizeof PIN);
    front_send(&scene, &sent);
    const struct sign_event event = next(&scene, SIGN_EVENT_ORDER);
    assert_memory_equal(event.frame + HEADER_BYTES, PIN, sizeof PIN);
    assert_null(memmem(scene.loop, malloc_usable_size(scene.loop), PIN, 16));
    watch_free(event.frame, event.frame_length);
    settle(&scene);
    assert_true(was_wiped());
    scene_close(&scene);
}

/* Its first piece lies behind a job, and is moved to the front of the buffer when that is done. */
static void a_pin_that_comes_in_pieces_leaves_none(void **state) {
    (void)state;
    static const char LONGER[] = "a message that is longer than the whole order and its header";
    scene scene = scene_open(1, VERIFY_ALWAYS);
    frames sent = {.length = 0};
    add_job(&sent, 1, P256, false, LONGER, sizeof LONGER, NEVER);
    add_frame(&sent, FRAME_PIN, 0, PIN, sizeof PIN);
    next_begin(&scene);
    front_send_bytes(&scene, sent.bytes, sent.length - 10);
    assert_answered(&scene, 1, 1, OK);
    front_send_bytes(&scene, sent.bytes + sent.length - 10, 10);
    const struct sign_event event = next_end(&scene, SIGN_EVENT_ORDER);
    assert_memory_equal(event.frame + HEADER_BYTES, PIN, sizeof PIN);
    for (size_t at = 0; at + 8 <= sizeof PIN; at++)
        assert_null(memmem(scene.loop, malloc_usable_size(scene.loop), PIN + at, 8));
    scene_close(&scene);
}

/* ---- its end ---- */

static void one_session_answers_what_it_has_and_ends(void **state) {
    (void)state;
    scene scene = scene_open(1, VERIFY_ALWAYS);
    send_plain_jobs(&scene, 1, 2);
    shutdown(scene.front, SHUT_WR);
    assert_false(next(&scene, SIGN_EVENT_GONE).is_signing);
    assert_answered(&scene, 1, 2, OK);
    scene_close(&scene);
}

static void a_front_that_dies_between_two_answers_ends_it(void **state) {
    (void)state;
    scene scene = scene_open(1, VERIFY_ALWAYS);
    send_plain_jobs(&scene, 0, 7);
    fake_shut_gate();
    next_begin(&scene);
    fake_wait_for_arrivals(1);
    front_close(&scene);
    fake_open_gate();
    assert_false(next_end(&scene, SIGN_EVENT_GONE).is_signing);
    sign_loop_send(scene.loop, (const unsigned char *)"nobody", 6);
    next(&scene, SIGN_EVENT_GONE);
    scene_close(&scene);
}

static void half_a_frame_is_no_obstacle_to_the_end(void **state) {
    (void)state;
    for (size_t sessions = 1; sessions <= 2; sessions++) {
        scene scene = scene_open(sessions, VERIFY_ALWAYS);
        front_send_bytes(&scene, "\0\0\0\x20\x04\0\0", 7);
        front_close(&scene);
        next(&scene, SIGN_EVENT_GONE);
        scene_close(&scene);
    }
}

static void with_several_sessions_the_end_is_told_while_they_sign(void **state) {
    (void)state;
    scene scene = scene_open(2, VERIFY_ALWAYS);
    send_plain_jobs(&scene, 1, 3);
    fake_shut_gate();
    next_begin(&scene);
    fake_wait_for_arrivals(2);
    front_close(&scene);
    assert_true(next_end(&scene, SIGN_EVENT_GONE).is_signing);
    fake_open_gate();
    sign_loop_quiet(scene.loop);
    assert_false(next(&scene, SIGN_EVENT_GONE).is_signing);
    /* The third is nobody's any more. */
    assert_int_equal(fake_counts().signs, 2);
    scene_close(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_session_answers_what_it_has_and_ends),
        cmocka_unit_test(a_front_that_dies_between_two_answers_ends_it),
        cmocka_unit_test(half_a_frame_is_no_obstacle_to_the_end),
        cmocka_unit_test(with_several_sessions_the_end_is_told_while_they_sign),
        cmocka_unit_test(a_digest_must_have_the_length_of_its_hash),
        cmocka_unit_test(a_scheme_must_fit_the_key),
        cmocka_unit_test(a_key_must_be_known),
        cmocka_unit_test(a_job_after_its_deadline_is_not_signed),
        cmocka_unit_test(without_a_session_jobs_are_refused),
        cmocka_unit_test(frames_may_come_byte_by_byte),
        cmocka_unit_test(as_many_jobs_as_may_wait_come_at_once),
        cmocka_unit_test(one_job_more_than_may_wait_is_a_fault_of_the_front),
        cmocka_unit_test(the_longest_frame_is_taken),
        cmocka_unit_test(what_is_no_frame_is_told),
        cmocka_unit_test(jobs_wait_behind_an_order),
        cmocka_unit_test(a_pin_does_not_outlive_its_order),
        cmocka_unit_test(a_pin_that_comes_in_pieces_leaves_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
