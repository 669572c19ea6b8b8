#include "fixture.h"

#include "signet/v1/keys.pb.h"
#include <dlfcn.h>
#include <openssl/pem.h>
#include <pb_encode.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CATALOGUE_BYTES_MAX 65536

test_key keys[KINDS] = {{.name = "rsa"}, {.name = "P-256"}, {.name = "P-384"}, {.name = "P-521"}, {.name = "ed25519"}};
CK_FUNCTION_LIST *p11;
char folder[64];
static void *module;

static void make_key(test_key *key);
static X509 *make_certificate(EVP_PKEY *key, const char *name);
static void write_keys_for_fake_client(void);
static bool encode_keys(pb_ostream_t *stream, const pb_field_t *field, void *const *kinds);
static bool encode_chain(pb_ostream_t *stream, const pb_field_t *field, void *const *key);

int load_everything(void **state) {
    CK_RV (*get_list)(CK_FUNCTION_LIST **);
    char path[128];

    (void)state;
    strcpy(folder, "/tmp/signet-pkcs11-XXXXXX");
    assert_non_null(mkdtemp(folder));
    for (int i = 0; i < KINDS; i++)
        make_key(&keys[i]);
    write_keys_for_fake_client();
    snprintf(path, sizeof path, "%s/catalogue", folder);
    setenv("SIGNET_CATALOGUE", path, 1);
    write_catalogue((1u << KINDS) - 1);
    module = dlopen(getenv("SIGNET_TEST_MODULE"), RTLD_NOW | RTLD_LOCAL);
    if (module == NULL)
        fail_msg("%s", dlerror());
    get_list = (CK_RV(*)(CK_FUNCTION_LIST **))module_symbol("C_GetFunctionList");
    assert_int_equal(get_list(&p11), CKR_OK);
    return 0;
}

int free_everything(void **state) {
    char command[128];

    (void)state;
    for (int i = 0; i < KINDS; i++) {
        EVP_PKEY_free(keys[i].genuine);
        X509_free(keys[i].certificate);
    }
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

void *module_symbol(const char *name) {
    return dlsym(module, name);
}

void write_catalogue(unsigned kinds) {
    unsigned char *bytes = malloc(CATALOGUE_BYTES_MAX);
    pb_ostream_t stream = pb_ostream_from_buffer(bytes, CATALOGUE_BYTES_MAX);
    signet_v1_Catalogue message = signet_v1_Catalogue_init_zero;

    message.version = 1;
    message.written_at_s = 1700000000;
    message.keys.funcs.encode = encode_keys;
    message.keys.arg = &kinds;
    assert_true(pb_encode(&stream, signet_v1_Catalogue_fields, &message));
    write_file("catalogue", bytes, stream.bytes_written);
    free(bytes);
}

void write_file(const char *name, const void *bytes, size_t len) {
    char path[128], temporary[160];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    snprintf(temporary, sizeof temporary, "%s.new", path);
    file = fopen(temporary, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    fclose(file);
    assert_int_equal(rename(temporary, path), 0);
}

void remove_catalogue(void) {
    char path[128];
    snprintf(path, sizeof path, "%s/catalogue", folder);
    unlink(path);
}

CK_SESSION_HANDLE open_session(int kind) {
    CK_SESSION_HANDLE session;
    assert_int_equal(p11->C_OpenSession(kind == ED25519_KEY ? 1 : 0, CKF_SERIAL_SESSION, NULL, NULL, &session), CKR_OK);
    return session;
}

CK_OBJECT_HANDLE find(CK_SESSION_HANDLE session, int kind, CK_OBJECT_CLASS class) {
    char label[64];
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof class}, {CKA_LABEL, label, 0}};
    CK_OBJECT_HANDLE object = 0;
    CK_ULONG count;

    template[1].ulValueLen = (CK_ULONG)snprintf(label, sizeof label, "www-%s", keys[kind].name);
    assert_int_equal(p11->C_FindObjectsInit(session, template, 2), CKR_OK);
    assert_int_equal(p11->C_FindObjects(session, &object, 1, &count), CKR_OK);
    assert_int_equal(p11->C_FindObjectsFinal(session), CKR_OK);
    return count == 1 ? object : 0;
}

unsigned count_found(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count) {
    CK_OBJECT_HANDLE objects[3];
    CK_ULONG some;
    unsigned all = 0;

    assert_int_equal(p11->C_FindObjectsInit(session, template, count), CKR_OK);
    do {
        assert_int_equal(p11->C_FindObjects(session, objects, 3, &some), CKR_OK);
        all += (unsigned)some;
    } while (some > 0);
    assert_int_equal(p11->C_FindObjectsFinal(session), CKR_OK);
    return all;
}

static void make_key(test_key *key) {
    unsigned char *spki = NULL;
    int len;

    if (strcmp(key->name, "rsa") == 0)
        key->genuine = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    else if (strcmp(key->name, "ed25519") == 0)
        key->genuine = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    else
        key->genuine = EVP_PKEY_Q_keygen(NULL, NULL, "EC", key->name);
    assert_non_null(key->genuine);
    key->certificate = make_certificate(key->genuine, key->name);
    len = i2d_PUBKEY(key->genuine, &spki);
    EVP_Digest(spki, (size_t)len, key->spki_sha256, NULL, EVP_sha256(), NULL);
    OPENSSL_free(spki);
}

static X509 *make_certificate(EVP_PKEY *key, const char *name) {
    X509 *certificate = X509_new();

    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 0x1234);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC, (const unsigned char *)name, -1,
                               -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, strcmp(name, "ed25519") == 0 ? NULL : EVP_sha256()) > 0);
    return certificate;
}

/* native-test/provider/fake_client.c. */
static void write_keys_for_fake_client(void) {
    char list[1024] = "", path[128];

    for (int i = 0; i < KINDS; i++) {
        FILE *file;
        snprintf(path, sizeof path, "%s/%s.key", folder, keys[i].name);
        file = fopen(path, "w");
        assert_int_equal(PEM_write_PrivateKey(file, keys[i].genuine, NULL, NULL, 0, NULL, NULL), 1);
        fclose(file);
        strcat(strcat(list, i > 0 ? ":" : ""), path);
    }
    setenv("SIGNET_FAKE_KEYS", list, 1);
    snprintf(path, sizeof path, "%s/log", folder);
    setenv("SIGNET_FAKE_LOG", path, 1);
}

static bool encode_keys(pb_ostream_t *stream, const pb_field_t *field, void *const *kinds) {
    for (int i = KINDS - 1; i >= 0; i--) {
        signet_v1_Key message = signet_v1_Key_init_zero;
        unsigned char *at = message.public_key_der.bytes;

        if (!(*(const unsigned *)*kinds & 1u << i))
            continue;
        snprintf(message.label, sizeof message.label, "www-%s", keys[i].name);
        message.id.size = 2;
        memcpy(message.id.bytes, (unsigned char[]){0xaa, (unsigned char)i}, 2);
        memcpy(message.spki_sha256, keys[i].spki_sha256, 32);
        message.public_key_der.size = (pb_size_t)i2d_PUBKEY(keys[i].genuine, &at);
        message.certificate_chain.funcs.encode = encode_chain;
        message.certificate_chain.arg = &keys[i];
        if (!pb_encode_tag_for_field(stream, field) || !pb_encode_submessage(stream, signet_v1_Key_fields, &message))
            return false;
    }
    return true;
}

static bool encode_chain(pb_ostream_t *stream, const pb_field_t *field, void *const *key) {
    X509 *chain[] = {((const test_key *)*key)->certificate, keys[0].certificate};

    for (int i = 0; i < 2; i++) {
        unsigned char *der = NULL;
        int len = i2d_X509(chain[i], &der);
        bool ok = pb_encode_tag_for_field(stream, field) && pb_encode_string(stream, der, (size_t)len);
        OPENSSL_free(der);
        if (!ok)
            return false;
    }
    return true;
}
