/* The message of a streamed signature: kept whole as long as the service takes it whole, then only hashed. */
#ifndef SIGNET_PROVIDER_MESSAGE_H
#define SIGNET_PROVIDER_MESSAGE_H

#include "scheme.h"

typedef struct {
    unsigned char *bytes;
    size_t len, room;
    /* Set from the moment that the message is longer than SIGNET_MESSAGE_BYTES_MAX; `bytes` is empty then. */
    EVP_MD_CTX *hash;
} signet__message;

void signet__message_clear(signet__message *message);
int signet__message_copy(signet__message *to, const signet__message *from);
/* Fails if memory ran out, or the message gets too long and there is no digest to hash it with. */
int signet__message_append(signet__message *message, const unsigned char *data, size_t len, OSSL_LIB_CTX *libctx,
                           signet__digest digest);
/* The digest of a message that was hashed. Leaves it able to go on. `out` has room for 64 bytes. */
int signet__message_digest(const signet__message *message, unsigned char *out, size_t *len);

#endif
