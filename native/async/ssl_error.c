/*
 * Interposed: SSL_get_error. A handshake that waits for its answer says that it wants to write: the one thing besides
 * reading that every program knows to wait for. NGINX arms its edge-triggered write event, which fires once, and then
 * waits for the event that epoll_wait.c makes of the answer. Only a handshake that this library has paused is touched:
 * a program that set SSL_MODE_ASYNC itself gets what it expects.
 */
#include "jobs.h"
#include "loop.h"
#include "real.h"

int SSL_get_error(const SSL *ssl, int result) {
    int error = signet__real_openssl()->SSL_get_error(ssl, result);

    if (error == SSL_ERROR_WANT_ASYNC && signet__loop_thread() && signet__jobs_find(ssl) != NULL)
        return SSL_ERROR_WANT_WRITE;
    return error;
}
