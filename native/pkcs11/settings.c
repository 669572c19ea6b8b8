#include "settings.h"

#include "catalogue.h"
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_MS_MAX 60000
#define LINE_BYTES_MAX 1024

static signet__settings settings;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void read_environment(void);
static const char *copy_of(const char *name);

const signet__settings *signet__settings_get(void) {
    pthread_once(&once, read_environment);
    return &settings;
}

void signet__tell(const char *format, ...) {
    char line[LINE_BYTES_MAX];
    int saved = errno, len;
    va_list args;

    if (!signet__settings_get()->tells)
        return;
    va_start(args, format);
    len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (len >= 0)
        dprintf(STDERR_FILENO, "signet-pkcs11: %s\n", line);
    errno = saved;
}

/* The strings stay for as long as the process. A time that is no number from 1 to 60000 is told and not used. */
static void read_environment(void) {
    const char *log = secure_getenv("SIGNET_PKCS11_LOG");
    const char *timeout = secure_getenv("SIGNET_TIMEOUT_MS");
    char *end = NULL;
    long ms = timeout == NULL ? 0 : strtol(timeout, &end, 10);

    settings.tells = log != NULL && strcmp(log, "stderr") == 0;
    settings.catalogue = copy_of("SIGNET_CATALOGUE");
    if (settings.catalogue == NULL)
        settings.catalogue = SIGNET__CATALOGUE_DEFAULT;
    settings.sockets = copy_of("SIGNET_SOCKETS");
    if (timeout != NULL && end != timeout && *end == '\0' && ms >= 1 && ms <= TIMEOUT_MS_MAX)
        settings.timeout_ms = (uint32_t)ms;
    else if (timeout != NULL && settings.tells)
        dprintf(STDERR_FILENO, "signet-pkcs11: SIGNET_TIMEOUT_MS: expected 1 to 60000; \"%.32s\" came\n", timeout);
}

static const char *copy_of(const char *name) {
    const char *value = secure_getenv(name);
    return value == NULL || *value == '\0' ? NULL : strdup(value);
}
