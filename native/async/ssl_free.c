/*
 * Interposed: SSL_free, at which a server closes a connection, also while its handshake waits (the client has gone, a
 * timeout has passed). Afterwards nothing of it is left: no paused job, no request, no event to come. Its descriptor's
 * registration is forgotten here, since NGINX closes descriptors without EPOLL_CTL_DEL and the next connection gets the
 * same number.
 *
 * Somebody else's reference to the SSL (SSL_up_ref) keeps it alive beyond this call; its handshake has failed then. No
 * server shares an SSL before its handshake is done.
 */
#include "handshake.h"
#include "real.h"

void SSL_free(SSL *ssl) {
    if (ssl != NULL)
        signet__handshake_end(ssl);
    signet__real_openssl()->SSL_free(ssl);
}
