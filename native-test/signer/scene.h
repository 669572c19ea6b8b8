/*
 * What the tests of the signer have in common: a loop on one end of a socketpair with the fake token's sessions, the
 * front's part at the other end, and a clock that can be stopped. A loop is never closed (the signer's process is), so
 * each test leaves one behind.
 */
#ifndef SIGNET_SIGNER_SCENE_H
#define SIGNET_SIGNER_SCENE_H

#include "fake_token.h"
#include "sign_loop.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Indexes of JOB_STATUSES in src/pool/messages.ts. */
enum { OK = 0, BAD_SIGNATURE = 1, MISFIT = 2, UNKNOWN_KEY = 3, NO_SESSION = 6, TOKEN_ERROR = 7, EXPIRED = 9 };
enum { FRAME_JOB = 2, FRAME_REFRESH = 3, FRAME_PIN = 4, FRAME_ANSWER = 0x82 };
#define HEADER_BYTES 9
#define JOB_BYTES (HEADER_BYTES + 43)
#define FRAME_BYTES_MAX (128 * 1024)
#define NEVER INFINITY

enum way { P256, P384, P521, PSS256, PSS384, PSS512, PKCS256, PKCS384, PKCS512, ED25519, WAY_COUNT };
extern const uint16_t SCHEMES[WAY_COUNT];
extern const enum fake_key KEY_OF_WAY[WAY_COUNT];

typedef struct {
    sign_loop *loop;
    int front;
    pthread_t thread;
    struct sign_event event;
} scene;

/* A loop with so many sessions, all open, and all keys; the first call of sign_loop_next is still to come. */
scene scene_open(size_t sessions, enum sign_verify verify);
/* The same with a token that may be busy for so long, and what it stands on left to the test. */
scene scene_open_bare(size_t sessions, enum sign_verify verify, int64_t token_busy_ns);
/* Sessions `first`, `first` + 1 …; with 0 sessions none, with a negative number they stay. */
void scene_stand(scene *scene, CK_SESSION_HANDLE first, int sessions);
/* No call was made that must not be, and none is any more. */
void scene_close(scene *scene);
/* Ends what next_begin began, without an event of its own, and closes. */
void scene_end(scene *scene);

/* ---- the caller of sign_loop_next ---- */

/* Fails unless it is the kind that is expected. */
struct sign_event next(scene *scene, enum sign_event_kind kind);
/* The same, in a thread of its own, until next_end. */
void next_begin(scene *scene);
struct sign_event next_end(scene *scene, enum sign_event_kind kind);
/* An order of the front, and the event that it becomes: the jobs before it are answered. */
struct sign_event settle(scene *scene);

/* ---- the front ---- */

typedef struct {
    unsigned char bytes[2 * FRAME_BYTES_MAX];
    size_t length;
} frames;

typedef struct {
    uint32_t id;
    unsigned status;
    uint32_t took_us;
    unsigned char content[1024];
    size_t length;
} answer;

void add_frame(frames *frames, unsigned type, uint32_t id, const void *body, size_t length);
/* Deadline: of CLOCK_MONOTONIC, in milliseconds. */
void add_job(frames *frames, uint32_t id, enum way way, bool is_digest, const void *input, size_t length,
             double deadline_ms);
/* A job of a small message, for P-256. */
void add_plain_job(frames *frames, uint32_t id);
void spki_sha256_of(enum fake_key key, unsigned char *into);
/* Sends them, and forgets them. */
void front_send(scene *scene, frames *frames);
void front_send_bytes(scene *scene, const void *bytes, size_t length);
/* Plain jobs of these ids. */
void send_plain_jobs(scene *scene, uint32_t from, uint32_t to);
void front_close(scene *scene);
/* Waits for the next answer. */
answer front_receive(scene *scene);
/* Answers to these ids, in this order. */
void assert_answered(scene *scene, uint32_t from, uint32_t to, unsigned status);
void assert_refused(scene *scene, uint32_t id, unsigned status, const char *sentence);
bool front_has_answers(scene *scene);

/* Whether it is the way's signature over the message, found out in another way than the signer's. */
bool is_signature(enum way way, const void *message, size_t length, const answer *answer);
void assert_signature(enum way way, const void *message, size_t length, const answer *answer);
/* The way's digest of a message; gives its length. */
size_t digest_of(enum way way, const void *message, size_t length, unsigned char *into);

/* ---- the clock of the signer, and what it asks the system for ---- */

/* From now on it stands still, but for what the signer sleeps. */
void clock_stop(void);
void clock_advance_us(int64_t us);
void clock_run(void);
double clock_ms(void);
/* How often the signer has slept while the clock was stopped, and how long. */
unsigned slept_times(void);
int64_t slept_ns(void);
/* How often the signer has sent. */
unsigned sent_times(void);
/* The next time that the signer frees this, was it all zero? */
void watch_free(const void *memory, size_t length);
bool was_wiped(void);

#endif
