#include "settings.h"
#include "catalogue.h"
#include "known.h"
#include "lock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS_MAX 60000

enum { SOCKETS = ENGINE_CMD_BASE, CATALOGUE, TIMEOUT_MS };

const ENGINE_CMD_DEFN signet__commands[] = {
    {SOCKETS, "SOCKETS", "Unix sockets of the signing service, tried in order, separated by ':'",
     ENGINE_CMD_FLAG_STRING},
    {CATALOGUE, "CATALOGUE", "path of the catalogue, which the signing service writes", ENGINE_CMD_FLAG_STRING},
    {TIMEOUT_MS, "TIMEOUT_MS", "how long a signature may take in all, in milliseconds, 1 to 60000",
     ENGINE_CMD_FLAG_STRING},
    {0, NULL, NULL, 0},
};

static signet__settings settings;
/* NULL: the environment's, else the default. */
static char *catalogue;

static int set(char **setting, const char *text);
static void set_timeout(const char *text);

int signet__command(ENGINE *engine, int number, long value, void *text, void (*function)(void)) {
    int known = 1;

    (void)engine, (void)value, (void)function;
    if (text == NULL)
        return 0;
    signet__lock();
    if (number == SOCKETS)
        known = set(&settings.sockets, text);
    else if (number == CATALOGUE)
        known = set(&catalogue, text);
    else if (number == TIMEOUT_MS)
        set_timeout(text);
    else
        known = 0;
    signet__known_forget();
    signet__unlock();
    return known;
}

signet__settings *signet__settings_get(void) {
    return &settings;
}

const char *signet__settings_catalogue(void) {
    const char *named = catalogue != NULL ? catalogue : secure_getenv("SIGNET_CATALOGUE");

    return named != NULL && *named != '\0' ? named : SIGNET__CATALOGUE_DEFAULT;
}

void signet__settings_clear(void) {
    free(settings.sockets);
    free(catalogue);
    memset(&settings, 0, sizeof settings);
    catalogue = NULL;
}

static int set(char **setting, const char *text) {
    char *copy = strdup(text);

    if (copy == NULL)
        return 0;
    free(*setting);
    *setting = copy;
    return 1;
}

static void set_timeout(const char *text) {
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && value >= 1 && value <= TIMEOUT_MS_MAX)
        settings.timeout_ms = (uint32_t)value;
    else
        snprintf(settings.fault, sizeof settings.fault,
                 "TIMEOUT_MS: expected a number of milliseconds from 1 to %d; \"%.80s\" came", TIMEOUT_MS_MAX, text);
}
