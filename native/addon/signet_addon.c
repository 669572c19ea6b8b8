/*
 * What node does not offer and the service needs of the operating system: who the peer of a Unix socket is, a way to
 * open a PKCS#11 module apart from node's own OpenSSL, a process whose memory is not written to disk, a word to
 * systemd, a lock on a file, descriptors of sockets, a look for the next message before a process sleeps
 * (native/signer/busy_poll.c), and the work of a signer (native/signer/sign_loop.c). src/native-addon.ts is its
 * TypeScript face.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <node_api.h>

#include "busy_poll_napi.h"
#include "sign_loop_napi.h"
#include "values.h"

static napi_value throw_errno(napi_env env, const char *what) {
    char message[256];
    snprintf(message, sizeof message, "%s: %s", what, strerror(errno));
    napi_throw_error(env, NULL, message);
    return NULL;
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

/* More than all that the service says at once. */
#define NOTIFICATION_BYTES_MAX 4096

/* Fills in the address and its length; a leading '@' names an abstract socket (unix(7)). 0 if it is too long. */
static socklen_t notify_address(struct sockaddr_un *address, const char *path, size_t length) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (length == 0 || length >= sizeof address->sun_path)
        return 0;
    memcpy(address->sun_path, path, length);
    if (path[0] == '@')
        address->sun_path[0] = 0;
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

/*
 * notifySystemd(socket, text): one datagram to the service manager (sd_notify(3)); node has no datagram sockets of
 * AF_UNIX. It does not wait: what the manager has no room for is an error.
 */
static napi_value notify_systemd(napi_env env, napi_callback_info info) {
    size_t argc = 2, path_length = 0, text_length = 0;
    napi_value arguments[2];
    char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1], text[NOTIFICATION_BYTES_MAX];
    struct sockaddr_un address;
    if (napi_get_cb_info(env, info, &argc, arguments, NULL, NULL) != napi_ok || argc < 2 ||
        napi_get_value_string_utf8(env, arguments[0], path, sizeof path, &path_length) != napi_ok ||
        napi_get_value_string_utf8(env, arguments[1], text, sizeof text, &text_length) != napi_ok ||
        text_length + 1 >= sizeof text) {
        napi_throw_type_error(env, NULL, "notifySystemd: expected a socket and a text of less than 4095 bytes");
        return NULL;
    }
    const socklen_t address_length = notify_address(&address, path, path_length);
    if (address_length == 0) {
        errno = ENAMETOOLONG;
        return throw_errno(env, "notifySystemd: the path of the socket");
    }
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return throw_errno(env, "notifySystemd: socket");
    const ssize_t sent =
        sendto(fd, text, text_length, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&address, address_length);
    const int failure = errno;
    close(fd);
    if (sent < 0) {
        errno = failure;
        return throw_errno(env, "notifySystemd: sendto");
    }
    return NULL;
}

/*
 * lockFile(fd) -> whether this process has the lock now (flock(2), exclusive, without waiting). It ends with the last
 * descriptor of the open file, so also with a process that is killed.
 */
static napi_value lock_file(napi_env env, napi_callback_info info) {
    size_t argc = 1;
    napi_value argument, result;
    int32_t fd = -1;
    if (napi_get_cb_info(env, info, &argc, &argument, NULL, NULL) != napi_ok || argc < 1 ||
        napi_get_value_int32(env, argument, &fd) != napi_ok) {
        napi_throw_type_error(env, NULL, "lockFile: expected a file descriptor");
        return NULL;
    }
    const int locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (!locked && errno != EWOULDBLOCK)
        return throw_errno(env, "lockFile: flock");
    return napi_get_boolean(env, locked, &result) == napi_ok ? result : NULL;
}

/* socketPair() -> [fd, fd]: two connected Unix sockets, which a program that this process starts does not inherit
 * unasked (socketpair(2)). */
static napi_value socket_pair(napi_env env, napi_callback_info info) {
    (void)info;
    int fds[2];
    napi_value pair, ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
        return throw_errno(env, "socketPair: socketpair");
    if (napi_create_array_with_length(env, 2, &pair) == napi_ok &&
        napi_create_int32(env, fds[0], &ends[0]) == napi_ok && napi_create_int32(env, fds[1], &ends[1]) == napi_ok &&
        napi_set_element(env, pair, 0, ends[0]) == napi_ok && napi_set_element(env, pair, 1, ends[1]) == napi_ok)
        return pair;
    close(fds[0]);
    close(fds[1]);
    return NULL;
}

/* duplicate(fd) -> another descriptor of the same open file, closed on exec (fcntl(2), F_DUPFD_CLOEXEC). */
static napi_value duplicate(napi_env env, napi_callback_info info) {
    size_t argc = 1;
    napi_value argument, result;
    int32_t fd = -1;
    if (napi_get_cb_info(env, info, &argc, &argument, NULL, NULL) != napi_ok || argc < 1 ||
        napi_get_value_int32(env, argument, &fd) != napi_ok) {
        napi_throw_type_error(env, NULL, "duplicate: expected a file descriptor");
        return NULL;
    }
    const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return throw_errno(env, "duplicate: F_DUPFD_CLOEXEC");
    if (napi_create_int32(env, copy, &result) == napi_ok)
        return result;
    close(copy);
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
        !export_function(env, exports, "dieWithParent", die_with_parent) ||
        !export_function(env, exports, "notifySystemd", notify_systemd) ||
        !export_function(env, exports, "lockFile", lock_file) ||
        !export_function(env, exports, "socketPair", socket_pair) ||
        !export_function(env, exports, "duplicate", duplicate) ||
        !export_function(env, exports, "busyPollEvents", busy_poll_events) ||
        !export_function(env, exports, "signLoopOpen", sign_loop_napi_open) ||
        !export_function(env, exports, "signLoopStand", sign_loop_napi_stand) ||
        !export_function(env, exports, "signLoopNext", sign_loop_napi_next) ||
        !export_function(env, exports, "signLoopQuiet", sign_loop_napi_quiet) ||
        !export_function(env, exports, "signLoopSend", sign_loop_napi_send)) {
        return NULL;
    }
    return exports;
}
