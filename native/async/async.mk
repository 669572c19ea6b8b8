# The preload library: build/native/signet_async.so. May be included by another Makefile (after client.mk), or used alone from the
# project's root:
#   make -f native/async/async.mk signet-async

ifndef SIGNET_CLIENT_LIB
include native/client/client.mk
endif

SIGNET_ASYNC_DIR := $(SIGNET_ROOT)/native/async
SIGNET_ASYNC_OUT := $(SIGNET_BUILD)/async
SIGNET_ASYNC_HEADERS := $(wildcard $(SIGNET_ASYNC_DIR)/*.h) $(SIGNET_CLIENT_DIR)/signet_client.h
SIGNET_ASYNC_OBJECTS := $(patsubst $(SIGNET_ASYNC_DIR)/%.c,$(SIGNET_ASYNC_OUT)/%.o,$(sort $(wildcard $(SIGNET_ASYNC_DIR)/*.c)))
# It needs libc only: OpenSSL's functions are the program's own, if it has any. The anonymous version map lets its symbols stand in
# for versioned ones. nodelete: a fork handler runs in this file.
SIGNET_ASYNC_LDFLAGS := -shared -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now -Wl,-z,defs -Wl,--version-script=$(SIGNET_ASYNC_DIR)/signet_async.map

.PHONY: signet-async
signet-async: $(SIGNET_BUILD)/signet_async.so

$(SIGNET_BUILD)/signet_async.so: $(SIGNET_ASYNC_OBJECTS) $(SIGNET_ASYNC_DIR)/signet_async.map
	$(CC) $(SIGNET_SANITIZE) $(SIGNET_ASYNC_LDFLAGS) -o $@ $(SIGNET_ASYNC_OBJECTS) -pthread

# What goes out is said by the version map; -fvisibility=hidden would hide the interposed names too.
$(SIGNET_ASYNC_OUT)/%.o: $(SIGNET_ASYNC_DIR)/%.c $(SIGNET_ASYNC_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(SIGNET_CFLAGS) -fvisibility=default -I$(SIGNET_CLIENT_DIR) -c -o $@ $<
