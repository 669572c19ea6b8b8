# The OpenSSL provider: build/native/signet.so. Include it, or run from the project's root: make -f native/provider/provider.mk
# The client library comes from its own build file.
CC ?= gcc
CFLAGS ?= -O2 -g
SIGNET_BUILD ?= build/native
SIGNET_VERSION ?= $(shell sed -n 's/^  "version": "\(.*\)",/\1/p' package.json)

PROVIDER_DIR := native/provider
PROVIDER_SOURCES := $(sort $(wildcard $(PROVIDER_DIR)/*.c))
PROVIDER_OBJECTS := $(PROVIDER_SOURCES:$(PROVIDER_DIR)/%.c=$(SIGNET_BUILD)/provider/%.o)
PROVIDER_CFLAGS = -std=c17 -fPIC -fvisibility=hidden -Wall -Wextra -Werror -D_FORTIFY_SOURCE=2 -fstack-protector-strong \
	-Inative/client -DSIGNET_VERSION='"$(SIGNET_VERSION)"' -MMD -MP
# nodelete: the client's thread runs in this file. One symbol goes out (signet.map), none comes in by accident (Bsymbolic).
PROVIDER_LDFLAGS = -shared -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now -Wl,-z,defs -Wl,-Bsymbolic \
	-Wl,--version-script=$(PROVIDER_DIR)/signet.map
CLIENT_LIBRARY ?= $(SIGNET_BUILD)/libsignet_client.a

.PHONY: provider
provider: $(SIGNET_BUILD)/signet.so

$(SIGNET_BUILD)/signet.so: $(PROVIDER_OBJECTS) $(CLIENT_LIBRARY) $(PROVIDER_DIR)/signet.map
	$(CC) $(LDFLAGS) $(PROVIDER_LDFLAGS) -o $@ $(PROVIDER_OBJECTS) $(CLIENT_LIBRARY) -lprotobuf-nanopb -lcrypto -lpthread

$(SIGNET_BUILD)/provider/%.o: $(PROVIDER_DIR)/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(PROVIDER_CFLAGS) -c -o $@ $<

-include $(PROVIDER_OBJECTS:.o=.d)
