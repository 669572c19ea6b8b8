# The OpenSSL engine: build/native/engines/signet.so, for libraries that have engines. May be included by another Makefile (in the
# project's root), or used alone from there:
#   make -f native/engine/engine.mk signet-engine

ifndef SIGNET_CLIENT_LIB
include native/client/client.mk
endif
ifndef SIGNET_CATALOGUE_LIB
include native/catalogue/catalogue.mk
endif
ifndef SIGNET_WAIT_DIR
include $(SIGNET_ROOT)/native/wait/wait.mk
endif

SIGNET_ENGINE_DIR := $(SIGNET_ROOT)/native/engine
SIGNET_ENGINE_OUT := $(SIGNET_BUILD)/engine
# `openssl -engine signet` looks for this name in the folder of engines (OPENSSL_ENGINES).
SIGNET_ENGINE := $(SIGNET_BUILD)/engines/signet.so
SIGNET_ENGINE_SOURCES := $(sort $(wildcard $(SIGNET_ENGINE_DIR)/*.c)) $(SIGNET_WAIT_SOURCES)
SIGNET_ENGINE_HEADERS := $(wildcard $(SIGNET_ENGINE_DIR)/*.h) $(SIGNET_WAIT_HEADERS) $(SIGNET_CATALOGUE_HEADERS) \
  $(SIGNET_CLIENT_DIR)/signet_client.h $(SIGNET_GENERATED)
SIGNET_ENGINE_OBJECTS := $(addprefix $(SIGNET_ENGINE_OUT)/,$(notdir $(SIGNET_ENGINE_SOURCES:.c=.o)))
SIGNET_ENGINE_VERSION := $(shell sed -n 's/^  "version": "\(.*\)",/\1/p' $(SIGNET_ROOT)/package.json)
# Engines are deprecated since OpenSSL 3.0; this is one.
SIGNET_ENGINE_CFLAGS := -I$(SIGNET_ENGINE_DIR) $(SIGNET_WAIT_CFLAGS) -I$(SIGNET_CATALOGUE_DIR) -I$(SIGNET_CLIENT_DIR) \
  -I$(SIGNET_CLIENT_OUT) -DOPENSSL_SUPPRESS_DEPRECATED -DSIGNET_VERSION='"$(SIGNET_ENGINE_VERSION)"'
# Two symbols go out (signet.map) and none comes in by accident (Bsymbolic). nodelete: the client's thread and the fork handlers run
# in this file. A sanitizer's symbols are in the program.
SIGNET_ENGINE_LDFLAGS := -shared -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now -Wl,-Bsymbolic $(if $(SIGNET_SANITIZE),,-Wl,-z,defs) \
  -Wl,--exclude-libs,ALL -Wl,--version-script=$(SIGNET_ENGINE_DIR)/signet.map

# What there is to build here: nothing where libcrypto was made without engines, as OpenSSL 4 always is. Asked when it is used, since
# the headers may be installed by the same `make`.
SIGNET_ENGINE_PRODUCT = $(if $(shell printf '\043include <openssl/opensslconf.h>\n\043ifdef OPENSSL_NO_ENGINE\n\043error none\n\043endif\n' | \
  $(CC) -E -x c - >/dev/null 2>&1 && echo yes),$(SIGNET_ENGINE))

.PHONY: signet-engine
signet-engine: $(SIGNET_ENGINE)

$(SIGNET_ENGINE): $(SIGNET_ENGINE_OBJECTS) $(SIGNET_CATALOGUE_LIB) $(SIGNET_CLIENT_LIB) $(SIGNET_ENGINE_DIR)/signet.map
	@mkdir -p $(@D)
	$(CC) $(SIGNET_ENGINE_LDFLAGS) -o $@ $(SIGNET_ENGINE_OBJECTS) $(SIGNET_CATALOGUE_LIB) $(SIGNET_CLIENT_LIBS) -lcrypto

$(SIGNET_ENGINE_OUT)/%.o: $(SIGNET_ENGINE_DIR)/%.c $(SIGNET_ENGINE_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(SIGNET_CFLAGS) $(SIGNET_ENGINE_CFLAGS) -c -o $@ $<

$(SIGNET_ENGINE_OUT)/%.o: $(SIGNET_WAIT_DIR)/%.c $(SIGNET_ENGINE_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(SIGNET_CFLAGS) $(SIGNET_ENGINE_CFLAGS) -c -o $@ $<
