/* What every operation of the provider shares: one per OSSL_LIB_CTX that loads it, unchanged from its init to its
 * teardown. */
#ifndef SIGNET_PROVIDER_H
#define SIGNET_PROVIDER_H

#include "errors.h"
#include "loop.h"
#include "shared_catalogue.h"
#include "signet_client.h"
#include <openssl/types.h>

#ifndef SIGNET_VERSION
#define SIGNET_VERSION "0.0.0"
#endif

/* Every algorithm of this provider. Digests and ciphers are never offered: a `?provider=signet` would divert them. */
#define SIGNET_PROPERTIES "provider=signet"

/*
 * Signet's own object identifiers, {joint-iso-itu-t uuid(25) 004d02e7-f021-4a2f-ab1f-6d5c65a4feea} (X.667), and one
 * more arc for the type of key. They mark the second form of a reference. Each is a name of its key management, since
 * libcrypto from 3.5 on looks for the decoder of a PKCS#8 by the name of its algorithm.
 */
#define SIGNET_OID_ARC "2.25.399865798948577069417177843685981930"
#define SIGNET_OID_ARC_DER                                                                                             \
    0x69, 0xcd, 0x81, 0xb9, 0xfe, 0x82, 0x8a, 0xa8, 0xdf, 0xab, 0x8f, 0xdb, 0xab, 0xc6, 0xad, 0x93, 0xfd, 0x6a

#define SIGNET_RSA_NAMES "RSA:rsaEncryption:1.2.840.113549.1.1.1:" SIGNET_OID_ARC ".1"
#define SIGNET_EC_NAMES "EC:id-ecPublicKey:1.2.840.10045.2.1:" SIGNET_OID_ARC ".2"
#define SIGNET_ECDSA_NAMES "ECDSA"
#define SIGNET_ED25519_NAMES "ED25519:1.3.101.112:" SIGNET_OID_ARC ".3"
#define SIGNET_RSA_PSS_NAMES "RSA-PSS:RSASSA-PSS:1.2.840.113549.1.1.10:" SIGNET_OID_ARC ".4"

#define SIGNET_CONFIG_FAULT_BYTES_MAX 256

typedef struct {
    signet__errors errors;
    /* Holds the public keys and checks signatures; only `default` is loaded there, and no openssl.cnf: never ourselves.
     */
    OSSL_LIB_CTX *shadow_libctx;
    OSSL_PROVIDER *shadow_default;
    /* `default` of the program, if it had to be loaded before us; else NULL. */
    OSSL_PROVIDER *first;
    /* NULL if the configuration is bad. */
    signet_client *client;
    /* NULL but under the preload library. */
    signet__loop *loop;
    /* NULL if memory ran out. */
    signet__catalogue_keeper *catalogue;
    /* What is wrong with the configuration; empty if nothing. Told when a reference is loaded, where people look. */
    char config_fault[SIGNET_CONFIG_FAULT_BYTES_MAX];
} signet__provider;

/* Makes the client from the provider's section of openssl.cnf. 0 if that is bad, with config_fault. */
int signet__configure(signet__provider *provider, const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in);

extern const OSSL_DISPATCH signet__rsa_keymgmt[], signet__rsa_pss_keymgmt[], signet__ec_keymgmt[],
    signet__ed25519_keymgmt[];
extern const OSSL_DISPATCH signet__rsa_signature[], signet__ecdsa_signature[], signet__ed25519_signature[];
extern const OSSL_DISPATCH signet__pem_decoder[];
extern const OSSL_DISPATCH signet__rsa_decoder[], signet__rsa_pss_decoder[], signet__ec_decoder[],
    signet__ed25519_decoder[];
extern const OSSL_DISPATCH signet__rsa_pkcs8_decoder[], signet__rsa_pss_pkcs8_decoder[], signet__ec_pkcs8_decoder[],
    signet__ed25519_pkcs8_decoder[];
extern const OSSL_DISPATCH signet__store[];
extern const OSSL_DISPATCH signet__no_decryption[];

#endif
