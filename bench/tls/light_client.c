#include "light_client.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#define HASH_BYTES SHA256_DIGEST_LENGTH
#define SHARE_BYTES 32
#define TAG_BYTES 16
#define EXPLICIT_BYTES 8
#define VERIFY_12_BYTES 12
#define RECORD_HEADER_BYTES 5
#define MESSAGE_HEADER_BYTES 4
/* RFC 5246, section 6.2.1 and 7.4. */
enum { CHANGE_CIPHER_SPEC = 20, ALERT = 21, HANDSHAKE = 22, APPLICATION_DATA = 23 };
enum {
    CLIENT_HELLO = 1,
    SERVER_HELLO = 2,
    SERVER_KEY_EXCHANGE = 12,
    SERVER_HELLO_DONE = 14,
    CLIENT_KEY_EXCHANGE = 16,
    FINISHED = 20
};

/* For all handshakes of the process. */
static bool is_13;
static EVP_PKEY *own;
static unsigned char own_share[SHARE_BYTES];
static EVP_PKEY_CTX *derivation;
static EVP_CIPHER_CTX *sealer, *opener;
/* Derive-Secret(HKDF-Extract(0, 0), "derived", ""), RFC 8446, section 7.1. */
static unsigned char derived[HASH_BYTES];

static bool fail(light_handshake *handshake, const char *why);
static bool send_hello(light_handshake *handshake, int fd);
static bool read_what_came(light_handshake *handshake, int fd);
static void take_records(light_handshake *handshake, int fd);
static void take_record(light_handshake *handshake, unsigned char *record, size_t length);
static void take_messages(light_handshake *handshake, int fd);
static void take_message_13(light_handshake *handshake, const unsigned char *message, size_t length, int fd);
static void take_message_12(light_handshake *handshake, const unsigned char *message, size_t length, int fd);
static bool agree(light_handshake *handshake, const unsigned char *share);
static void expand_label(const unsigned char *secret, const char *label, const unsigned char *context,
                         size_t context_length, unsigned char *out, size_t length);
static void hmac(const unsigned char *key, size_t key_length, const unsigned char *data, size_t length,
                 unsigned char *out);

bool light_set_up(int version) {
    static const unsigned char NOTHING[HASH_BYTES];
    unsigned char early[HASH_BYTES], empty[HASH_BYTES];
    EVP_CIPHER *gcm = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
    size_t length = sizeof own_share;

    is_13 = version == TLS1_3_VERSION;
    own = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    derivation = own ? EVP_PKEY_CTX_new(own, NULL) : NULL;
    sealer = EVP_CIPHER_CTX_new();
    opener = EVP_CIPHER_CTX_new();
    hmac(NOTHING, HASH_BYTES, NOTHING, HASH_BYTES, early);
    SHA256(NOTHING, 0, empty);
    expand_label(early, "derived", empty, sizeof empty, derived, sizeof derived);
    return derivation && EVP_PKEY_get_raw_public_key(own, own_share, &length) && EVP_PKEY_derive_init(derivation) > 0 &&
           gcm && sealer && opener && EVP_EncryptInit_ex(sealer, gcm, NULL, NULL, NULL) &&
           EVP_DecryptInit_ex(opener, gcm, NULL, NULL, NULL);
}

void light_begin(light_handshake *handshake) {
    memset(handshake, 0, offsetof(light_handshake, in));
}

bool light_go_on(light_handshake *handshake, int fd) {
    if (!handshake->has_begun && !send_hello(handshake, fd))
        return true;
    while (!handshake->is_done && !handshake->failure && read_what_came(handshake, fd))
        take_records(handshake, fd);
    return handshake->is_done || handshake->failure;
}

static bool fail(light_handshake *handshake, const char *why) {
    handshake->failure = why;
    return false;
}

static size_t put_16(unsigned char *at, size_t value) {
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
    return 2;
}

/* A handshake message of `length` stands behind the two headers. */
static void put_headers(unsigned char *record, unsigned char type, size_t length) {
    record[0] = HANDSHAKE;
    put_16(record + 1, TLS1_2_VERSION);
    put_16(record + 3, MESSAGE_HEADER_BYTES + length);
    record[5] = type;
    record[6] = 0;
    put_16(record + 7, length);
}

/* So short a flight has room in the socket of a new connection. */
static bool send_all(light_handshake *handshake, int fd, const unsigned char *bytes, size_t length) {
    ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

    return sent == (ssize_t)length || fail(handshake, sent < 0 ? strerror(errno) : "the socket took a part only");
}

/* The first event of a connection is that it can be written to. */
static bool send_hello(light_handshake *handshake, int fd) {
    static const unsigned char CIPHERS_13[] = {0, 2, 0x13, 0x01}, CIPHERS_12[] = {0, 4, 0xc0, 0x2b, 0xc0, 0x2f};
    /*
     * supported_groups: x25519, and secp256r1 as the curve of a certificate's key (RFC 8422, section 5.1).
     * signature_algorithms: ecdsa_secp256r1_sha256, rsa_pss_rsae_sha256.
     */
    static const unsigned char BOTH[] = {0, 10, 0, 6, 0, 4, 0, 0x1d, 0, 0x17, 0, 13, 0, 6, 0, 4, 4, 3, 8, 4};
    /* supported_versions: 1.3. key_share: x25519. */
    static const unsigned char ONLY_13[] = {0, 43, 0, 3, 2, 3, 4, 0, 51, 0, 38, 0, 36, 0, 0x1d, 0, 32};
    /* ec_point_formats: uncompressed. renegotiation_info: none. */
    static const unsigned char ONLY_12[] = {0, 11, 0, 2, 1, 0, 0xff, 1, 0, 1, 0};
    unsigned char record[512], *body = record + RECORD_HEADER_BYTES + MESSAGE_HEADER_BYTES, *at = body, *extensions;

    if (getrandom(handshake->client_random, LIGHT_RANDOM_BYTES, 0) != LIGHT_RANDOM_BYTES)
        return fail(handshake, "no random bytes");
    at += put_16(at, TLS1_2_VERSION);
    at = (unsigned char *)memcpy(at, handshake->client_random, LIGHT_RANDOM_BYTES) + LIGHT_RANDOM_BYTES;
    *at++ = 0;
    memcpy(at, is_13 ? CIPHERS_13 : CIPHERS_12, is_13 ? sizeof CIPHERS_13 : sizeof CIPHERS_12);
    at += is_13 ? sizeof CIPHERS_13 : sizeof CIPHERS_12;
    *at++ = 1;
    *at++ = 0;
    extensions = at;
    at = (unsigned char *)memcpy(at + 2, BOTH, sizeof BOTH) + sizeof BOTH;
    memcpy(at, is_13 ? ONLY_13 : ONLY_12, is_13 ? sizeof ONLY_13 : sizeof ONLY_12);
    at += is_13 ? sizeof ONLY_13 : sizeof ONLY_12;
    if (is_13)
        at = (unsigned char *)memcpy(at, own_share, SHARE_BYTES) + SHARE_BYTES;
    put_16(extensions, (size_t)(at - extensions) - 2);
    put_headers(record, CLIENT_HELLO, (size_t)(at - body));
    SHA256_Init(&handshake->transcript);
    SHA256_Update(&handshake->transcript, record + RECORD_HEADER_BYTES, (size_t)(at - record) - RECORD_HEADER_BYTES);
    handshake->has_begun = true;
    return send_all(handshake, fd, record, (size_t)(at - record));
}

static bool read_what_came(light_handshake *handshake, int fd) {
    ssize_t got = recv(fd, handshake->in + handshake->in_length, sizeof handshake->in - handshake->in_length, 0);

    if (got < 0 && errno == EAGAIN)
        return false;
    if (got <= 0)
        return fail(handshake, got < 0 ? strerror(errno) : "the server closed the connection or sends too much");
    handshake->in_length += (size_t)got;
    return true;
}

static void take_records(light_handshake *handshake, int fd) {
    size_t at = 0;

    while (!handshake->failure && !handshake->is_done && handshake->in_length - at >= RECORD_HEADER_BYTES) {
        unsigned char *record = handshake->in + at;
        size_t length = RECORD_HEADER_BYTES + ((size_t)record[3] << 8) + record[4];

        if (handshake->in_length - at < length)
            break;
        at += length;
        take_record(handshake, record, length);
        take_messages(handshake, fd);
    }
    handshake->in_length -= at;
    memmove(handshake->in, handshake->in + at, handshake->in_length);
}

/* RFC 8446, section 5.3: the number of the record in the nonce. RFC 5288, section 3: a part of the nonce in the record.
 */
static void nonce_of(light_keys *keys, const unsigned char *explicit_part, unsigned char *nonce) {
    memcpy(nonce, keys->iv, LIGHT_IV_BYTES);
    if (is_13)
        for (int i = 0; i < 8; i++)
            nonce[LIGHT_IV_BYTES - 1 - i] ^= (unsigned char)(keys->sequence >> (8 * i));
    else
        memcpy(nonce + LIGHT_IV_BYTES - EXPLICIT_BYTES, explicit_part, EXPLICIT_BYTES);
    keys->sequence++;
}

/* What is authenticated beside the content of the first record: its header, in TLS 1.2 behind its number. */
static int put_beside(unsigned char *beside, const unsigned char *header, size_t length) {
    size_t at = is_13 ? 0 : 8;

    memset(beside, 0, at);
    memcpy(beside + at, header, 3);
    put_16(beside + at + 3, length);
    return (int)at + RECORD_HEADER_BYTES;
}

/* What the record holds stands where it was sealed; its length, or 0 if it cannot be opened. */
static size_t open_record(light_handshake *handshake, const unsigned char *record, unsigned char *sealed,
                          size_t length) {
    unsigned char nonce[LIGHT_IV_BYTES], beside[16];
    int beside_length, done = 0;
    size_t content;

    if (length <= TAG_BYTES)
        return 0;
    content = length - TAG_BYTES;
    beside_length = put_beside(beside, record, is_13 ? length : content);
    nonce_of(&handshake->server, record + RECORD_HEADER_BYTES, nonce);
    if (!EVP_DecryptInit_ex(opener, NULL, NULL, handshake->server.key, nonce) ||
        !EVP_DecryptUpdate(opener, NULL, &done, beside, beside_length) ||
        !EVP_DecryptUpdate(opener, sealed, &done, sealed, (int)content) ||
        !EVP_CIPHER_CTX_ctrl(opener, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, sealed + content) ||
        EVP_DecryptFinal_ex(opener, sealed + content, &done) <= 0)
        return 0;
    return content;
}

static void take_record(light_handshake *handshake, unsigned char *record, size_t length) {
    unsigned char *content = record + RECORD_HEADER_BYTES;
    unsigned char type = record[0];

    length -= RECORD_HEADER_BYTES;
    if (type == CHANGE_CIPHER_SPEC) {
        handshake->is_protected |= !is_13;
        return;
    }
    if (handshake->is_protected) {
        size_t nonce = is_13 ? 0 : EXPLICIT_BYTES;

        content += nonce;
        length = length > nonce ? open_record(handshake, record, content, length - nonce) : 0;
        /* RFC 8446, section 5.2: the type stands behind the content. */
        if (is_13 && length > 0)
            type = content[--length];
    }
    if (type != HANDSHAKE || length == 0)
        fail(handshake, type == ALERT ? "the server sent an alert" : "expected a record of the handshake");
    else if (length > sizeof handshake->messages - handshake->messages_length)
        fail(handshake, "the server's flight is longer than 8192 bytes");
    else {
        memcpy(handshake->messages + handshake->messages_length, content, length);
        handshake->messages_length += length;
    }
}

static void take_messages(light_handshake *handshake, int fd) {
    while (!handshake->failure && !handshake->is_done) {
        const unsigned char *message = handshake->messages + handshake->messages_taken;
        size_t left = handshake->messages_length - handshake->messages_taken, length;

        if (left < MESSAGE_HEADER_BYTES)
            return;
        length = MESSAGE_HEADER_BYTES + ((size_t)message[1] << 16) + ((size_t)message[2] << 8) + message[3];
        if (left < length)
            return;
        handshake->messages_taken += length;
        (is_13 ? take_message_13 : take_message_12)(handshake, message, length, fd);
    }
}

static void transcript_hash(const light_handshake *handshake, unsigned char *out) {
    SHA256_CTX copy = handshake->transcript;

    SHA256_Final(out, &copy);
}

static void seal(light_keys *keys, unsigned char *record, size_t content) {
    unsigned char nonce[LIGHT_IV_BYTES], beside[16], *sealed = record + RECORD_HEADER_BYTES;
    size_t skipped = is_13 ? 0 : EXPLICIT_BYTES;
    int beside_length = put_beside(beside, record, is_13 ? content + TAG_BYTES : content), done;

    put_16(record + 3, skipped + content + TAG_BYTES);
    memset(sealed, 0, skipped);
    nonce_of(keys, sealed, nonce);
    EVP_EncryptInit_ex(sealer, NULL, NULL, keys->key, nonce);
    EVP_EncryptUpdate(sealer, NULL, &done, beside, beside_length);
    EVP_EncryptUpdate(sealer, sealed + skipped, &done, sealed + skipped, (int)content);
    EVP_EncryptFinal_ex(sealer, sealed + skipped + content, &done);
    EVP_CIPHER_CTX_ctrl(sealer, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, sealed + skipped + content);
}

/* RFC 8446, section 7.1 and 7.3. */
static void keys_of(const unsigned char *secret, light_keys *keys) {
    expand_label(secret, "key", NULL, 0, keys->key, sizeof keys->key);
    expand_label(secret, "iv", NULL, 0, keys->iv, sizeof keys->iv);
}

/* RFC 8446, section 4.4.4. */
static void finished_of(const light_handshake *handshake, const unsigned char *secret, unsigned char *out) {
    unsigned char key[HASH_BYTES], hash[HASH_BYTES];

    expand_label(secret, "finished", NULL, 0, key, sizeof key);
    transcript_hash(handshake, hash);
    hmac(key, sizeof key, hash, sizeof hash, out);
}

/* The server's key share, of those extensions of a ServerHello that TLS 1.3 has; NULL if there is none of X25519. */
static const unsigned char *share_in(const unsigned char *message, size_t length) {
    const unsigned char *end = message + length, *at = message + MESSAGE_HEADER_BYTES + 2 + LIGHT_RANDOM_BYTES;

    /* session id, cipher suite, compression, length of the extensions */
    if (length < 50 || (at += 1 + at[0] + 2 + 1 + 2) > end)
        return NULL;
    while (end - at >= 4) {
        size_t of = ((size_t)at[2] << 8) + at[3];

        if ((size_t)(end - at) < 4 + of)
            return NULL;
        if (at[0] == 0 && at[1] == 51)
            return of == 4 + SHARE_BYTES && at[5] == 0x1d ? at + 8 : NULL;
        at += 4 + of;
    }
    return NULL;
}

static void begin_protection(light_handshake *handshake, const unsigned char *share) {
    unsigned char secret[HASH_BYTES], hash[HASH_BYTES];

    if (!share || !agree(handshake, share)) {
        fail(handshake, "the server has no key share of X25519");
        return;
    }
    hmac(derived, sizeof derived, handshake->shared, sizeof handshake->shared, secret);
    transcript_hash(handshake, hash);
    expand_label(secret, "c hs traffic", hash, sizeof hash, handshake->client_secret, HASH_BYTES);
    expand_label(secret, "s hs traffic", hash, sizeof hash, handshake->server_secret, HASH_BYTES);
    keys_of(handshake->client_secret, &handshake->client);
    keys_of(handshake->server_secret, &handshake->server);
    handshake->is_protected = true;
}

static void take_message_13(light_handshake *handshake, const unsigned char *message, size_t length, int fd) {
    unsigned char expected[HASH_BYTES], record[128];

    if (message[0] == FINISHED) {
        finished_of(handshake, handshake->server_secret, expected);
        if (length != MESSAGE_HEADER_BYTES + HASH_BYTES ||
            CRYPTO_memcmp(message + MESSAGE_HEADER_BYTES, expected, HASH_BYTES) != 0) {
            fail(handshake, "the server's Finished is wrong");
            return;
        }
    }
    SHA256_Update(&handshake->transcript, message, length);
    if (message[0] == SERVER_HELLO)
        begin_protection(handshake, share_in(message, length));
    if (message[0] != FINISHED)
        return;
    put_headers(record, FINISHED, HASH_BYTES);
    record[0] = APPLICATION_DATA;
    finished_of(handshake, handshake->client_secret, record + RECORD_HEADER_BYTES + MESSAGE_HEADER_BYTES);
    record[RECORD_HEADER_BYTES + MESSAGE_HEADER_BYTES + HASH_BYTES] = HANDSHAKE;
    seal(&handshake->client, record, MESSAGE_HEADER_BYTES + HASH_BYTES + 1);
    handshake->is_done =
        send_all(handshake, fd, record, RECORD_HEADER_BYTES + MESSAGE_HEADER_BYTES + HASH_BYTES + 1 + TAG_BYTES);
}

/* RFC 5246, section 5. `seed` is one hash or two randoms long. */
static void prf(const unsigned char *secret, size_t secret_length, const char *label, const unsigned char *seed,
                size_t seed_length, unsigned char *out, size_t length) {
    unsigned char block[HASH_BYTES + 128], more[HASH_BYTES];
    size_t text = strlen(label) + seed_length;

    memcpy(block + HASH_BYTES, label, strlen(label));
    memcpy(block + HASH_BYTES + strlen(label), seed, seed_length);
    hmac(secret, secret_length, block + HASH_BYTES, text, block);
    for (size_t done = 0; done < length; done += HASH_BYTES) {
        hmac(secret, secret_length, block, HASH_BYTES + text, more);
        memcpy(out + done, more, length - done < HASH_BYTES ? length - done : HASH_BYTES);
        hmac(secret, secret_length, block, HASH_BYTES, block);
    }
}

static void finished_12_of(const light_handshake *handshake, const char *label, unsigned char *out) {
    unsigned char hash[HASH_BYTES];

    transcript_hash(handshake, hash);
    prf(handshake->master, sizeof handshake->master, label, hash, sizeof hash, out, VERIFY_12_BYTES);
}

/* RFC 5246, section 6.3 and 8.1; RFC 5288: a key and four bytes of the nonce for each side. */
static void derive_keys_12(light_handshake *handshake) {
    unsigned char randoms[2 * LIGHT_RANDOM_BYTES], block[2 * LIGHT_KEY_BYTES + 8];

    memcpy(randoms, handshake->client_random, LIGHT_RANDOM_BYTES);
    memcpy(randoms + LIGHT_RANDOM_BYTES, handshake->server_random, LIGHT_RANDOM_BYTES);
    prf(handshake->shared, sizeof handshake->shared, "master secret", randoms, sizeof randoms, handshake->master,
        sizeof handshake->master);
    memcpy(randoms, handshake->server_random, LIGHT_RANDOM_BYTES);
    memcpy(randoms + LIGHT_RANDOM_BYTES, handshake->client_random, LIGHT_RANDOM_BYTES);
    prf(handshake->master, sizeof handshake->master, "key expansion", randoms, sizeof randoms, block, sizeof block);
    memcpy(handshake->client.key, block, LIGHT_KEY_BYTES);
    memcpy(handshake->server.key, block + LIGHT_KEY_BYTES, LIGHT_KEY_BYTES);
    memcpy(handshake->client.iv, block + 2 * LIGHT_KEY_BYTES, 4);
    memcpy(handshake->server.iv, block + 2 * LIGHT_KEY_BYTES + 4, 4);
}

/* ClientKeyExchange, ChangeCipherSpec and Finished leave together. */
static void answer_12(light_handshake *handshake, int fd) {
    static const unsigned char CHANGE[] = {CHANGE_CIPHER_SPEC, 3, 3, 0, 1, 1};
    unsigned char flight[256], *finished;
    size_t exchange = RECORD_HEADER_BYTES + MESSAGE_HEADER_BYTES + 1 + SHARE_BYTES, length;

    put_headers(flight, CLIENT_KEY_EXCHANGE, 1 + SHARE_BYTES);
    flight[RECORD_HEADER_BYTES + MESSAGE_HEADER_BYTES] = SHARE_BYTES;
    memcpy(flight + exchange - SHARE_BYTES, own_share, SHARE_BYTES);
    SHA256_Update(&handshake->transcript, flight + RECORD_HEADER_BYTES, exchange - RECORD_HEADER_BYTES);
    derive_keys_12(handshake);
    memcpy(flight + exchange, CHANGE, sizeof CHANGE);
    /* The message stands where it will be sealed: behind the part of the nonce. */
    finished = flight + exchange + sizeof CHANGE;
    put_headers(finished + EXPLICIT_BYTES, FINISHED, VERIFY_12_BYTES);
    memcpy(finished, finished + EXPLICIT_BYTES, RECORD_HEADER_BYTES);
    finished_12_of(handshake, "client finished",
                   finished + RECORD_HEADER_BYTES + EXPLICIT_BYTES + MESSAGE_HEADER_BYTES);
    length = MESSAGE_HEADER_BYTES + VERIFY_12_BYTES;
    SHA256_Update(&handshake->transcript, finished + RECORD_HEADER_BYTES + EXPLICIT_BYTES, length);
    seal(&handshake->client, finished, length);
    send_all(handshake, fd, flight,
             exchange + sizeof CHANGE + RECORD_HEADER_BYTES + EXPLICIT_BYTES + length + TAG_BYTES);
}

static void take_message_12(light_handshake *handshake, const unsigned char *message, size_t length, int fd) {
    const unsigned char *body = message + MESSAGE_HEADER_BYTES;
    unsigned char expected[VERIFY_12_BYTES];

    switch (message[0]) {
    case SERVER_HELLO:
        if (length < MESSAGE_HEADER_BYTES + 2 + LIGHT_RANDOM_BYTES)
            fail(handshake, "the ServerHello is too short");
        else
            memcpy(handshake->server_random, body + 2, LIGHT_RANDOM_BYTES);
        break;
    case SERVER_KEY_EXCHANGE:
        /* RFC 8422, section 5.4: a named curve and the server's point. */
        if (length < MESSAGE_HEADER_BYTES + 4 + SHARE_BYTES || memcmp(body, "\3\0\x1d\x20", 4) != 0 ||
            !agree(handshake, body + 4))
            fail(handshake, "the server has no key share of X25519");
        break;
    case FINISHED:
        finished_12_of(handshake, "server finished", expected);
        if (length == MESSAGE_HEADER_BYTES + VERIFY_12_BYTES && CRYPTO_memcmp(body, expected, sizeof expected) == 0)
            handshake->is_done = true;
        else
            fail(handshake, "the server's Finished is wrong");
        return;
    }
    SHA256_Update(&handshake->transcript, message, length);
    if (message[0] == SERVER_HELLO_DONE && !handshake->failure)
        answer_12(handshake, fd);
}

static bool agree(light_handshake *handshake, const unsigned char *share) {
    EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, share, SHARE_BYTES);
    size_t length = sizeof handshake->shared;
    bool ok = peer && EVP_PKEY_derive_set_peer_ex(derivation, peer, 0) > 0 &&
              EVP_PKEY_derive(derivation, handshake->shared, &length) > 0;

    EVP_PKEY_free(peer);
    return ok;
}

/* HKDF-Expand-Label of at most one hash, RFC 8446, section 7.1. */
static void expand_label(const unsigned char *secret, const char *label, const unsigned char *context,
                         size_t context_length, unsigned char *out, size_t length) {
    unsigned char info[64 + HASH_BYTES], *at = info, hash[HASH_BYTES];

    at += put_16(at, length);
    *at++ = (unsigned char)(6 + strlen(label));
    at = (unsigned char *)memcpy(at, "tls13 ", 6) + 6;
    at = (unsigned char *)memcpy(at, label, strlen(label)) + strlen(label);
    *at++ = (unsigned char)context_length;
    if (context_length > 0)
        at = (unsigned char *)memcpy(at, context, context_length) + context_length;
    *at++ = 1;
    hmac(secret, HASH_BYTES, info, (size_t)(at - info), hash);
    memcpy(out, hash, length);
}

/* HMAC-SHA256 with a key of at most a block, RFC 2104. libcrypto's own looks the algorithm up each time, which takes
 * longer. */
static void hmac(const unsigned char *key, size_t key_length, const unsigned char *data, size_t length,
                 unsigned char *out) {
    unsigned char pad[SHA256_CBLOCK];
    SHA256_CTX inner, outer;

    memset(pad, 0x36, sizeof pad);
    for (size_t i = 0; i < key_length; i++)
        pad[i] ^= key[i];
    SHA256_Init(&inner);
    SHA256_Update(&inner, pad, sizeof pad);
    SHA256_Update(&inner, data, length);
    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    SHA256_Init(&outer);
    SHA256_Update(&outer, pad, sizeof pad);
    SHA256_Final(pad, &inner);
    SHA256_Update(&outer, pad, HASH_BYTES);
    SHA256_Final(out, &outer);
}
