#include "hash.h"

void signet__hash_begin(signet__hashing *hashing, signet__hash hash) {
    hashing->hash = hash;
    if (hash == SIGNET__SHA256)
        SHA256_Init(&hashing->state.sha256);
    else if (hash == SIGNET__SHA384)
        SHA384_Init(&hashing->state.sha512);
    else
        SHA512_Init(&hashing->state.sha512);
}

void signet__hash_add(signet__hashing *hashing, const void *bytes, size_t len) {
    if (hashing->hash == SIGNET__SHA256)
        SHA256_Update(&hashing->state.sha256, bytes, len);
    else if (hashing->hash == SIGNET__SHA384)
        SHA384_Update(&hashing->state.sha512, bytes, len);
    else
        SHA512_Update(&hashing->state.sha512, bytes, len);
}

void signet__hash_end(signet__hashing *hashing, unsigned char *digest) {
    if (hashing->hash == SIGNET__SHA256)
        SHA256_Final(digest, &hashing->state.sha256);
    else if (hashing->hash == SIGNET__SHA384)
        SHA384_Final(digest, &hashing->state.sha512);
    else
        SHA512_Final(digest, &hashing->state.sha512);
}
