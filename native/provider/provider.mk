# The OpenSSL provider: build/native/signet.so. May be included by another Makefile (after client.mk, in the project's root), or used
# alone from there:
#   make -f native/provider/provider.mk signet-provider

ifndef SIGNET_CLIENT_LIB
include native/client/client.mk
endif

ifndef SIGNET_CATALOGUE_LIB
include native/catalogue/catalogue.mk
endif
ifndef SIGNET_WAIT_DIR
include $(SIGNET_ROOT)/native/wait/wait.mk
endif

SIGNET_PROVIDER_DIR := $(SIGNET_ROOT)/native/provider
SIGNET_PROVIDER_OUT := $(SIGNET_BUILD)/provider
SIGNET_PROVIDER_SOURCES := $(sort $(wildcard $(SIGNET_PROVIDER_DIR)/*.c)) $(SIGNET_WAIT_SOURCES)
SIGNET_PROVIDER_HEADERS := $(wildcard $(SIGNET_PROVIDER_DIR)/*.h) $(SIGNET_CATALOGUE_HEADERS) $(SIGNET_WAIT_HEADERS) \
  $(SIGNET_CLIENT_DIR)/signet_client.h
SIGNET_PROVIDER_OBJECTS := $(addprefix $(SIGNET_PROVIDER_OUT)/,$(notdir $(SIGNET_PROVIDER_SOURCES:.c=.o)))
SIGNET_PROVIDER_VERSION := $(shell sed -n 's/^  "version": "\(.*\)",/\1/p' $(SIGNET_ROOT)/package.json)
SIGNET_PROVIDER_CFLAGS := -I$(SIGNET_CLIENT_DIR) -I$(SIGNET_CATALOGUE_DIR) $(SIGNET_WAIT_CFLAGS) -DSIGNET_VERSION='"$(SIGNET_PROVIDER_VERSION)"'
# One symbol goes out (signet.map) and none comes in by accident (Bsymbolic). nodelete: the client's thread runs in this file. A
# sanitizer's symbols are in the program.
comma := ,
SIGNET_PROVIDER_LDFLAGS := -shared -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now -Wl,-Bsymbolic $(or $(SIGNET_SANITIZE),-Wl$(comma)-z$(comma)defs) \
  -Wl,--exclude-libs,ALL -Wl,--version-script=$(SIGNET_PROVIDER_DIR)/signet.map

.PHONY: signet-provider
signet-provider: $(SIGNET_BUILD)/signet.so

$(SIGNET_BUILD)/signet.so: $(SIGNET_PROVIDER_OBJECTS) $(SIGNET_CATALOGUE_LIB) $(SIGNET_CLIENT_LIB) $(SIGNET_PROVIDER_DIR)/signet.map
	$(CC) $(SIGNET_PROVIDER_LDFLAGS) -o $@ $(SIGNET_PROVIDER_OBJECTS) $(SIGNET_CATALOGUE_LIB) $(SIGNET_CLIENT_LIBS) -lcrypto

$(SIGNET_PROVIDER_OUT)/%.o: $(SIGNET_PROVIDER_DIR)/%.c $(SIGNET_PROVIDER_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(SIGNET_CFLAGS) $(SIGNET_PROVIDER_CFLAGS) -c -o $@ $<

$(SIGNET_PROVIDER_OUT)/%.o: $(SIGNET_WAIT_DIR)/%.c $(SIGNET_PROVIDER_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(SIGNET_CFLAGS) $(SIGNET_PROVIDER_CFLAGS) -c -o $@ $<
