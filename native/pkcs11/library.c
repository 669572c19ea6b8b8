/* C_Initialize, C_Finalize, C_GetInfo, and the lock. */
#include "library.h"

#include "settings.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
/* NULL before C_Initialize and after C_Finalize. */
static signet__library *current;

static CK_VERSION version_of(const char *text);
static CK_RV check_arguments(const CK_C_INITIALIZE_ARGS *arguments);
static CK_RV new_library(signet__library **made);
static signet__signer *new_signer(void);
static void free_library(signet__library *library);
static void handle_forks(void);
static void lock_before_fork(void);
static void unlock_after_fork(void);

CK_RV C_Initialize(void *arguments) {
    signet__library *made = NULL, *gone;
    CK_RV rv = check_arguments(arguments);

    if (rv == CKR_OK)
        rv = new_library(&made);
    if (rv != CKR_OK)
        return rv;
    pthread_once(&fork_once, handle_forks);
    pthread_mutex_lock(&lock);
    gone = current;
    if (gone != NULL && gone->pid == made->pid) {
        gone = made;
        rv = CKR_CRYPTOKI_ALREADY_INITIALIZED;
    } else
        current = made;
    pthread_mutex_unlock(&lock);
    free_library(gone);
    return rv;
}

CK_RV C_Finalize(void *reserved) {
    signet__library *gone;

    if (reserved != NULL)
        return CKR_ARGUMENTS_BAD;
    pthread_mutex_lock(&lock);
    gone = current;
    current = NULL;
    pthread_mutex_unlock(&lock);
    if (gone == NULL)
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    free_library(gone);
    return CKR_OK;
}

CK_RV C_GetInfo(CK_INFO *info) {
    signet__library *library;
    CK_RV rv;

    if (info == NULL)
        return CKR_ARGUMENTS_BAD;
    rv = signet__enter(&library);
    if (rv != CKR_OK)
        return rv;
    memset(info, 0, sizeof *info);
    info->cryptokiVersion = (CK_VERSION){2, 40};
    SIGNET__PAD(info->manufacturerID, "Signet");
    SIGNET__PAD(info->libraryDescription, "Keys of a Signet service");
    info->libraryVersion = version_of(SIGNET_VERSION);
    return signet__leave(CKR_OK);
}

CK_RV signet__enter(signet__library **library) {
    pthread_mutex_lock(&lock);
    if (current == NULL)
        return signet__leave(CKR_CRYPTOKI_NOT_INITIALIZED);
    *library = current;
    return CKR_OK;
}

CK_RV signet__enter_session(CK_SESSION_HANDLE handle, signet__library **library, signet__session **session) {
    CK_RV rv = signet__enter(library);

    if (rv != CKR_OK)
        return rv;
    *session = signet__session_find(&(*library)->sessions, handle);
    return *session != NULL ? CKR_OK : signet__leave(CKR_SESSION_HANDLE_INVALID);
}

CK_RV signet__leave(CK_RV rv) {
    pthread_mutex_unlock(&lock);
    return rv;
}

signet__signer *signet__signer_retain(signet__signer *signer) {
    atomic_fetch_add(&signer->references, 1);
    return signer;
}

void signet__signer_release(signet__signer *signer) {
    if (signer == NULL || atomic_fetch_sub(&signer->references, 1) > 1)
        return;
    signet_client_free(signer->client);
    free(signer);
}

void signet__pad(CK_UTF8CHAR *field, size_t len, const char *text) {
    size_t text_len = strlen(text);

    memset(field, ' ', len);
    memcpy(field, text, text_len < len ? text_len : len);
}

/* "MAJOR.MINOR.PATCH"; PKCS#11 has no room for the last. */
static CK_VERSION version_of(const char *text) {
    char *rest;
    long major = strtol(text, &rest, 10);

    return (CK_VERSION){(CK_BYTE)major, (CK_BYTE)(*rest == '.' ? strtol(rest + 1, NULL, 10) : 0)};
}

/* The module locks with POSIX threads, whatever the program says of threads; only its own mutexes it does not take. */
static CK_RV check_arguments(const CK_C_INITIALIZE_ARGS *arguments) {
    int callbacks;

    if (arguments == NULL)
        return CKR_OK;
    callbacks = (arguments->CreateMutex != NULL) + (arguments->DestroyMutex != NULL) + (arguments->LockMutex != NULL) +
                (arguments->UnlockMutex != NULL);
    if (arguments->pReserved != NULL || (callbacks != 0 && callbacks != 4))
        return CKR_ARGUMENTS_BAD;
    return callbacks == 4 && !(arguments->flags & CKF_OS_LOCKING_OK) ? CKR_CANT_LOCK : CKR_OK;
}

/* Without the lock: the client has its own, which a fork takes first. */
static CK_RV new_library(signet__library **made) {
    signet__library *library = calloc(1, sizeof *library);

    if (library == NULL)
        return CKR_HOST_MEMORY;
    library->pid = getpid();
    library->signer = new_signer();
    if (library->signer == NULL) {
        free(library);
        return CKR_GENERAL_ERROR;
    }
    signet__shelf_init(&library->shelf, signet__settings_get()->catalogue);
    *made = library;
    return CKR_OK;
}

static signet__signer *new_signer(void) {
    const signet__settings *settings = signet__settings_get();
    signet_client_options options = {
        .sockets = settings->sockets, .timeout_ms = settings->timeout_ms, .agent = "signet-pkcs11/" SIGNET_VERSION};
    signet__signer *signer = calloc(1, sizeof *signer);

    if (signer == NULL)
        return NULL;
    atomic_init(&signer->references, 1);
    signer->client = signet_client_new(&options);
    if (signer->client != NULL)
        return signer;
    signet__tell("SIGNET_SOCKETS: expected up to %d paths of sockets, separated by ':', each shorter than %d bytes",
                 SIGNET_SOCKETS_MAX, SIGNET_SOCKET_PATH_BYTES_MAX);
    free(signer);
    return NULL;
}

static void free_library(signet__library *library) {
    if (library == NULL)
        return;
    signet__sessions_close_all(&library->sessions);
    signet__shelf_clear(&library->shelf);
    signet__signer_release(library->signer);
    free(library);
}

/* A child must not find the lock taken by a thread that it does not have. */
static void handle_forks(void) {
    pthread_atfork(lock_before_fork, unlock_after_fork, unlock_after_fork);
}

static void lock_before_fork(void) {
    pthread_mutex_lock(&lock);
}

static void unlock_after_fork(void) {
    pthread_mutex_unlock(&lock);
}
