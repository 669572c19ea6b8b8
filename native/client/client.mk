# The C client library: build/native/libsignet_client.a. May be included by another Makefile, or used alone:
#   make -f native/client/client.mk signet-client
# A face links $(SIGNET_CLIENT_LIBS) with -Wl,--exclude-libs,ALL and -Wl,-z,nodelete: a reader thread and a fork handler of the
# library must never point into code that dlclose took away.

ifndef SIGNET_CLIENT_LIB
SIGNET_ROOT := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))/../..)
SIGNET_BUILD ?= $(SIGNET_ROOT)/build/native
SIGNET_CLIENT_DIR := $(SIGNET_ROOT)/native/client
SIGNET_CLIENT_OUT := $(SIGNET_BUILD)/client
SIGNET_CLIENT_LIB := $(SIGNET_BUILD)/libsignet_client.a
SIGNET_CLIENT_LIBS := $(SIGNET_CLIENT_LIB) -lprotobuf-nanopb -pthread
SIGNET_CLIENT_SOURCES := $(wildcard $(SIGNET_CLIENT_DIR)/*.c)
SIGNET_CLIENT_HEADERS := $(wildcard $(SIGNET_CLIENT_DIR)/*.h)
SIGNET_CLIENT_OBJECTS := $(SIGNET_CLIENT_SOURCES:$(SIGNET_CLIENT_DIR)/%.c=$(SIGNET_CLIENT_OUT)/%.o) $(SIGNET_CLIENT_OUT)/sign.pb.o

SIGNET_WARNINGS := -Wall -Wextra -Werror -Wshadow=local -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wvla
SIGNET_HARDENING := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fcf-protection
# Sanitizer builds replace these two (native-test/client/Makefile).
SIGNET_OPTIMISE ?= -O2 -g $(SIGNET_HARDENING)
SIGNET_SANITIZE ?=
SIGNET_CFLAGS := -std=gnu11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -pthread $(SIGNET_WARNINGS) $(SIGNET_OPTIMISE) $(SIGNET_SANITIZE)
SIGNET_CLIENT_CFLAGS := -I$(SIGNET_CLIENT_DIR) -I$(SIGNET_CLIENT_OUT)
SIGNET_GENERATED := $(SIGNET_CLIENT_OUT)/signet/v1/sign.pb.h

.PHONY: signet-client
signet-client: $(SIGNET_CLIENT_LIB)

$(SIGNET_CLIENT_LIB): $(SIGNET_CLIENT_OBJECTS)
	rm -f $@
	$(AR) rcs $@ $^

$(SIGNET_CLIENT_OUT)/%.o: $(SIGNET_CLIENT_DIR)/%.c $(SIGNET_CLIENT_HEADERS) $(SIGNET_GENERATED)
	@mkdir -p $(@D)
	$(CC) $(SIGNET_CFLAGS) $(SIGNET_CLIENT_CFLAGS) -c -o $@ $<

$(SIGNET_CLIENT_OUT)/sign.pb.o: $(SIGNET_GENERATED)
	$(CC) $(SIGNET_CFLAGS) $(SIGNET_CLIENT_CFLAGS) -c -o $@ $(SIGNET_CLIENT_OUT)/signet/v1/sign.pb.c

# The plugin is named by its path: an npm package may have put another protoc-gen-nanopb first in PATH.
$(SIGNET_GENERATED): $(SIGNET_ROOT)/proto/signet/v1/sign.proto $(SIGNET_CLIENT_DIR)/sign.options
	@mkdir -p $(SIGNET_CLIENT_OUT)
	protoc -I$(SIGNET_ROOT)/proto --plugin=protoc-gen-nanopb=/usr/bin/protoc-gen-nanopb \
	  --nanopb_opt="-f$(SIGNET_CLIENT_DIR)/sign.options" --nanopb_out=$(SIGNET_CLIENT_OUT) $<

endif
