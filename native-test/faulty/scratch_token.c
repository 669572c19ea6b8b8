#include "scratch_token.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMMAND_BYTES_MAX 1024

static const char *const SOFTHSM_PLACES[] = {
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
};

static char folder[] = "/tmp/signet-faulty-XXXXXX";
static char faultyctl[COMMAND_BYTES_MAX / 2];

static const char *softhsm(void);
static bool write_conf(const char *path);
static bool run(const char *format, ...);

bool scratch_token_make(const char *control) {
    char path[sizeof folder + 32];
    snprintf(faultyctl, sizeof faultyctl, "%s", control);
    if (!softhsm() || !mkdtemp(folder))
        return false;
    snprintf(path, sizeof path, "%s/softhsm2.conf", folder);
    setenv("SOFTHSM2_CONF", path, 1);
    if (!write_conf(path))
        return false;
    setenv("SIGNET_FAULTY_MODULE", softhsm(), 1);
    snprintf(path, sizeof path, "%s/state", folder);
    setenv("SIGNET_FAULTY_STATE", path, 1);
    return run("softhsm2-util --init-token --free --label scratch --pin %s --so-pin %s >&2", SCRATCH_PIN,
               SCRATCH_PIN) &&
           scratch_order("create");
}

void scratch_token_remove(void) {
    run("rm -rf '%s'", folder);
}

bool scratch_order(const char *command, ...) {
    char words[COMMAND_BYTES_MAX / 4];
    va_list arguments;
    va_start(arguments, command);
    vsnprintf(words, sizeof words, command, arguments);
    va_end(arguments);
    return run("'%s' '%s' %s", faultyctl, getenv("SIGNET_FAULTY_STATE"), words);
}

static const char *softhsm(void) {
    const char *named = getenv("SIGNET_TEST_SOFTHSM");
    if (named)
        return named;
    for (size_t i = 0; i < sizeof SOFTHSM_PLACES / sizeof *SOFTHSM_PLACES; i++)
        if (access(SOFTHSM_PLACES[i], R_OK) == 0)
            return SOFTHSM_PLACES[i];
    fprintf(stderr, "SoftHSM 2 is not installed (apt-get install softhsm2), or name it in SIGNET_TEST_SOFTHSM\n");
    return NULL;
}

static bool write_conf(const char *path) {
    char tokens[sizeof folder + 32];
    snprintf(tokens, sizeof tokens, "%s/tokens", folder);
    FILE *file = mkdir(tokens, 0700) == 0 ? fopen(path, "w") : NULL;
    if (!file)
        return false;
    fprintf(file, "directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", tokens);
    return fclose(file) == 0;
}

__attribute__((format(printf, 1, 2))) static bool run(const char *format, ...) {
    char command[COMMAND_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    return system(command) == 0;
}
