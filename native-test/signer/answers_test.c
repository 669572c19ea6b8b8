/*
 * When answers leave, with one session and with several, and what a busy token makes of them. The clock stands still,
 * so that no machine is too slow for it.
 */
#include "scene.h"

#include <stdlib.h>
#include <string.h>

/* HOLD_US_MAX of sign_loop.c. */
#define HOLD_US 500
#define BUSY_MS 1000
#define MS 1000000

/* ---- held answers ---- */

/* A loop whose P-256 key and Ed25519 key have been seen to take no time; `gated` jobs wait at the token from now on. */
static scene open_held(size_t sessions) {
    scene scene = scene_open(sessions, VERIFY_FIRST);
    frames jobs = {.length = 0};
    clock_stop();
    add_plain_job(&jobs, 1000);
    add_job(&jobs, 1001, ED25519, false, "ed", 2, NEVER);
    front_send(&scene, &jobs);
    settle(&scene);
    front_receive(&scene);
    front_receive(&scene);
    fake_shut_gate();
    return scene;
}

static void as_many_answers_leave_together_as_jobs_wait(void **state) {
    (void)state;
    scene scene = open_held(1);
    send_plain_jobs(&scene, 1, 8);
    next_begin(&scene);
    const unsigned sent = sent_times();
    for (unsigned done = 0; done < 4; done++) {
        fake_wait_for_arrivals(done + 1);
        assert_false(front_has_answers(&scene));
        fake_let_through(1);
    }
    /* Four wait and four are held. */
    fake_wait_for_arrivals(5);
    assert_int_equal(sent_times(), sent + 1);
    assert_answered(&scene, 1, 4, OK);
    assert_false(front_has_answers(&scene));
    /* Two and two, then one and one, then the last. */
    fake_let_through(2);
    fake_wait_for_arrivals(7);
    assert_answered(&scene, 5, 6, OK);
    assert_false(front_has_answers(&scene));
    fake_let_through(1);
    fake_wait_for_arrivals(8);
    assert_answered(&scene, 7, 7, OK);
    fake_let_through(1);
    assert_answered(&scene, 8, 8, OK);
    assert_int_equal(sent_times(), sent + 4);
    scene_end(&scene);
}

static void what_comes_meanwhile_counts_as_waiting(void **state) {
    (void)state;
    scene scene = open_held(1);
    send_plain_jobs(&scene, 1, 4);
    next_begin(&scene);
    fake_let_through(1);
    fake_wait_for_arrivals(2);
    send_plain_jobs(&scene, 5, 8);
    fake_let_through(1);
    /* Two are held and two waited, but then four more are seen to have come. */
    fake_wait_for_arrivals(3);
    assert_false(front_has_answers(&scene));
    fake_let_through(2);
    fake_wait_for_arrivals(5);
    assert_answered(&scene, 1, 4, OK);
    scene_end(&scene);
}

static void who_asks_one_at_a_time_is_answered_at_once(void **state) {
    (void)state;
    scene scene = open_held(1);
    fake_open_gate();
    next_begin(&scene);
    for (uint32_t id = 1; id <= 20; id++) {
        send_plain_jobs(&scene, id, id);
        assert_answered(&scene, id, id, OK);
    }
    scene_end(&scene);
}

static void answers_do_not_wait_for_a_job_that_takes_long(void **state) {
    (void)state;
    scene scene = open_held(1);
    frames jobs = {.length = 0};
    /* The key is seen to take half of what may be waited for … */
    add_job(&jobs, 1, ED25519, false, "ed", 2, NEVER);
    for (uint32_t id = 2; id <= 4; id++)
        add_plain_job(&jobs, id);
    add_job(&jobs, 5, ED25519, false, "ed", 2, NEVER);
    for (uint32_t id = 6; id <= 20; id++)
        add_plain_job(&jobs, id);
    front_send(&scene, &jobs);
    next_begin(&scene);
    fake_wait_for_arrivals(1);
    clock_advance_us(HOLD_US / 2);
    fake_let_through(1);
    /* … less may be waited for again and again … */
    fake_wait_for_arrivals(2);
    clock_advance_us(2 * HOLD_US / 5);
    fake_let_through(1);
    fake_wait_for_arrivals(3);
    clock_advance_us(HOLD_US / 5);
    fake_let_through(1);
    fake_wait_for_arrivals(4);
    assert_false(front_has_answers(&scene));
    fake_let_through(1);
    /* … but not for that key, when others have taken more than half. */
    fake_wait_for_arrivals(5);
    assert_answered(&scene, 1, 1, OK);
    assert_answered(&scene, 2, 4, OK);
    assert_false(front_has_answers(&scene));
    scene_end(&scene);
}

static void answers_do_not_wait_for_a_key_that_has_not_signed(void **state) {
    (void)state;
    scene scene = open_held(1);
    frames jobs = {.length = 0};
    add_plain_job(&jobs, 1);
    add_job(&jobs, 2, P384, false, "new", 3, NEVER);
    for (uint32_t id = 3; id <= 9; id++)
        add_plain_job(&jobs, id);
    front_send(&scene, &jobs);
    next_begin(&scene);
    fake_let_through(1);
    fake_wait_for_arrivals(2);
    assert_answered(&scene, 1, 1, OK);
    scene_end(&scene);
}

static void with_several_sessions_answers_leave_at_once(void **state) {
    (void)state;
    scene scene = open_held(2);
    send_plain_jobs(&scene, 1, 8);
    next_begin(&scene);
    for (unsigned done = 0; done < 8; done++) {
        fake_let_through(1);
        assert_int_equal(front_receive(&scene).status, OK);
    }
    scene_end(&scene);
}

static void what_the_caller_sends_comes_after_what_is_held(void **state) {
    (void)state;
    scene scene = open_held(1);
    send_plain_jobs(&scene, 1, 8);
    fake_let_through(2);
    next_begin(&scene);
    fake_wait_for_arrivals(3);
    fake_fail_sign(CKR_DEVICE_ERROR, 1);
    fake_let_through(1);
    assert_int_equal(next_end(&scene, SIGN_EVENT_FAILED).id, 3);
    assert_false(front_has_answers(&scene));
    sign_loop_send(scene.loop, (const unsigned char *)"\0\0\0\x0a\x82\0\0\0\x03\x07\0\0\0\0", 14);
    assert_answered(&scene, 1, 2, OK);
    assert_answered(&scene, 3, 3, TOKEN_ERROR);
    fake_open_gate();
    settle(&scene);
    assert_answered(&scene, 4, 8, OK);
    scene_close(&scene);
}

static void the_token_time_is_told(void **state) {
    (void)state;
    scene scene = open_held(1);
    send_plain_jobs(&scene, 1, 1);
    next_begin(&scene);
    fake_wait_for_arrivals(1);
    clock_advance_us(1234567);
    fake_let_through(1);
    assert_int_equal(front_receive(&scene).took_us, 1234567);
    send_plain_jobs(&scene, 2, 2);
    fake_wait_for_arrivals(2);
    clock_advance_us((int64_t)UINT32_MAX + 5);
    fake_let_through(1);
    assert_int_equal(front_receive(&scene).took_us, UINT32_MAX);
    scene_end(&scene);
}

/* ---- a busy token ---- */

static scene open_busy(size_t sessions) {
    scene scene = scene_open_bare(sessions, VERIFY_FIRST, (int64_t)BUSY_MS * MS);
    scene_stand(&scene, 1, (int)sessions);
    clock_stop();
    return scene;
}

static void a_busy_token_is_asked_again(void **state) {
    (void)state;
    for (size_t sessions = 1; sessions <= 2; sessions++) {
        scene scene = open_busy(sessions);
        fake_fail_init(CKR_FUNCTION_FAILED, 2);
        fake_fail_sign(CKR_FUNCTION_FAILED, 2);
        send_plain_jobs(&scene, 1, 1);
        settle(&scene);
        assert_answered(&scene, 1, 1, OK);
        assert_int_equal(fake_counts().inits, 5);
        assert_int_equal(fake_counts().signs, 3);
        assert_int_equal(fake_counts().finals, 0);
        /* 2, 4, 8 and 16 ms, each less up to a half. */
        assert_int_equal(slept_times(), 4);
        assert_in_range(slept_ns(), 15 * MS, 30 * MS);
        scene_close(&scene);
    }
}

static void an_operation_that_somebody_left_is_ended(void **state) {
    (void)state;
    scene scene = open_busy(1);
    fake_leave_active(1);
    send_plain_jobs(&scene, 1, 1);
    settle(&scene);
    assert_answered(&scene, 1, 1, OK);
    assert_int_equal(fake_counts().inits, 2);
    assert_int_equal(fake_counts().finals, 1);
    assert_int_equal(slept_times(), 1);
    scene_close(&scene);
}

static void patience_ends_with_what_the_token_said_last(void **state) {
    (void)state;
    for (size_t sessions = 1; sessions <= 2; sessions++) {
        scene scene = open_busy(sessions);
        fake_fail_init(CKR_FUNCTION_FAILED, 1000);
        send_plain_jobs(&scene, 9, 9);
        const struct sign_event event = next(&scene, SIGN_EVENT_FAILED);
        assert_int_equal(event.id, 9);
        assert_int_equal(event.rv, CKR_FUNCTION_FAILED);
        /* No wait is longer than 100 ms, and none goes beyond the end. */
        assert_in_range(slept_ns(), (BUSY_MS - 100) * MS, (int64_t)BUSY_MS * MS);
        assert_in_range(slept_times(), 10, 30);
        scene_close(&scene);
    }
}

static void patience_ends_with_the_deadline(void **state) {
    (void)state;
    scene scene = open_busy(1);
    frames jobs = {.length = 0};
    fake_fail_init(CKR_FUNCTION_FAILED, 1000);
    add_job(&jobs, 3, P256, false, "soon", 4, clock_ms() + 50);
    front_send(&scene, &jobs);
    assert_int_equal(next(&scene, SIGN_EVENT_FAILED).id, 3);
    assert_in_range(slept_ns(), 0, 50 * MS);
    assert_true(slept_times() > 2);
    scene_close(&scene);
}

static void a_failure_that_is_not_of_a_busy_token_is_told_at_once(void **state) {
    (void)state;
    scene scene = open_busy(1);
    fake_fail_init(CKR_DEVICE_REMOVED, 1);
    send_plain_jobs(&scene, 1, 1);
    assert_int_equal(next(&scene, SIGN_EVENT_FAILED).rv, CKR_DEVICE_REMOVED);
    assert_int_equal(slept_times(), 0);
    scene_close(&scene);
}

static void answers_do_not_wait_for_a_busy_token(void **state) {
    (void)state;
    scene scene = open_busy(1);
    fake_shut_gate();
    send_plain_jobs(&scene, 1, 20);
    next_begin(&scene);
    fake_let_through(2);
    fake_wait_for_arrivals(3);
    assert_false(front_has_answers(&scene));
    /* The third is signed; the token is asked for the fourth twice. */
    fake_fail_init(CKR_FUNCTION_FAILED, 1);
    fake_let_through(1);
    fake_wait_for_arrivals(4);
    assert_answered(&scene, 1, 3, OK);
    assert_int_equal(slept_times(), 1);
    scene_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_answers_leave_together_as_jobs_wait),
        cmocka_unit_test(what_comes_meanwhile_counts_as_waiting),
        cmocka_unit_test(who_asks_one_at_a_time_is_answered_at_once),
        cmocka_unit_test(answers_do_not_wait_for_a_job_that_takes_long),
        cmocka_unit_test(answers_do_not_wait_for_a_key_that_has_not_signed),
        cmocka_unit_test(with_several_sessions_answers_leave_at_once),
        cmocka_unit_test(what_the_caller_sends_comes_after_what_is_held),
        cmocka_unit_test(the_token_time_is_told),
        cmocka_unit_test(a_busy_token_is_asked_again),
        cmocka_unit_test(an_operation_that_somebody_left_is_ended),
        cmocka_unit_test(patience_ends_with_what_the_token_said_last),
        cmocka_unit_test(patience_ends_with_the_deadline),
        cmocka_unit_test(a_failure_that_is_not_of_a_busy_token_is_told_at_once),
        cmocka_unit_test(answers_do_not_wait_for_a_busy_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
