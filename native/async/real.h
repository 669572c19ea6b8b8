/* The functions behind the interposed ones, and those of OpenSSL that this library calls. Found at run time: the
 * library is preloaded into programs that may have no OpenSSL, and must not bring one. */
#ifndef SIGNET_ASYNC_REAL_H
#define SIGNET_ASYNC_REAL_H

#include <openssl/async.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <ucontext.h>

#define SIGNET__OF_LIBC(X)                                                                                             \
    X(epoll_ctl)                                                                                                       \
    X(epoll_wait)                                                                                                      \
    X(makecontext)

#define SIGNET__OF_OPENSSL(X)                                                                                          \
    X(SSL_do_handshake)                                                                                                \
    X(SSL_accept)                                                                                                      \
    X(SSL_connect)                                                                                                     \
    X(SSL_read_early_data)                                                                                             \
    X(SSL_get_error)                                                                                                   \
    X(SSL_free)                                                                                                        \
    X(SSL_ctrl)                                                                                                        \
    X(SSL_want)                                                                                                        \
    X(SSL_get_fd)                                                                                                      \
    X(SSL_set0_wbio)                                                                                                   \
    X(SSL_get_all_async_fds)                                                                                           \
    X(BIO_new)                                                                                                         \
    X(BIO_s_null)                                                                                                      \
    X(ERR_set_mark)                                                                                                    \
    X(ERR_pop_to_mark)                                                                                                 \
    X(ASYNC_get_current_job)

#define SIGNET__POINTER(name) __typeof__(&name) name;

typedef struct {
    SIGNET__OF_LIBC(SIGNET__POINTER)
} signet__libc;

typedef struct {
    SIGNET__OF_OPENSSL(SIGNET__POINTER)
} signet__openssl;

const signet__libc *signet__real_libc(void);
/* Ends the program if there is no OpenSSL: then nobody could have called for it. */
const signet__openssl *signet__real_openssl(void);

#endif
