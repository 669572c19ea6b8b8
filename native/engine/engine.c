/* The contents page of the engine: what it offers, how it comes and how it goes. */
#include "errors.h"
#include "key.h"
#include "known.h"
#include "lock.h"
#include "method.h"
#include "service.h"
#include "settings.h"
#include <openssl/engine.h>
#include <openssl/err.h>
#include <string.h>

#define ENGINE_ID "signet"
#define NAME_BYTES_TOLD 100

static int offer(ENGINE *engine, const char *id);
static int do_nothing(ENGINE *engine);
static int finish(ENGINE *engine);
static int destroy(ENGINE *engine);
static EVP_PKEY *load_private(ENGINE *engine, const char *text, UI_METHOD *ui, void *data);
static EVP_PKEY *load_public(ENGINE *engine, const char *text, UI_METHOD *ui, void *data);
static EVP_PKEY *load(ENGINE *engine, const char *text);
static int parse_name(signet__name *name, const char *text);
static EVP_PKEY *make_key(ENGINE *engine, const signet__catalogue_key *known, const char *text);
static int check_settings(void);

/* The only symbols that go out. */
__attribute__((visibility("default"))) int bind_engine(ENGINE *engine, const char *id, const dynamic_fns *functions);
__attribute__((visibility("default"))) unsigned long v_check(unsigned long version);
IMPLEMENT_DYNAMIC_BIND_FN(offer)
IMPLEMENT_DYNAMIC_CHECK_FN()

static int offer(ENGINE *engine, const char *id) {
    if (id != NULL && strcmp(id, ENGINE_ID) != 0)
        return 0;
    signet__errors_load();
    signet__lock_minds_forks();
    if (!signet__methods_take())
        return 0;
    if (ENGINE_set_id(engine, ENGINE_ID) && ENGINE_set_name(engine, "Keys of a Signet service") &&
        ENGINE_set_flags(engine, ENGINE_FLAGS_NO_REGISTER_ALL) && ENGINE_set_init_function(engine, do_nothing) &&
        ENGINE_set_finish_function(engine, finish) && ENGINE_set_cmd_defns(engine, signet__commands) &&
        ENGINE_set_ctrl_function(engine, signet__command) && ENGINE_set_pkey_meths(engine, signet__methods) &&
        ENGINE_set_load_privkey_function(engine, load_private) &&
        ENGINE_set_load_pubkey_function(engine, load_public) && ENGINE_set_destroy_function(engine, destroy))
        return 1;
    signet__methods_give_back();
    return 0;
}

/* The client is made when it is needed, so that the lines of openssl.cnf may stand in any order. */
static int do_nothing(ENGINE *engine) {
    (void)engine;
    return 1;
}

static int finish(ENGINE *engine) {
    (void)engine;
    signet__service_leave();
    return 1;
}

static int destroy(ENGINE *engine) {
    (void)engine;
    if (!signet__methods_give_back())
        return 1;
    signet__lock();
    signet__known_forget();
    signet__settings_clear();
    signet__unlock();
    return 1;
}

static EVP_PKEY *load_private(ENGINE *engine, const char *text, UI_METHOD *ui, void *data) {
    (void)ui, (void)data;
    return check_settings() ? load(engine, text) : NULL;
}

static EVP_PKEY *load_public(ENGINE *engine, const char *text, UI_METHOD *ui, void *data) {
    (void)engine, (void)ui, (void)data;
    return load(NULL, text);
}

/* The public half only if there is no engine. */
static EVP_PKEY *load(ENGINE *engine, const char *text) {
    char why[SIGNET__WHY_BYTES_MAX];
    signet__shared_catalogue *catalogue;
    const signet__catalogue_key *known;
    signet__name name;
    EVP_PKEY *key = NULL;

    if (!parse_name(&name, text))
        return NULL;
    catalogue = signet__known_take(why);
    known = catalogue == NULL ? NULL : signet__known_find(catalogue, &name, text, why);
    if (known == NULL)
        signet__raise(SIGNET__R_NO_SUCH_KEY, "%s", why);
    else
        key = make_key(engine, known, text);
    signet__catalogue_release(catalogue);
    return key;
}

static int parse_name(signet__name *name, const char *text) {
    const char *expected = signet__name_parse(name, text == NULL ? "" : text);

    if (expected == NULL)
        return 1;
    return signet__raise(SIGNET__R_BAD_KEY_NAME, "key name \"%.*s\": %s", NAME_BYTES_TOLD, text == NULL ? "" : text,
                         expected);
}

static EVP_PKEY *make_key(ENGINE *engine, const signet__catalogue_key *known, const char *text) {
    EVP_PKEY *key;

    ERR_set_mark();
    key = engine != NULL ? signet__key_new(engine, known) : signet__key_new_public(known);
    if (key != NULL) {
        ERR_pop_to_mark();
        return key;
    }
    ERR_clear_last_mark();
    signet__raise(SIGNET__R_NO_MEMORY, "the key \"%.*s\" of the catalogue could not be taken", NAME_BYTES_TOLD, text);
    return NULL;
}

/* A bad line of openssl.cnf shows when a server starts, not at its first handshake. */
static int check_settings(void) {
    char fault[SIGNET__FAULT_BYTES_MAX];
    signet__service *service = signet__service_take(fault);

    if (service == NULL)
        return signet__raise(SIGNET__R_BAD_CONFIGURATION, "%s", fault);
    signet__service_give_back(service);
    return 1;
}
