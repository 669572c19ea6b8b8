/* Several sessions, each with its thread: side by side, fewer sessions than threads, held, replaced. */
#include "scene.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* In whatever order. */
static void assert_all_answered(scene *scene, uint32_t from, uint32_t to, unsigned status) {
    bool is_answered[128] = {false};
    for (uint32_t i = from; i <= to; i++) {
        const answer answer = front_receive(scene);
        assert_in_range(answer.id, from, to);
        assert_false(is_answered[answer.id - from]);
        is_answered[answer.id - from] = true;
        assert_int_equal(answer.status, status);
    }
    assert_false(front_has_answers(scene));
}

static void as_many_jobs_are_signed_at_once_as_there_are_sessions(void **state) {
    (void)state;
    scene scene = scene_open(8, VERIFY_ALWAYS);
    fake_shut_gate();
    next_begin(&scene);
    send_plain_jobs(&scene, 1, 20);
    fake_wait_for_arrivals(8);
    assert_false(front_has_answers(&scene));
    assert_int_equal(fake_counts().signs, 8);
    fake_open_gate();
    assert_all_answered(&scene, 1, 20, OK);
    scene_end(&scene);
}

static void a_job_that_comes_while_others_are_signed_finds_a_session(void **state) {
    (void)state;
    scene scene = scene_open(4, VERIFY_ALWAYS);
    fake_shut_gate();
    next_begin(&scene);
    for (uint32_t id = 1; id <= 4; id++) {
        send_plain_jobs(&scene, id, id);
        fake_wait_for_arrivals(id);
    }
    /* All sign, and nobody reads; the fifth comes to whoever is first. */
    send_plain_jobs(&scene, 5, 5);
    fake_let_through(1);
    fake_wait_for_arrivals(5);
    assert_int_equal(front_receive(&scene).status, OK);
    fake_let_through(4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(front_receive(&scene).status, OK);
    scene_end(&scene);
}

static void fewer_sessions_than_threads_are_used_well(void **state) {
    (void)state;
    scene scene = scene_open_bare(8, VERIFY_ALWAYS, 0);
    scene_stand(&scene, 1, 3);
    fake_shut_gate();
    next_begin(&scene);
    send_plain_jobs(&scene, 1, 30);
    fake_wait_for_arrivals(3);
    assert_int_equal(fake_counts().signs, 3);
    fake_open_gate();
    assert_all_answered(&scene, 1, 30, OK);
    for (uint32_t id = 31; id <= 60; id++) {
        send_plain_jobs(&scene, id, id);
        assert_all_answered(&scene, id, id, OK);
    }
    scene_end(&scene);
}

/* A thread that reads them must be there to sign them. */
static void jobs_that_come_before_it_may_sign_are_signed_side_by_side(void **state) {
    (void)state;
    for (int round = 0; round < 20; round++) {
        scene scene = scene_open(2, VERIFY_ALWAYS);
        fake_shut_gate();
        send_plain_jobs(&scene, 1, 2);
        next_begin(&scene);
        fake_wait_for_arrivals(2);
        scene_end(&scene);
    }
}

static void with_one_session_of_two_a_job_that_comes_early_is_signed(void **state) {
    (void)state;
    for (int round = 0; round < 20; round++) {
        scene scene = scene_open_bare(2, VERIFY_ALWAYS, 0);
        send_plain_jobs(&scene, 1, 1);
        scene_stand(&scene, 1, 1);
        next_begin(&scene);
        assert_all_answered(&scene, 1, 1, OK);
        scene_end(&scene);
    }
}

static void nobody_signs_until_an_order_has_been_seen_to(void **state) {
    (void)state;
    scene scene = scene_open(4, VERIFY_ALWAYS);
    frames sent = {.length = 0};
    fake_shut_gate();
    next_begin(&scene);
    for (uint32_t id = 1; id <= 6; id++)
        add_plain_job(&sent, id);
    add_frame(&sent, FRAME_REFRESH, 0, NULL, 0);
    add_plain_job(&sent, 7);
    front_send(&scene, &sent);
    fake_wait_for_arrivals(4);
    fake_open_gate();
    next_end(&scene, SIGN_EVENT_ORDER);
    fake_forbid(true);
    assert_all_answered(&scene, 1, 6, OK);
    send_plain_jobs(&scene, 8, 9);
    assert_int_equal(fake_counts().signs, 6);
    fake_forbid(false);
    next_begin(&scene);
    assert_all_answered(&scene, 7, 9, OK);
    scene_end(&scene);
}

static atomic_bool is_quiet;

static void *wait_until_quiet(void *argument) {
    scene *scene = argument;
    sign_loop_quiet(scene->loop);
    fake_forbid(true);
    is_quiet = true;
    return NULL;
}

static void quiet_waits_for_those_that_sign(void **state) {
    (void)state;
    scene scene = scene_open(3, VERIFY_ALWAYS);
    pthread_t thread;
    is_quiet = false;
    fake_shut_gate();
    fake_fail_init(CKR_DEVICE_ERROR, 1);
    next_begin(&scene);
    send_plain_jobs(&scene, 1, 3);
    next_end(&scene, SIGN_EVENT_FAILED);
    fake_wait_for_arrivals(2);
    assert_int_equal(pthread_create(&thread, NULL, wait_until_quiet, &scene), 0);
    send_plain_jobs(&scene, 4, 9);
    assert_false(is_quiet);
    fake_open_gate();
    pthread_join(thread, NULL);
    /* What has not been signed by now waits; what was is answered. */
    send_plain_jobs(&scene, 10, 11);
    const unsigned signs = fake_counts().signs;
    for (unsigned i = 0; i < signs; i++)
        assert_int_equal(front_receive(&scene).status, OK);
    assert_false(front_has_answers(&scene));
    fake_forbid(false);
    next_begin(&scene);
    for (unsigned i = signs; i < 10; i++)
        assert_int_equal(front_receive(&scene).status, OK);
    scene_end(&scene);
}

static void a_failure_in_sessions_that_were_replaced_is_stale(void **state) {
    (void)state;
    for (size_t sessions = 1; sessions <= 3; sessions += 2) {
        scene scene = scene_open_bare(sessions, VERIFY_ALWAYS, 0);
        scene_stand(&scene, 1, (int)sessions);
        fake_lose_sessions_below(10);
        send_plain_jobs(&scene, 1, 3);
        struct sign_event event = next(&scene, SIGN_EVENT_FAILED);
        assert_int_equal(event.rv, CKR_SESSION_HANDLE_INVALID);
        assert_false(event.is_stale);
        sign_loop_quiet(scene.loop);
        scene_stand(&scene, 10, (int)sessions);
        /* With several sessions the others may have failed, or be signed now. */
        frames order = {.length = 0};
        add_frame(&order, FRAME_REFRESH, 0, NULL, 0);
        front_send(&scene, &order);
        unsigned failures = 1;
        for (;;) {
            sign_loop_next(scene.loop, &event);
            if (event.kind == SIGN_EVENT_ORDER)
                break;
            assert_int_equal(event.kind, SIGN_EVENT_FAILED);
            assert_true(event.is_stale);
            failures++;
        }
        for (unsigned i = failures; i < 3; i++)
            assert_int_equal(front_receive(&scene).status, OK);
        assert_false(front_has_answers(&scene));
        if (sessions == 1)
            assert_int_equal(failures, 1);
        /* In the new ones it is not. */
        fake_fail_init(CKR_DEVICE_ERROR, 1);
        send_plain_jobs(&scene, 4, 4);
        assert_false(next(&scene, SIGN_EVENT_FAILED).is_stale);
        scene_close(&scene);
    }
}

/* All that were under way when the sessions were lost are told, and none is of the new ones. */
static void failures_of_many_sessions_at_once_are_each_told(void **state) {
    (void)state;
    scene scene = scene_open(8, VERIFY_ALWAYS);
    bool is_told[8] = {false};
    fake_shut_gate();
    fake_fail_sign(CKR_DEVICE_ERROR, 8);
    next_begin(&scene);
    send_plain_jobs(&scene, 0, 7);
    fake_wait_for_arrivals(8);
    fake_open_gate();
    struct sign_event event = next_end(&scene, SIGN_EVENT_FAILED);
    sign_loop_quiet(scene.loop);
    scene_stand(&scene, 11, 8);
    for (int told = 1;; told++) {
        assert_int_equal(event.rv, CKR_DEVICE_ERROR);
        assert_int_equal(event.is_stale, told > 1);
        assert_false(is_told[event.id]);
        is_told[event.id] = true;
        if (told == 8)
            break;
        event = next(&scene, SIGN_EVENT_FAILED);
    }
    assert_false(front_has_answers(&scene));
    scene_close(&scene);
}

static void keys_are_replaced_and_sessions_stay(void **state) {
    (void)state;
    for (size_t sessions = 1; sessions <= 4; sessions += 3) {
        scene scene = scene_open(sessions, VERIFY_ALWAYS);
        for (uint32_t id = 1; id <= 10; id++) {
            send_plain_jobs(&scene, id, id);
            settle(&scene);
            assert_all_answered(&scene, id, id, OK);
            scene_stand(&scene, 0, -1);
        }
        /* Not stale: the sessions are the same. */
        fake_fail_init(CKR_DEVICE_ERROR, 1);
        send_plain_jobs(&scene, 11, 11);
        assert_false(next(&scene, SIGN_EVENT_FAILED).is_stale);
        /* Without keys nothing is known. */
        settle(&scene);
        sign_loop_stand(scene.loop, NULL, 0, calloc(1, sizeof(struct sign_key)), 0);
        send_plain_jobs(&scene, 12, 12);
        settle(&scene);
        assert_refused(&scene, 12, UNKNOWN_KEY, "the signer has no such key");
        scene_close(&scene);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_jobs_are_signed_at_once_as_there_are_sessions),
        cmocka_unit_test(a_job_that_comes_while_others_are_signed_finds_a_session),
        cmocka_unit_test(fewer_sessions_than_threads_are_used_well),
        cmocka_unit_test(jobs_that_come_before_it_may_sign_are_signed_side_by_side),
        cmocka_unit_test(with_one_session_of_two_a_job_that_comes_early_is_signed),
        cmocka_unit_test(nobody_signs_until_an_order_has_been_seen_to),
        cmocka_unit_test(quiet_waits_for_those_that_sign),
        cmocka_unit_test(a_failure_in_sessions_that_were_replaced_is_stale),
        cmocka_unit_test(failures_of_many_sessions_at_once_are_each_told),
        cmocka_unit_test(keys_are_replaced_and_sessions_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
