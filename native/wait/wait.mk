# How a face of OpenSSL waits for a signature; compiled into each face, by its own rules. To be included after client.mk.

SIGNET_WAIT_DIR := $(SIGNET_ROOT)/native/wait
SIGNET_WAIT_SOURCES := $(sort $(wildcard $(SIGNET_WAIT_DIR)/*.c))
SIGNET_WAIT_HEADERS := $(wildcard $(SIGNET_WAIT_DIR)/*.h) $(SIGNET_ROOT)/native/async/signet_async.h
SIGNET_WAIT_CFLAGS := -I$(SIGNET_WAIT_DIR) -I$(SIGNET_ROOT)/native/async
