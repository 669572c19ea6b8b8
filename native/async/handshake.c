/*
 * Interposed: SSL_do_handshake, SSL_accept, SSL_connect, SSL_read_early_data.
 *
 * SSL_MODE_ASYNC is set for the time of the call only, so SSL_read and SSL_write never run in a job. While a job is
 * paused its SSL must not be entered otherwise: libssl would begin the handshake anew on top of the paused one. NGINX
 * calls nothing but these functions, SSL_get_error and SSL_free before a handshake is done (ngx_ssl_shutdown frees an
 * SSL that is in SSL_in_init without SSL_shutdown).
 *
 * A call while the answer is not there returns at once what the first one returned: libssl's rwstate still says
 * ASYNC_PAUSED, the arguments of the first call are libssl's own copy, and resuming for nothing would cost two
 * switches.
 */
#include "handshake.h"

#include "loop.h"
#include "real.h"
#include "tally.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>

/* In real.h's words: SSL_set_mode, SSL_clear_mode and SSL_get_mode are macros over SSL_ctrl. */
#define SET_ASYNC(ssl) signet__real_openssl()->SSL_ctrl(ssl, SSL_CTRL_MODE, SSL_MODE_ASYNC, NULL)
#define CLEAR_ASYNC(ssl) signet__real_openssl()->SSL_ctrl(ssl, SSL_CTRL_CLEAR_MODE, SSL_MODE_ASYNC, NULL)
#define HAS_ASYNC(ssl) ((signet__real_openssl()->SSL_ctrl(ssl, SSL_CTRL_MODE, 0, NULL) & SSL_MODE_ASYNC) != 0)
/* Descriptors of a paused job that is not ours; more than any engine has. */
#define FOREIGN_FDS_MAX 8
/* How long one wait for them may last, in milliseconds: the job knows its own deadline and is asked again. */
#define FOREIGN_WAIT_MS 10
/* Resumes of a cancelled job. One is enough for Signet's provider; another's may insist on its pause. */
#define UNWINDS_MAX 16

/* The SSL whose handshake runs in the thread of the loop. */
static SSL *running;

static bool may_wait(SSL *ssl);
static bool is_wakeable(int fd);
static void wait_for_foreign_job(SSL *ssl);
static void unwind(SSL *ssl, signet_async_job *job);

int SSL_do_handshake(SSL *ssl) {
    signet__step step = signet__handshake_begin(ssl);
    int result;

    if (step == SIGNET__WAITS)
        return -1;
    do
        result = signet__real_openssl()->SSL_do_handshake(ssl);
    while (signet__handshake_goes_on(ssl, &step));
    return result;
}

int SSL_accept(SSL *ssl) {
    signet__step step = signet__handshake_begin(ssl);
    int result;

    if (step == SIGNET__WAITS)
        return -1;
    do
        result = signet__real_openssl()->SSL_accept(ssl);
    while (signet__handshake_goes_on(ssl, &step));
    return result;
}

int SSL_connect(SSL *ssl) {
    signet__step step = signet__handshake_begin(ssl);
    int result;

    if (step == SIGNET__WAITS)
        return -1;
    do
        result = signet__real_openssl()->SSL_connect(ssl);
    while (signet__handshake_goes_on(ssl, &step));
    return result;
}

/* It signs where the early data is refused, or there is none: then it runs the whole handshake by itself. The data is
 * read after that, in a job that does not pause, so the caller's buffer is never kept. */
int SSL_read_early_data(SSL *ssl, void *buffer, size_t room, size_t *got) {
    signet__step step = signet__handshake_begin(ssl);
    int result;

    if (step == SIGNET__WAITS) {
        *got = 0;
        return SSL_READ_EARLY_DATA_ERROR;
    }
    do
        result = signet__real_openssl()->SSL_read_early_data(ssl, buffer, room, got);
    while (signet__handshake_goes_on(ssl, &step));
    return result;
}

signet__step signet__handshake_begin(SSL *ssl) {
    signet_async_job *job;

    if (ssl == NULL || !signet__loop_thread() || running != NULL)
        return SIGNET__ASIDE;
    job = signet__jobs_find(ssl);
    if (job != NULL && job->paused && !job->answered)
        return SIGNET__WAITS;
    if (job == NULL && !may_wait(ssl))
        return SIGNET__ASIDE;
    if (job != NULL)
        job->paused = job->answered = false;
    SET_ASYNC(ssl);
    running = ssl;
    return SIGNET__STEP;
}

bool signet__handshake_goes_on(SSL *ssl, signet__step *step) {
    signet_async_job *job;
    int want;

    if (*step == SIGNET__ASIDE)
        return false;
    running = NULL;
    CLEAR_ASYNC(ssl);
    want = signet__real_openssl()->SSL_want(ssl);
    job = signet__jobs_find(ssl);
    if (want == SSL_ASYNC_PAUSED && job != NULL) {
        job->paused = true;
        signet__tally_paused();
        return false;
    }
    if (job != NULL)
        signet__jobs_remove(job);
    if (want == SSL_ASYNC_NO_JOBS) {
        /* No memory for one: nothing has begun, so the handshake may block as ever. */
        *step = SIGNET__ASIDE;
        return true;
    }
    if (want != SSL_ASYNC_PAUSED)
        return false;
    wait_for_foreign_job(ssl);
    SET_ASYNC(ssl);
    running = ssl;
    return true;
}

signet_async_job *signet__handshake_job(void) {
    signet_async_job *job;

    if (!signet__handshake_runs())
        return NULL;
    job = signet__jobs_find(running);
    return job != NULL ? job : signet__jobs_add(running, signet__real_openssl()->SSL_get_fd(running));
}

bool signet__handshake_runs(void) {
    return running != NULL && signet__loop_thread();
}

void signet__handshake_end(SSL *ssl) {
    signet_async_job *job;

    if (!signet__loop_thread())
        return;
    job = signet__jobs_find(ssl);
    if (job != NULL && job->paused)
        unwind(ssl, job);
    if (job != NULL)
        signet__jobs_remove(job);
    signet__loop_forget_descriptor(signet__real_openssl()->SSL_get_fd(ssl));
}

void signet__handshake_forget(void) {
    running = NULL;
}

/* Whoever set SSL_MODE_ASYNC himself waits by himself; a job within a job cannot be; without a descriptor (QUIC, memory
 * BIOs) there is nothing that epoll could report. */
static bool may_wait(SSL *ssl) {
    const signet__openssl *openssl = signet__real_openssl();

    return signet__loop_is_here() && !HAS_ASYNC(ssl) && openssl->ASYNC_get_current_job() == NULL &&
           is_wakeable(openssl->SSL_get_fd(ssl));
}

/* One that is not registered yet will be, when the program is told to wait. Level-triggered it would be reported as
 * writable over and over. */
static bool is_wakeable(int fd) {
    const struct epoll_event *registered = signet__loop_registered(fd);

    return fd >= 0 && (registered == NULL || (registered->events & EPOLLET) != 0);
}

/* Another engine or provider pauses in a job, and waits on descriptors that the program does not know: the handshake
 * blocks, as it would have without the job. */
static void wait_for_foreign_job(SSL *ssl) {
    OSSL_ASYNC_FD fds[FOREIGN_FDS_MAX];
    struct pollfd polled[FOREIGN_FDS_MAX];
    size_t count = 0;
    int saved_errno = errno;

    if (!signet__real_openssl()->SSL_get_all_async_fds(ssl, NULL, &count) || count > FOREIGN_FDS_MAX ||
        !signet__real_openssl()->SSL_get_all_async_fds(ssl, fds, &count))
        count = 0;
    for (size_t i = 0; i < count; i++)
        polled[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    poll(polled, count, FOREIGN_WAIT_MS);
    errno = saved_errno;
}

/*
 * A paused job that is simply freed leaks its stack, and the answer to its request would come to a handshake that is
 * gone. So the job is resumed once, told that it is cancelled: the provider withdraws the request and fails, libssl's
 * state machine ends, and whatever it would say to the peer goes nowhere. Its errors are nobody's business.
 */
static void unwind(SSL *ssl, signet_async_job *job) {
    const signet__openssl *openssl = signet__real_openssl();
    BIO *nowhere = openssl->BIO_new(openssl->BIO_s_null());
    int saved_errno = errno;
    int tries = 0;

    openssl->ERR_set_mark();
    job->cancelled = true;
    job->paused = false;
    if (nowhere != NULL)
        openssl->SSL_set0_wbio(ssl, nowhere);
    SET_ASYNC(ssl);
    running = ssl;
    do
        openssl->SSL_do_handshake(ssl);
    while (openssl->SSL_want(ssl) == SSL_ASYNC_PAUSED && ++tries < UNWINDS_MAX);
    running = NULL;
    CLEAR_ASYNC(ssl);
    openssl->ERR_pop_to_mark();
    errno = saved_errno;
}
