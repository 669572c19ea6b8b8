/* Each fault of the faulty module, proven on SoftHSM: `test-faulty MODULE FAULTYCTL`. */
#include "scratch_token.h"
#include "state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka.h wants the four before it. */
#include <cmocka.h>

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ALPHA "alpha"
#define BETA "beta"
#define DIGEST_BYTES 32
#define SIGNATURE_BYTES 64
#define WAIT_MS_MAX 10000

#define must(condition) assert_true(condition)
#define order(...) must(scratch_order(__VA_ARGS__))

static const char *module_path, *control_path;
static CK_FUNCTION_LIST *p11;
static struct state *state;
static CK_SLOT_ID slot;
static CK_SESSION_HANDLE session;
static unsigned char digest[DIGEST_BYTES] = "a digest of what is to be signed";

/* ---- the token */

static void load_module(void) {
    void *library = dlopen(module_path, RTLD_NOW | RTLD_LOCAL);
    CK_RV (*get_list)(CK_FUNCTION_LIST **);
    if (!library)
        fprintf(stderr, "%s\n", dlerror());
    must(library != NULL);
    *(void **)&get_list = dlsym(library, "C_GetFunctionList");
    assert_int_equal(get_list(&p11), CKR_OK);
    CK_C_INITIALIZE_ARGS options = {.flags = CKF_OS_LOCKING_OK};
    assert_int_equal(p11->C_Initialize(&options), CKR_OK);
    CK_SLOT_ID slots[8];
    CK_ULONG n = 8;
    assert_int_equal(p11->C_GetSlotList(1, slots, &n), CKR_OK);
    slot = slots[0];
}

static CK_SESSION_HANDLE open_session(void) {
    CK_SESSION_HANDLE opened;
    assert_int_equal(p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &opened), CKR_OK);
    return opened;
}

static CK_RV login(CK_SESSION_HANDLE in) {
    return p11->C_Login(in, CKU_USER, (unsigned char *)SCRATCH_PIN, sizeof SCRATCH_PIN - 1);
}

static void generate(const char *label) {
    static unsigned char p256[] = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
    CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    unsigned char yes = 1;
    CK_ATTRIBUTE public[] = {
        {CKA_TOKEN, &yes, 1}, {CKA_LABEL, (void *)label, strlen(label)}, {CKA_EC_PARAMS, p256, sizeof p256}};
    CK_ATTRIBUTE private[] = {{CKA_TOKEN, &yes, 1}, {CKA_LABEL, (void *)label, strlen(label)}, {CKA_SIGN, &yes, 1}};
    CK_OBJECT_HANDLE a, b;
    assert_int_equal(p11->C_GenerateKeyPair(session, &mechanism, public, 3, private, 3, &a, &b), CKR_OK);
}

static CK_OBJECT_HANDLE find(CK_OBJECT_CLASS class, const char *label) {
    CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &class, sizeof class}, {CKA_LABEL, (void *)label, strlen(label)}};
    CK_OBJECT_HANDLE found = 0;
    CK_ULONG n = 0;
    assert_int_equal(p11->C_FindObjectsInit(session, wanted, 2), CKR_OK);
    assert_int_equal(p11->C_FindObjects(session, &found, 1, &n), CKR_OK);
    assert_int_equal(p11->C_FindObjectsFinal(session), CKR_OK);
    assert_int_equal(n, 1);
    return found;
}

static CK_RV sign_in(CK_SESSION_HANDLE in, CK_OBJECT_HANDLE key, unsigned char *signature) {
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    CK_ULONG n = SIGNATURE_BYTES;
    CK_RV rv = p11->C_SignInit(in, &mechanism, key);
    return rv == CKR_OK ? p11->C_Sign(in, digest, DIGEST_BYTES, signature, &n) : rv;
}

static CK_RV sign(CK_OBJECT_HANDLE key) {
    unsigned char signature[SIGNATURE_BYTES];
    return sign_in(session, key, signature);
}

static bool verifies(unsigned char *signature, const char *label) {
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    assert_int_equal(p11->C_VerifyInit(session, &mechanism, find(CKO_PUBLIC_KEY, label)), CKR_OK);
    return p11->C_Verify(session, digest, DIGEST_BYTES, signature, SIGNATURE_BYTES) == CKR_OK;
}

/* ---- time and processes */

static uint64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void wait_until_at_least(_Atomic uint64_t *counter, uint64_t n) {
    uint64_t deadline = now_ms() + WAIT_MS_MAX;
    while (atomic_load(counter) < n) {
        must(now_ms() < deadline);
        usleep(1000);
    }
}

/* Starts this program again, with a module of its own: it makes `signatures` and ends with 0, or at the first failure
 * with 1. */
static pid_t start_signer(const char *signatures) {
    pid_t child = fork();
    if (child != 0)
        return child;
    execl("/proc/self/exe", "test-faulty", module_path, control_path, "sign", signatures, (char *)NULL);
    _exit(126);
}

static int be_signer(int signatures) {
    load_module();
    session = open_session();
    if (login(session) != CKR_OK)
        return 1;
    CK_OBJECT_HANDLE key = find(CKO_PRIVATE_KEY, ALPHA);
    for (int i = 0; i < signatures; i++)
        if (sign(key) != CKR_OK)
            return 1;
    return 0;
}

static int wait_for(pid_t child) {
    int status;
    must(waitpid(child, &status, 0) == child);
    return status;
}

static void *sign_five(void *key) {
    unsigned char signature[SIGNATURE_BYTES];
    CK_SESSION_HANDLE own = open_session();
    for (int i = 0; i < 5; i++)
        assert_int_equal(sign_in(own, *(CK_OBJECT_HANDLE *)key, signature), CKR_OK);
    p11->C_CloseSession(own);
    return NULL;
}

/* How long three threads with five signatures each take, in milliseconds. */
static uint64_t time_of_three_threads(void) {
    pthread_t threads[3];
    CK_OBJECT_HANDLE key = find(CKO_PRIVATE_KEY, ALPHA);
    uint64_t began = now_ms();
    for (int i = 0; i < 3; i++)
        must(pthread_create(&threads[i], NULL, sign_five, &key) == 0);
    for (int i = 0; i < 3; i++)
        must(pthread_join(threads[i], NULL) == 0);
    return now_ms() - began;
}

/* ---- the tests */

static void without_orders_it_signs_like_the_real_module(void **unused) {
    (void)unused;
    unsigned char signature[SIGNATURE_BYTES];
    assert_int_equal(sign_in(session, find(CKO_PRIVATE_KEY, ALPHA), signature), CKR_OK);
    must(verifies(signature, ALPHA));
    must(!verifies(signature, BETA));
    assert_int_equal(p11->version.major, 2);
    assert_int_equal(p11->version.minor, 40);
}

static void it_has_every_function_of_the_list(void **unused) {
    (void)unused;
    void *const *functions = (void *const *)&p11->C_Initialize;
    for (int i = 0; i < FN_COUNT + 1; i++)
        assert_non_null(functions[i]);
    assert_ptr_equal(&functions[FN_COUNT], &p11->C_WaitForSlotEvent);
}

static void latency_is_slept_not_computed(void **unused) {
    (void)unused;
    CK_OBJECT_HANDLE key = find(CKO_PRIVATE_KEY, ALPHA);
    struct rusage before, after;
    order("latency C_Sign 30000 10000");
    getrusage(RUSAGE_SELF, &before);
    uint64_t began = now_ms();
    for (int i = 0; i < 5; i++)
        assert_int_equal(sign(key), CKR_OK);
    uint64_t took = now_ms() - began;
    getrusage(RUSAGE_SELF, &after);
    assert_in_range(took, 100, WAIT_MS_MAX);
    assert_in_range((after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 + after.ru_utime.tv_usec -
                        before.ru_utime.tv_usec,
                    0, 50000);
}

static void a_limit_makes_calls_queue(void **unused) {
    (void)unused;
    order("latency C_Sign 100000");
    order("limit 1");
    must(time_of_three_threads() >= 1500);
    order("limit 3");
    must(time_of_three_threads() < 1400); /* 500 on a machine that does nothing else */
}

static void wait_until_it_holds_the_place(pid_t child) {
    uint64_t deadline = now_ms() + WAIT_MS_MAX;
    while (atomic_load(&state->slots[0]) != (uint32_t)child) {
        must(now_ms() < deadline);
        usleep(1000);
    }
}

static void a_limit_counts_all_processes(void **unused) {
    (void)unused;
    CK_OBJECT_HANDLE key = find(CKO_PRIVATE_KEY, ALPHA);
    order("limit 1");
    order("latency C_Sign 1000000");
    pid_t child = start_signer("1");
    wait_until_it_holds_the_place(child);
    uint64_t began = now_ms();
    assert_int_equal(sign(key), CKR_OK);
    must(now_ms() - began > 1100); /* what was left of the child's 1000 ms, and 1000 of our own */
    assert_int_equal(wait_for(child), 0);
    assert_int_equal(atomic_load(&state->slots[0]), 0);
}

static void the_place_of_a_killed_process_is_taken_over(void **unused) {
    (void)unused;
    CK_OBJECT_HANDLE key = find(CKO_PRIVATE_KEY, ALPHA);
    order("limit 1");
    order("latency C_Sign 60000000");
    pid_t child = start_signer("1");
    wait_until_it_holds_the_place(child);
    kill(child, SIGKILL);
    must(WIFSIGNALED(wait_for(child)));
    order("latency C_Sign 0");
    uint64_t began = now_ms();
    assert_int_equal(sign(key), CKR_OK);
    must(now_ms() - began < WAIT_MS_MAX);
}

static void the_next_calls_fail_as_ordered_and_then_no_more(void **unused) {
    (void)unused;
    CK_OBJECT_HANDLE key = find(CKO_PRIVATE_KEY, ALPHA);
    order("fail C_Sign CKR_DEVICE_ERROR 2");
    assert_int_equal(sign(key), CKR_DEVICE_ERROR);
    assert_int_equal(sign(key), CKR_DEVICE_ERROR);
    assert_int_equal(sign(key), CKR_OK);
    order("fail C_SignInit 0x80000001 1");
    assert_int_equal(sign(key), 0x80000001);
    assert_int_equal(sign(key), CKR_OK);
}

static void calls_fail_with_a_probability(void **unused) {
    (void)unused;
    unsigned char bytes[8];
    int failed = 0;
    order("fail C_GenerateRandom CKR_FUNCTION_FAILED 25%%");
    for (int i = 0; i < 1000; i++)
        failed += p11->C_GenerateRandom(session, bytes, sizeof bytes) == CKR_FUNCTION_FAILED;
    assert_in_range(failed, 150, 350);
}

static void an_order_reaches_a_process_that_starts_later(void **unused) {
    (void)unused;
    order("fail C_Sign CKR_DEVICE_ERROR forever");
    assert_int_equal(WEXITSTATUS(wait_for(start_signer("1"))), 1);
    order("clear");
    assert_int_equal(wait_for(start_signer("1")), 0);
}

static void *sign_once(void *key) {
    return (void *)(uintptr_t)sign(*(CK_OBJECT_HANDLE *)key);
}

static void a_call_hangs_until_it_is_released(void **unused) {
    (void)unused;
    CK_OBJECT_HANDLE key = find(CKO_PRIVATE_KEY, ALPHA);
    struct function_state *f = &state->functions[FN_C_Sign];
    uint64_t hung = atomic_load(&f->hung);
    pthread_t thread;
    void *rv;
    order("hang C_Sign 1");
    must(pthread_create(&thread, NULL, sign_once, &key) == 0);
    wait_until_at_least(&f->hung, hung + 1);
    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_sec += 1;
    must(pthread_timedjoin_np(thread, &rv, &soon) != 0);
    order("release");
    must(pthread_join(thread, &rv) == 0);
    assert_int_equal((uintptr_t)rv, CKR_OK);
}

static void the_nth_call_crashes(void **unused) {
    (void)unused;
    struct function_state *f = &state->functions[FN_C_Sign];
    uint64_t reached = atomic_load(&f->reached);
    order("crash C_Sign 3");
    int status = wait_for(start_signer("10"));
    must(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    assert_int_equal(atomic_load(&f->reached), reached + 2);
    assert_int_equal(wait_for(start_signer("3")), 0);
}

static void a_corrupt_signature_does_not_verify(void **unused) {
    (void)unused;
    CK_OBJECT_HANDLE key = find(CKO_PRIVATE_KEY, ALPHA);
    unsigned char signature[SIGNATURE_BYTES];
    order("corrupt 1");
    assert_int_equal(sign_in(session, key, signature), CKR_OK);
    must(!verifies(signature, ALPHA));
    assert_int_equal(sign_in(session, key, signature), CKR_OK);
    must(verifies(signature, ALPHA));
}

static void the_wrong_key_signs(void **unused) {
    (void)unused;
    CK_OBJECT_HANDLE key = find(CKO_PRIVATE_KEY, ALPHA);
    unsigned char signature[SIGNATURE_BYTES];
    order("wrong-key 1");
    assert_int_equal(sign_in(session, key, signature), CKR_OK);
    must(!verifies(signature, ALPHA));
    must(verifies(signature, BETA));
    assert_int_equal(sign_in(session, key, signature), CKR_OK);
    must(verifies(signature, ALPHA));
}

static void a_size_query_spends_no_fault(void **unused) {
    (void)unused;
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    unsigned char signature[SIGNATURE_BYTES];
    CK_ULONG n = 0;
    assert_int_equal(p11->C_SignInit(session, &mechanism, find(CKO_PRIVATE_KEY, ALPHA)), CKR_OK);
    order("fail C_Sign CKR_DEVICE_ERROR 1");
    assert_int_equal(p11->C_Sign(session, digest, DIGEST_BYTES, NULL, &n), CKR_OK);
    assert_int_equal(n, SIGNATURE_BYTES);
    assert_int_equal(p11->C_Sign(session, digest, DIGEST_BYTES, signature, &n), CKR_DEVICE_ERROR);
}

static void all_sessions_die_at_once_and_the_login_with_them(void **unused) {
    (void)unused;
    CK_OBJECT_HANDLE key = find(CKO_PRIVATE_KEY, ALPHA);
    CK_SESSION_HANDLE other = open_session();
    CK_SESSION_INFO info;
    order("revoke CKR_SESSION_HANDLE_INVALID");
    assert_int_equal(sign(key), CKR_SESSION_HANDLE_INVALID);
    assert_int_equal(p11->C_GetSessionInfo(other, &info), CKR_SESSION_HANDLE_INVALID);

    session = open_session();
    assert_int_equal(p11->C_GetSessionInfo(session, &info), CKR_OK);
    assert_int_equal(info.state, CKS_RW_PUBLIC_SESSION);
    assert_int_equal(login(session), CKR_OK);
    assert_int_equal(sign(find(CKO_PRIVATE_KEY, ALPHA)), CKR_OK);
    assert_int_equal(p11->C_GetSessionInfo(other, &info), CKR_SESSION_HANDLE_INVALID);
}

static void sessions_of_other_processes_die_too(void **unused) {
    (void)unused;
    uint64_t seen = atomic_load(&state->functions[FN_C_Sign].reached);
    pid_t child = start_signer("1000000");
    wait_until_at_least(&state->functions[FN_C_Sign].reached, seen + 5);
    order("revoke CKR_DEVICE_REMOVED");
    assert_int_equal(WEXITSTATUS(wait_for(child)), 1);
    assert_int_equal(wait_for(start_signer("1")), 0);
    assert_int_equal(p11->C_CloseSession(session), CKR_DEVICE_REMOVED);
    session = open_session();
    assert_int_equal(login(session), CKR_OK);
}

static void a_lost_login_leaves_the_session(void **unused) {
    (void)unused;
    CK_OBJECT_HANDLE key = find(CKO_PRIVATE_KEY, ALPHA);
    order("revoke CKR_USER_NOT_LOGGED_IN");
    assert_int_equal(sign(key), CKR_USER_NOT_LOGGED_IN);
    assert_int_equal(login(session), CKR_OK);
    assert_int_equal(sign(find(CKO_PRIVATE_KEY, ALPHA)), CKR_OK);
}

static void after_a_restart_an_old_handle_names_another_key(void **unused) {
    (void)unused;
    CK_OBJECT_HANDLE old = find(CKO_PRIVATE_KEY, ALPHA);
    CK_OBJECT_HANDLE old_beta = find(CKO_PRIVATE_KEY, BETA);
    unsigned char signature[SIGNATURE_BYTES];
    for (int i = 0; i < 2; i++) {
        order("revoke CKR_SESSION_HANDLE_INVALID permute");
        session = open_session();
        assert_int_equal(login(session), CKR_OK);
        assert_int_equal(sign_in(session, old, signature), CKR_OK);
        must(verifies(signature, BETA));
        CK_OBJECT_HANDLE found = find(CKO_PRIVATE_KEY, ALPHA);
        assert_int_equal(found, old_beta);
        assert_int_equal(sign_in(session, found, signature), CKR_OK);
        must(verifies(signature, ALPHA));
        old_beta = old;
        old = found;
    }
}

static CK_FLAGS token_flags(void) {
    CK_TOKEN_INFO info;
    assert_int_equal(p11->C_GetTokenInfo(slot, &info), CKR_OK);
    return info.flags;
}

static void the_token_says_flags_as_ordered(void **unused) {
    (void)unused;
    CK_FLAGS own = token_flags();
    assert_int_equal(own & CKF_USER_PIN_FINAL_TRY, 0);
    order("token-flags 0x20000");
    assert_int_equal(token_flags(), own | CKF_USER_PIN_FINAL_TRY);
    order("clear");
    assert_int_equal(token_flags(), own);
}

static void the_spy_log_tells_every_call(void **unused) {
    (void)unused;
    CK_OBJECT_HANDLE key = find(CKO_PRIVATE_KEY, ALPHA);
    uint64_t before = atomic_load(&state->log_count);
    order("fail C_Sign CKR_DEVICE_ERROR 1");
    sign(key);
    assert_int_equal(atomic_load(&state->log_count), before + 2);
    const struct log_record *init = &state->log[(before + 1) % FAULTY_LOG_CALLS];
    const struct log_record *failed = &state->log[(before + 2) % FAULTY_LOG_CALLS];
    assert_int_equal(init->function, FN_C_SignInit);
    assert_int_equal(init->mechanism, CKM_ECDSA);
    assert_int_equal(init->session, session);
    assert_int_equal(init->pid, getpid());
    assert_int_equal(init->rv, CKR_OK);
    assert_int_equal(init->reached, 1);
    assert_int_equal(failed->function, FN_C_Sign);
    assert_int_equal(failed->rv, CKR_DEVICE_ERROR);
    assert_int_equal(failed->reached, 0);
}

static void a_wrong_order_is_refused(void **unused) {
    (void)unused;
    must(!scratch_order("fail C_Sing CKR_DEVICE_ERROR 1 2>/dev/null"));
    must(!scratch_order("fail C_Sign CKR_NO_SUCH_CODE 1 2>/dev/null"));
    must(!scratch_order("fail C_Sign CKR_DEVICE_ERROR often 2>/dev/null"));
    must(!scratch_order("latency C_Sign 10 20 2>/dev/null"));
    must(!scratch_order("create 2>/dev/null"));
}

/* ---- the frame */

static int make_token(void **unused) {
    (void)unused;
    if (!scratch_token_make(control_path))
        return -1;
    state = state_open(getenv("SIGNET_FAULTY_STATE"));
    load_module();
    session = open_session();
    login(session);
    generate(ALPHA);
    generate(BETA);
    return 0;
}

static int remove_token(void **unused) {
    (void)unused;
    p11->C_Finalize(NULL);
    scratch_token_remove();
    return 0;
}

static int no_faults(void **unused) {
    (void)unused;
    return scratch_order("clear") ? 0 : -1;
}

/* What SoftHSM and OpenSSL keep until the end is not ours. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:libsofthsm2\nleak:libcrypto\n";
}

/* The crash that is ordered is to look like one. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "handle_segv=0:print_suppressions=0";
}

#define TEST(name) cmocka_unit_test_teardown(name, no_faults)

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: test-faulty MODULE FAULTYCTL\n");
        return 2;
    }
    module_path = argv[1];
    control_path = argv[2];
    if (argc == 5)
        return be_signer(atoi(argv[4]));
    const struct CMUnitTest tests[] = {
        TEST(without_orders_it_signs_like_the_real_module),
        TEST(it_has_every_function_of_the_list),
        TEST(latency_is_slept_not_computed),
        TEST(a_limit_makes_calls_queue),
        TEST(a_limit_counts_all_processes),
        TEST(the_place_of_a_killed_process_is_taken_over),
        TEST(the_next_calls_fail_as_ordered_and_then_no_more),
        TEST(calls_fail_with_a_probability),
        TEST(an_order_reaches_a_process_that_starts_later),
        TEST(a_call_hangs_until_it_is_released),
        TEST(the_nth_call_crashes),
        TEST(a_corrupt_signature_does_not_verify),
        TEST(the_wrong_key_signs),
        TEST(a_size_query_spends_no_fault),
        TEST(all_sessions_die_at_once_and_the_login_with_them),
        TEST(sessions_of_other_processes_die_too),
        TEST(a_lost_login_leaves_the_session),
        TEST(after_a_restart_an_old_handle_names_another_key),
        TEST(the_token_says_flags_as_ordered),
        TEST(the_spy_log_tells_every_call),
        TEST(a_wrong_order_is_refused),
    };
    return cmocka_run_group_tests_name("the faulty module", tests, make_token, remove_token);
}
