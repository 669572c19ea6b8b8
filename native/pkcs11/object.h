/*
 * The objects of the tokens: for each key of the catalogue a private key, a public key and its certificates. A handle
 * stays with its key's identity, however the catalogue changes.
 */
#ifndef SIGNET_PKCS11_OBJECT_H
#define SIGNET_PKCS11_OBJECT_H

#include "catalogue.h"
#include "cryptoki.h"

typedef enum { SIGNET__PRIVATE_KEY = 1, SIGNET__PUBLIC_KEY = 2, SIGNET__CERTIFICATE = 4 } signet__class;

/* Lives while the library is locked. */
typedef struct {
    const signet__catalogue_key *key;
    signet__class class;
    /* SIGNET__CERTIFICATE: its place in the chain; 0 is the key's own. */
    size_t place;
} signet__object;

/* The catalogue that is in use, with the keys' numbers. */
typedef struct {
    const char *path;
    struct stat seen;
    /* NULL while none could be read. */
    signet__catalogue *catalogue;
    /* Of each key, in the catalogue's order. */
    CK_ULONG *numbers;
    /* The same, sorted by number. */
    struct signet__numbered {
        CK_ULONG number;
        size_t index;
    } * by_number;
    CK_ULONG numbers_given;
} signet__shelf;

void signet__shelf_init(signet__shelf *shelf, const char *path);
/* Reads the catalogue if its file is another than it was. One that is missing or cannot be read changes nothing. */
void signet__shelf_refresh(signet__shelf *shelf);
void signet__shelf_clear(signet__shelf *shelf);

/* False if there is no such object (any more) in the slot. */
bool signet__object_find(const signet__shelf *shelf, CK_SLOT_ID slot, CK_OBJECT_HANDLE handle, signet__object *object);

/* Calls `see` for every object of the slot in turn, until it returns false. */
void signet__objects_each(const signet__shelf *shelf, CK_SLOT_ID slot,
                          bool (*see)(void *context, const signet__object *object, CK_OBJECT_HANDLE handle),
                          void *context);

#endif
