/*
 * What node does not offer and the service needs of the operating system: who the peer of a Unix socket is, a way to
 * open a PKCS#11 module apart from node's own OpenSSL, and a process whose memory is not written to disk.
 * src/native-addon.ts is its TypeScript face.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <node_api.h>

static napi_value throw_errno(napi_env env, const char *what) {
    char message[256];
    snprintf(message, sizeof message, "%s: %s", what, strerror(errno));
    napi_throw_error(env, NULL, message);
    return NULL;
}

static int set_number(napi_env env, napi_value object, const char *name, int64_t number) {
    napi_value value;
    return napi_create_int64(env, number, &value) == napi_ok &&
           napi_set_named_property(env, object, name, value) == napi_ok;
}

/* peerCredentials(fd) -> {uid, gid, pid} as they were when the peer connected (unix(7), SO_PEERCRED). */
static napi_value peer_credentials(napi_env env, napi_callback_info info) {
    size_t argc = 1;
    napi_value argument, result;
    int32_t fd = -1;
    if (napi_get_cb_info(env, info, &argc, &argument, NULL, NULL) != napi_ok || argc < 1 ||
        napi_get_value_int32(env, argument, &fd) != napi_ok) {
        napi_throw_type_error(env, NULL, "peerCredentials: expected a file descriptor");
        return NULL;
    }
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) {
        return throw_errno(env, "peerCredentials: SO_PEERCRED");
    }
    if (napi_create_object(env, &result) != napi_ok || !set_number(env, result, "uid", peer.uid) ||
        !set_number(env, result, "gid", peer.gid) || !set_number(env, result, "pid", peer.pid)) {
        return NULL;
    }
    return result;
}

/*
 * openModuleDeepbind(path): loads a PKCS#11 module so that its symbols and those of its libraries are looked up in them
 * first, not in node, which exports an OpenSSL of its own. All are bound now (RTLD_NOW), so a later dlopen of the same
 * file, as pkcs11js does one, finds the module as it is. The handle is kept for the life of the process on purpose.
 */
static napi_value open_module_deepbind(napi_env env, napi_callback_info info) {
    size_t argc = 1, length = 0;
    napi_value argument;
    char path[PATH_MAX];
    if (napi_get_cb_info(env, info, &argc, &argument, NULL, NULL) != napi_ok || argc < 1 ||
        napi_get_value_string_utf8(env, argument, path, sizeof path, &length) != napi_ok || length + 1 >= sizeof path) {
        napi_throw_type_error(env, NULL, "openModuleDeepbind: expected the path of a PKCS#11 module");
        return NULL;
    }
    if (!dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND)) {
        napi_throw_error(env, NULL, dlerror());
    }
    return NULL;
}

/* disableCoreDumps(): no core file, and no other process of the same user may read this one's memory (prctl(2),
 * getrlimit(2)). */
static napi_value disable_core_dumps(napi_env env, napi_callback_info info) {
    (void)info;
    const struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) != 0) {
        return throw_errno(env, "disableCoreDumps: RLIMIT_CORE");
    }
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return throw_errno(env, "disableCoreDumps: PR_SET_DUMPABLE");
    }
    return NULL;
}

/* dieWithParent(): SIGKILL when the parent ends, also while this process hangs inside a module (prctl(2),
 * PR_SET_PDEATHSIG). */
static napi_value die_with_parent(napi_env env, napi_callback_info info) {
    (void)info;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) {
        return throw_errno(env, "dieWithParent: PR_SET_PDEATHSIG");
    }
    return NULL;
}

static int export_function(napi_env env, napi_value exports, const char *name, napi_callback function) {
    napi_value value;
    return napi_create_function(env, name, NAPI_AUTO_LENGTH, function, NULL, &value) == napi_ok &&
           napi_set_named_property(env, exports, name, value) == napi_ok;
}

NAPI_MODULE_INIT() {
    if (!export_function(env, exports, "peerCredentials", peer_credentials) ||
        !export_function(env, exports, "openModuleDeepbind", open_module_deepbind) ||
        !export_function(env, exports, "disableCoreDumps", disable_core_dumps) ||
        !export_function(env, exports, "dieWithParent", die_with_parent)) {
        return NULL;
    }
    return exports;
}
