/* Two ways to look for the next message for a short while before the process sleeps; busy_poll.c says why and when. */
#ifndef SIGNET_BUSY_POLL_H
#define SIGNET_BUSY_POLL_H
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <node_api.h>

napi_value busy_poll_events(napi_env env, napi_callback_info info);

/*
 * recv(2) of a socket that blocks, the first nanoseconds of whose wait are without sleep, as long as that helps. One
 * thread of a process at a time.
 */
ssize_t busy_poll_recv(int fd, void *into, size_t length, int64_t look_ns);

#endif
