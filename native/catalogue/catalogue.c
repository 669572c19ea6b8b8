#include "catalogue.h"

#include "signet/v1/keys.pb.h"
#include <pb_decode.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 1
/* Room for keys before any is known. */
#define KEYS_AT_FIRST 16

/* A certificate chain while it is read: the certificates one after another. */
typedef struct {
    unsigned char *bytes;
    size_t len;
    size_t lens[SIGNET__CERTIFICATES_MAX];
    size_t count;
} chain;

typedef struct {
    signet__catalogue *catalogue;
    size_t room;
} reading;

static bool read_key(pb_istream_t *stream, const pb_field_t *field, void **arg);
static bool read_certificate(pb_istream_t *stream, const pb_field_t *field, void **arg);
static bool add_key(reading *reading, const signet_v1_Key *message, const chain *chain);
static bool make_room(reading *reading);
static bool fill_key(signet__catalogue_key *key, const signet_v1_Key *message, const chain *chain);
static void fill_certificates(signet__catalogue_key *key, const unsigned char *bytes, const chain *chain);
static void sort_keys(signet__catalogue *catalogue);
static int compare_keys(const void *a, const void *b);

signet__catalogue *signet__catalogue_parse(const void *bytes, size_t len, const char **why) {
    pb_istream_t stream = pb_istream_from_buffer(bytes, len);
    signet_v1_Catalogue message = signet_v1_Catalogue_init_zero;
    reading reading = {calloc(1, sizeof *reading.catalogue), 0};

    *why = "out of memory";
    if (reading.catalogue == NULL)
        return NULL;
    message.keys.funcs.decode = read_key;
    message.keys.arg = &reading;
    if (!pb_decode(&stream, signet_v1_Catalogue_fields, &message))
        *why = "it is no catalogue, or its keys are beyond the limits of keys.proto";
    else if (message.version != VERSION)
        *why = "it is no catalogue of version 1";
    else
        *why = NULL;
    if (*why != NULL) {
        signet__catalogue_free(reading.catalogue);
        return NULL;
    }
    sort_keys(reading.catalogue);
    return reading.catalogue;
}

void signet__catalogue_free(signet__catalogue *catalogue) {
    if (catalogue == NULL)
        return;
    for (size_t i = 0; i < catalogue->count; i++)
        free(catalogue->keys[i].block);
    free(catalogue->keys);
    free(catalogue);
}

static bool read_key(pb_istream_t *stream, const pb_field_t *field, void **arg) {
    signet_v1_Key message = signet_v1_Key_init_zero;
    chain chain = {.bytes = malloc(stream->bytes_left + 1)};
    bool ok;

    (void)field;
    message.certificate_chain.funcs.decode = read_certificate;
    message.certificate_chain.arg = &chain;
    ok = chain.bytes != NULL && pb_decode(stream, signet_v1_Key_fields, &message) && add_key(*arg, &message, &chain);
    free(chain.bytes);
    return ok;
}

/* The chain has room for all that is left of its key. */
static bool read_certificate(pb_istream_t *stream, const pb_field_t *field, void **arg) {
    chain *chain = *arg;
    size_t len = stream->bytes_left;

    (void)field;
    if (chain->count == SIGNET__CERTIFICATES_MAX || len > SIGNET__CERTIFICATE_BYTES_MAX)
        return false;
    if (!pb_read(stream, chain->bytes + chain->len, len))
        return false;
    chain->lens[chain->count++] = len;
    chain->len += len;
    return true;
}

/* A key of a kind that came after this version is left out. */
static bool add_key(reading *reading, const signet_v1_Key *message, const chain *chain) {
    signet__catalogue *catalogue = reading->catalogue;
    signet__public_key public_key;

    if (!signet__public_key_parse(&public_key,
                                  (signet__span){message->public_key_der.bytes, message->public_key_der.size}))
        return true;
    if (!make_room(reading) || !fill_key(&catalogue->keys[catalogue->count], message, chain))
        return false;
    catalogue->count++;
    return true;
}

static bool make_room(reading *reading) {
    signet__catalogue *catalogue = reading->catalogue;
    size_t room = reading->room == 0 ? KEYS_AT_FIRST : reading->room * 2;
    signet__catalogue_key *keys;

    if (catalogue->count == SIGNET__CATALOGUE_KEYS_MAX)
        return false;
    if (catalogue->count < reading->room)
        return true;
    keys = realloc(catalogue->keys, room * sizeof *keys);
    if (keys == NULL)
        return false;
    catalogue->keys = keys;
    reading->room = room;
    return true;
}

/* One block: the certificates' spans, the label, the id, the public key, the certificates. */
static bool fill_key(signet__catalogue_key *key, const signet_v1_Key *message, const chain *chain) {
    size_t spans_len = chain->count * sizeof(signet__certificate), label_len = strlen(message->label);
    unsigned char *block =
        malloc(spans_len + label_len + message->id.size + message->public_key_der.size + chain->len + 1);
    unsigned char *at = block == NULL ? NULL : block + spans_len;

    if (block == NULL)
        return false;
    *key = (signet__catalogue_key){.block = block, .certificates = (signet__certificate *)(void *)block};
    memcpy(key->spki_sha256, message->spki_sha256, sizeof key->spki_sha256);
    key->label = (signet__span){memcpy(at, message->label, label_len), label_len};
    at += label_len;
    key->id = (signet__span){memcpy(at, message->id.bytes, message->id.size), message->id.size};
    at += message->id.size;
    key->spki = (signet__span){memcpy(at, message->public_key_der.bytes, message->public_key_der.size),
                               message->public_key_der.size};
    at += message->public_key_der.size;
    memcpy(at, chain->bytes, chain->len);
    fill_certificates(key, at, chain);
    return signet__public_key_parse(&key->public_key, key->spki);
}

static void fill_certificates(signet__catalogue_key *key, const unsigned char *bytes, const chain *chain) {
    for (size_t i = 0; i < chain->count; i++) {
        if (!signet__certificate_parse(&key->certificates[i], (signet__span){bytes, chain->lens[i]}))
            return;
        bytes += chain->lens[i];
        key->certificate_count++;
    }
}

static void sort_keys(signet__catalogue *catalogue) {
    size_t kept = 0;

    if (catalogue->count == 0)
        return;
    qsort(catalogue->keys, catalogue->count, sizeof *catalogue->keys, compare_keys);
    for (size_t i = 1; i < catalogue->count; i++) {
        if (compare_keys(&catalogue->keys[kept], &catalogue->keys[i]) == 0)
            free(catalogue->keys[i].block);
        else
            catalogue->keys[++kept] = catalogue->keys[i];
    }
    catalogue->count = kept + 1;
}

static int compare_keys(const void *a, const void *b) {
    const signet__catalogue_key *one = a, *other = b;
    return memcmp(one->spki_sha256, other->spki_sha256, sizeof one->spki_sha256);
}
