#include "scene.h"

#include <malloc.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

/* Longer than any stall of a busy machine. */
#define PATIENCE_MS 60000

const uint16_t SCHEMES[WAY_COUNT] = {0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0807};
const enum fake_key KEY_OF_WAY[WAY_COUNT] = {KEY_P256, KEY_P384, KEY_P521, KEY_RSA, KEY_RSA,
                                             KEY_RSA,  KEY_RSA,  KEY_RSA,  KEY_RSA, KEY_ED25519};

static const char *const HASHES[WAY_COUNT] = {"SHA256", "SHA384", "SHA512", "SHA256", "SHA384",
                                              "SHA512", "SHA256", "SHA384", "SHA512", NULL};

/* ---- what the signer is linked with in place of the system's (-Wl,--wrap) ---- */

static _Atomic int64_t stopped_ns, slept;
static atomic_uint sleeps, sends;
static _Atomic(const unsigned char *) watched;
static size_t watched_length;
static atomic_bool watched_was_zero;

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __real_nanosleep(const struct timespec *length, struct timespec *left);
int __wrap_nanosleep(const struct timespec *length, struct timespec *left);
ssize_t __real_send(int fd, const void *bytes, size_t length, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t length, int flags);
void __real_free(void *memory);
void __wrap_free(void *memory);

int __wrap_clock_gettime(clockid_t clock, struct timespec *now) {
    const int64_t ns = stopped_ns;
    if (ns == 0)
        return __real_clock_gettime(clock, now);
    *now = (struct timespec){ns / 1000000000, ns % 1000000000};
    return 0;
}

int __wrap_nanosleep(const struct timespec *length, struct timespec *left) {
    if (stopped_ns == 0)
        return __real_nanosleep(length, left);
    const int64_t ns = (int64_t)length->tv_sec * 1000000000 + length->tv_nsec;
    sleeps++;
    slept += ns;
    stopped_ns += ns;
    return 0;
}

ssize_t __wrap_send(int fd, const void *bytes, size_t length, int flags) {
    sends++;
    return __real_send(fd, bytes, length, flags);
}

void __wrap_free(void *memory) {
    if (memory && memory == watched) {
        static const unsigned char ZEROS[256];
        watched_was_zero = watched_length <= sizeof ZEROS && memcmp(memory, ZEROS, watched_length) == 0;
        watched = NULL;
    }
    __real_free(memory);
}

static int64_t real_ns(void) {
    struct timespec now;
    __real_clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void clock_stop(void) {
    slept = 0;
    sleeps = 0;
    stopped_ns = real_ns();
}

void clock_advance_us(int64_t us) {
    stopped_ns += us * 1000;
}

void clock_run(void) {
    stopped_ns = 0;
}

double clock_ms(void) {
    const int64_t ns = stopped_ns;
    return (double)(ns == 0 ? real_ns() : ns) / 1e6;
}

unsigned slept_times(void) {
    return sleeps;
}

int64_t slept_ns(void) {
    return slept;
}

unsigned sent_times(void) {
    return sends;
}

void watch_free(const void *memory, size_t length) {
    watched_was_zero = false;
    watched_length = length;
    watched = memory;
}

bool was_wiped(void) {
    return !watched && watched_was_zero;
}

/* ---- a loop ---- */

static void set_pss(struct sign_way *way) {
    way->padding = PADDING_PSS;
    way->pss = (CK_RSA_PKCS_PSS_PARAMS){CKM_SHA256, CKG_MGF1_SHA256, 32};
    if (way->digest_length == 48)
        way->pss = (CK_RSA_PKCS_PSS_PARAMS){CKM_SHA384, CKG_MGF1_SHA384, 48};
    if (way->digest_length == 64)
        way->pss = (CK_RSA_PKCS_PSS_PARAMS){CKM_SHA512, CKG_MGF1_SHA512, 64};
}

static void set_pkcs1(struct sign_way *way) {
    static const unsigned char SHA256_HEAD[DIGEST_INFO_HEAD_BYTES] = {
        0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0, 0x04, 0x20};
    way->padding = PADDING_PKCS1;
    memcpy(way->digest_info, SHA256_HEAD, sizeof SHA256_HEAD);
    way->digest_info[1] = (unsigned char)(17 + way->digest_length);
    way->digest_info[14] = (unsigned char)(way->digest_length / 16 - 1);
    way->digest_info[18] = (unsigned char)way->digest_length;
}

static void fill_way(struct sign_way *into, enum way way) {
    static const CK_MECHANISM_TYPE MECHANISMS[KEY_COUNT] = {CKM_ECDSA, CKM_ECDSA, CKM_ECDSA, CKM_RSA_PKCS, CKM_EDDSA};
    into->scheme = SCHEMES[way];
    into->mechanism = MECHANISMS[KEY_OF_WAY[way]];
    into->is_ecdsa = into->mechanism == CKM_ECDSA;
    if (!HASHES[way])
        return;
    into->hash = EVP_MD_fetch(NULL, HASHES[way], NULL);
    into->digest_length = (size_t)EVP_MD_get_size(into->hash);
    if (way >= PSS256 && way <= PSS512) {
        into->mechanism = CKM_RSA_PKCS_PSS;
        set_pss(into);
    } else if (way >= PKCS256) {
        set_pkcs1(into);
    }
}

static struct sign_way *new_ways(void) {
    struct sign_way *ways = calloc(WAY_COUNT, sizeof *ways);
    assert_non_null(ways);
    for (int way = 0; way < WAY_COUNT; way++)
        fill_way(&ways[way], (enum way)way);
    return ways;
}

static unsigned char *spki_of(enum fake_key key, size_t *length) {
    unsigned char *der = NULL;
    const int der_length = i2d_PUBKEY(fake_key_pair(key), &der);
    assert_true(der_length > 0);
    unsigned char *spki = malloc((size_t)der_length);
    assert_non_null(spki);
    memcpy(spki, der, (size_t)der_length);
    OPENSSL_free(der);
    *length = (size_t)der_length;
    return spki;
}

void spki_sha256_of(enum fake_key key, unsigned char *into) {
    static unsigned char names[KEY_COUNT][SPKI_SHA256_BYTES];
    static atomic_bool is_known[KEY_COUNT];
    if (!is_known[key]) {
        size_t length;
        unsigned char *spki = spki_of(key, &length);
        SHA256(spki, length, names[key]);
        free(spki);
        is_known[key] = true;
    }
    memcpy(into, names[key], SPKI_SHA256_BYTES);
}

static struct sign_key *new_keys(void) {
    struct sign_key *keys = calloc(KEY_COUNT, sizeof *keys);
    assert_non_null(keys);
    for (int i = 0; i < KEY_COUNT; i++) {
        keys[i].handle = fake_handle((enum fake_key)i);
        keys[i].spki = spki_of((enum fake_key)i, &keys[i].spki_length);
        keys[i].last_us = NEVER_SIGNED_US;
        spki_sha256_of((enum fake_key)i, keys[i].spki_sha256);
        for (int way = 0; way < WAY_COUNT; way++)
            if (KEY_OF_WAY[way] == (enum fake_key)i)
                keys[i].ways |= 1u << way;
    }
    return keys;
}

/* So that what is left behind is not taken for lost. */
static sign_loop *volatile kept[256];
static size_t kept_count;

scene scene_open_bare(size_t sessions, enum sign_verify verify, int64_t token_busy_ns) {
    static const CK_RV BUSY[] = {CKR_FUNCTION_FAILED, CKR_OPERATION_ACTIVE};
    int fds[2];
    scene made = {0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    CK_RV *busy = malloc(sizeof BUSY);
    assert_non_null(busy);
    memcpy(busy, BUSY, sizeof BUSY);
    const struct sign_loop_settings settings = {.fd = fds[0],
                                                .module = &fake_module,
                                                .sessions_max = sessions,
                                                .token_busy_ns = token_busy_ns,
                                                .verify = verify,
                                                .busy = busy,
                                                .busy_count = sizeof BUSY / sizeof BUSY[0],
                                                .ways = new_ways(),
                                                .way_count = WAY_COUNT};
    /* A loop that hangs ends the program. */
    alarm(2 * PATIENCE_MS / 1000);
    fake_reset();
    clock_run();
    made.front = fds[1];
    made.loop = sign_loop_open(&settings);
    assert_non_null(made.loop);
    assert_true(kept_count < sizeof kept / sizeof kept[0]);
    kept[kept_count++] = made.loop;
    return made;
}

scene scene_open(size_t sessions, enum sign_verify verify) {
    scene made = scene_open_bare(sessions, verify, 0);
    scene_stand(&made, 1, (int)sessions);
    return made;
}

void scene_stand(scene *scene, CK_SESSION_HANDLE first, int sessions) {
    CK_SESSION_HANDLE *handles = NULL;
    if (sessions >= 0) {
        handles = malloc(((size_t)sessions + 1) * sizeof *handles);
        assert_non_null(handles);
        for (int i = 0; i < sessions; i++)
            handles[i] = first + (CK_SESSION_HANDLE)i;
    }
    sign_loop_stand(scene->loop, handles, sessions > 0 ? (size_t)sessions : 0, new_keys(), KEY_COUNT);
}

void scene_close(scene *scene) {
    clock_run();
    fake_open_gate();
    /* What still signs would do so in the next test. The front's end stays open: a thread that ends just when the
     * program does looks like a leak. */
    sign_loop_quiet(scene->loop);
    assert_int_equal(fake_counts().trespasses, 0);
    assert_int_equal(fake_counts().overlaps, 0);
}

/* ---- the caller ---- */

static void assert_kind(const struct sign_event *event, enum sign_event_kind kind) {
    if (event->kind != kind)
        fail_msg("event %d was expected, not %d (rv 0x%lx, %s)", kind, event->kind, (unsigned long)event->rv,
                 event->what);
}

struct sign_event next(scene *scene, enum sign_event_kind kind) {
    struct sign_event event;
    sign_loop_next(scene->loop, &event);
    assert_kind(&event, kind);
    return event;
}

static void *run_next(void *argument) {
    scene *scene = argument;
    sign_loop_next(scene->loop, &scene->event);
    return NULL;
}

void next_begin(scene *scene) {
    assert_int_equal(pthread_create(&scene->thread, NULL, run_next, scene), 0);
}

struct sign_event next_end(scene *scene, enum sign_event_kind kind) {
    pthread_join(scene->thread, NULL);
    assert_kind(&scene->event, kind);
    return scene->event;
}

struct sign_event settle(scene *scene) {
    frames order = {.length = 0};
    add_frame(&order, FRAME_REFRESH, 0, NULL, 0);
    front_send(scene, &order);
    return next(scene, SIGN_EVENT_ORDER);
}

/* ---- the front ---- */

static void put_u32(unsigned char *at, size_t number) {
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(number >> (24 - 8 * i));
}

static uint32_t get_u32(const unsigned char *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

void add_frame(frames *frames, unsigned type, uint32_t id, const void *body, size_t length) {
    unsigned char *at = frames->bytes + frames->length;
    assert_true(frames->length + HEADER_BYTES + length <= sizeof frames->bytes);
    put_u32(at, HEADER_BYTES - 4 + length);
    at[4] = (unsigned char)type;
    put_u32(at + 5, id);
    if (length > 0)
        memcpy(at + HEADER_BYTES, body, length);
    frames->length += HEADER_BYTES + length;
}

void add_job(frames *frames, uint32_t id, enum way way, bool is_digest, const void *input, size_t length,
             double deadline_ms) {
    static unsigned char body[FRAME_BYTES_MAX];
    uint64_t bits;
    assert_true(43 + length <= sizeof body);
    body[0] = (unsigned char)(SCHEMES[way] >> 8);
    body[1] = (unsigned char)SCHEMES[way];
    body[2] = is_digest ? 1 : 0;
    spki_sha256_of(KEY_OF_WAY[way], body + 3);
    memcpy(&bits, &deadline_ms, sizeof bits);
    put_u32(body + 35, bits >> 32);
    put_u32(body + 39, bits & UINT32_MAX);
    if (length > 0)
        memcpy(body + 43, input, length);
    add_frame(frames, FRAME_JOB, id, body, 43 + length);
}

void add_plain_job(frames *frames, uint32_t id) {
    add_job(frames, id, P256, false, "plain", 5, NEVER);
}

void front_send_bytes(scene *scene, const void *bytes, size_t length) {
    for (size_t sent = 0; sent < length;) {
        const ssize_t more = __real_send(scene->front, (const char *)bytes + sent, length - sent, MSG_NOSIGNAL);
        assert_true(more > 0);
        sent += (size_t)more;
    }
}

void front_send(scene *scene, frames *frames) {
    front_send_bytes(scene, frames->bytes, frames->length);
    frames->length = 0;
}

static void receive_all(scene *scene, unsigned char *into, size_t length) {
    for (size_t got = 0; got < length;) {
        struct pollfd readable = {.fd = scene->front, .events = POLLIN};
        if (poll(&readable, 1, PATIENCE_MS) != 1)
            fail_msg("no answer came in %d ms", PATIENCE_MS);
        const ssize_t more = recv(scene->front, into + got, length - got, 0);
        assert_true(more > 0);
        got += (size_t)more;
    }
}

void front_close(scene *scene) {
    if (scene->front >= 0)
        close(scene->front);
    scene->front = -1;
}

answer front_receive(scene *scene) {
    unsigned char head[14];
    answer received = {0};
    receive_all(scene, head, sizeof head);
    const size_t length = 4 + (size_t)get_u32(head);
    assert_int_equal(head[4], FRAME_ANSWER);
    assert_in_range(length, sizeof head, sizeof head + sizeof received.content);
    received.id = get_u32(head + 5);
    received.status = head[9];
    received.took_us = get_u32(head + 10);
    received.length = length - sizeof head;
    receive_all(scene, received.content, received.length);
    return received;
}

void assert_answered(scene *scene, uint32_t from, uint32_t to, unsigned status) {
    for (uint32_t id = from; id <= to; id++) {
        const answer answer = front_receive(scene);
        assert_int_equal(answer.id, id);
        assert_int_equal(answer.status, status);
    }
}

void assert_refused(scene *scene, uint32_t id, unsigned status, const char *sentence) {
    const answer answer = front_receive(scene);
    assert_int_equal(answer.id, id);
    assert_int_equal(answer.status, status);
    assert_int_equal(answer.took_us, 0);
    assert_int_equal(answer.length, strlen(sentence));
    assert_memory_equal(answer.content, sentence, answer.length);
}

bool front_has_answers(scene *scene) {
    unsigned char byte;
    return recv(scene->front, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

bool is_signature(enum way way, const void *message, size_t length, const answer *answer) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *padding = NULL;
    const EVP_MD *md = HASHES[way] ? EVP_get_digestbyname(HASHES[way]) : NULL;
    bool well = EVP_DigestVerifyInit(context, &padding, md, NULL, fake_key_pair(KEY_OF_WAY[way])) == 1;
    if (well && way >= PSS256 && way <= PSS512)
        well = EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(padding, RSA_PSS_SALTLEN_DIGEST) == 1;
    well = well && EVP_DigestVerify(context, answer->content, answer->length, message, length) == 1;
    EVP_MD_CTX_free(context);
    return well;
}

void assert_signature(enum way way, const void *message, size_t length, const answer *answer) {
    assert_int_equal(answer->status, OK);
    if (!is_signature(way, message, length, answer))
        fail_msg("job %u: the signature does not verify", answer->id);
}

size_t digest_of(enum way way, const void *message, size_t length, unsigned char *into) {
    unsigned digest_length;
    assert_int_equal(EVP_Digest(message, length, into, &digest_length, EVP_get_digestbyname(HASHES[way]), NULL), 1);
    return digest_length;
}

void send_plain_jobs(scene *scene, uint32_t from, uint32_t to) {
    frames jobs = {.length = 0};
    for (uint32_t id = from; id <= to; id++)
        add_plain_job(&jobs, id);
    front_send(scene, &jobs);
}

void scene_end(scene *scene) {
    frames order = {.length = 0};
    fake_open_gate();
    add_frame(&order, FRAME_REFRESH, 0, NULL, 0);
    front_send(scene, &order);
    next_end(scene, SIGN_EVENT_ORDER);
    scene_close(scene);
}
