/* What the decoders share. */
#ifndef SIGNET_PROVIDER_DECODE_H
#define SIGNET_PROVIDER_DECODE_H

#include "key.h"

/* All decoders of the provider. */
extern const OSSL_ALGORITHM signet__decoders[];

/* Reads at most `room` bytes; *len is how many came. 0 if there were none. */
int signet__read_der(const signet__provider *provider, OSSL_CORE_BIO *in, unsigned char *der, size_t room, size_t *len);

/* The key of the DER of a reference, or NULL with an error. */
signet__key *signet__decode_reference(const signet__provider *provider, const unsigned char *der, size_t len);

/* Hands the key to libcrypto, whose keymgmt takes it; if nobody took it, it goes. */
int signet__give_key(signet__key *key, OSSL_CALLBACK *give, void *give_arg);

void *signet__decoder_new(void *provider);
void signet__decoder_free(void *context);
int signet__decoder_does_selection(void *provider, int selection);

/* The dispatch table of a decoder NAME, whose function is NAME##_decode. */
#define SIGNET_DECODER(NAME)                                                                                           \
    const OSSL_DISPATCH signet__##NAME##_decoder[] = {                                                                 \
        {OSSL_FUNC_DECODER_NEWCTX, (void (*)(void))signet__decoder_new},                                               \
        {OSSL_FUNC_DECODER_FREECTX, (void (*)(void))signet__decoder_free},                                             \
        {OSSL_FUNC_DECODER_DOES_SELECTION, (void (*)(void))signet__decoder_does_selection},                            \
        {OSSL_FUNC_DECODER_DECODE, (void (*)(void))NAME##_decode},                                                     \
        {0, NULL},                                                                                                     \
    };

#endif
