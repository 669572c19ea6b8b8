/*
 * A TLS client that costs a load generator little: full handshakes over X25519 and AES-128-GCM-SHA256, TLS 1.3 (RFC
 * 8446) or TLS 1.2 with ECDHE (RFC 5246, RFC 8422), and nothing beyond them. The server has all its work with it, and
 * both Finished messages are right; but the key pair is one for all handshakes, and **no certificate and no signature
 * is verified**: who uses it lets a real client do so now and then.
 */
#ifndef BENCH_LIGHT_CLIENT_H
#define BENCH_LIGHT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#define LIGHT_RANDOM_BYTES 32
#define LIGHT_KEY_BYTES 16
#define LIGHT_IV_BYTES 12
/* A server's flight with a chain of a few certificates. What is longer fails. */
#define LIGHT_FLIGHT_BYTES 8192

/* What one side protects its records with. */
typedef struct {
    unsigned char key[LIGHT_KEY_BYTES], iv[LIGHT_IV_BYTES];
    uint64_t sequence;
} light_keys;

/* One handshake, which is done or has failed at its end. */
typedef struct {
    const char *failure;
    bool has_begun, is_protected, is_done;
    size_t in_length, messages_length, messages_taken;
    SHA256_CTX transcript;
    unsigned char client_random[LIGHT_RANDOM_BYTES], server_random[LIGHT_RANDOM_BYTES], shared[32];
    /* TLS 1.3: handshake traffic secrets. TLS 1.2: the master secret. */
    unsigned char client_secret[32], server_secret[32], master[48];
    light_keys client, server;
    /* What has come and was not taken yet; what the records held. */
    unsigned char in[LIGHT_FLIGHT_BYTES], messages[LIGHT_FLIGHT_BYTES];
} light_handshake;

/* Once, before the first: TLS1_2_VERSION or TLS1_3_VERSION. False if libcrypto lacks something. */
bool light_set_up(int version);
void light_begin(light_handshake *handshake);
/* Sends and reads what there is to on a socket that does not block. True at the end: it is done, or `failure` says why
 * not. */
bool light_go_on(light_handshake *handshake, int fd);

#endif
