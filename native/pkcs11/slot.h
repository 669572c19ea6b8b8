/*
 * The two slots, each with a token: "signet" has the RSA and EC keys, "signet-ed25519" the Ed25519 keys. Apart, because
 * libp11 before 0.4.13 and other programs give up a token as soon as they meet a key of that type in it.
 */
#ifndef SIGNET_PKCS11_SLOT_H
#define SIGNET_PKCS11_SLOT_H

#include "cryptoki.h"
#include "public_key.h"

#define SIGNET__SLOTS 2

/* Where keys of that kind are. */
CK_SLOT_ID signet__slot_of(signet__key_kind kind);

#endif
