# The PKCS#11 module: build/native/signet-pkcs11.so. May be included by another Makefile (after client.mk and catalogue.mk, in the
# project's root), or used alone from there:
#   make -f native/pkcs11/pkcs11.mk signet-pkcs11

ifndef SIGNET_CLIENT_LIB
include native/client/client.mk
endif
ifndef SIGNET_CATALOGUE_LIB
include native/catalogue/catalogue.mk
endif

comma := ,
SIGNET_PKCS11_DIR := $(SIGNET_ROOT)/native/pkcs11
SIGNET_PKCS11_OUT := $(SIGNET_BUILD)/pkcs11
SIGNET_PKCS11_SOURCES := $(sort $(wildcard $(SIGNET_PKCS11_DIR)/*.c))
SIGNET_PKCS11_HEADERS := $(wildcard $(SIGNET_PKCS11_DIR)/*.h $(SIGNET_PKCS11_DIR)/*.def) $(SIGNET_CATALOGUE_HEADERS) \
  $(SIGNET_CLIENT_DIR)/signet_client.h $(SIGNET_GENERATED)
SIGNET_PKCS11_OBJECTS := $(SIGNET_PKCS11_SOURCES:$(SIGNET_PKCS11_DIR)/%.c=$(SIGNET_PKCS11_OUT)/%.o)
SIGNET_PKCS11_VERSION := $(shell sed -n 's/^  "version": "\(.*\)",/\1/p' $(SIGNET_ROOT)/package.json)
# p11-kit's copy of pkcs11.h is a header only; the module does not link p11-kit.
SIGNET_PKCS11_CFLAGS := -isystem /usr/include/p11-kit-1 -I$(SIGNET_PKCS11_DIR) -I$(SIGNET_CATALOGUE_DIR) -I$(SIGNET_CLIENT_DIR) \
  -I$(SIGNET_CLIENT_OUT) -DSIGNET_VERSION='"$(SIGNET_PKCS11_VERSION)"'
# Three symbols go out (signet.map) and none comes in by accident (Bsymbolic). nodelete: the fork handlers are in this file. A
# sanitizer's symbols are in the program.
SIGNET_PKCS11_LDFLAGS := -shared -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now -Wl,-Bsymbolic $(or $(SIGNET_SANITIZE),-Wl$(comma)-z$(comma)defs) \
  -Wl,--exclude-libs,ALL -Wl,--version-script=$(SIGNET_PKCS11_DIR)/signet.map

.PHONY: signet-pkcs11
signet-pkcs11: $(SIGNET_BUILD)/signet-pkcs11.so

$(SIGNET_BUILD)/signet-pkcs11.so: $(SIGNET_PKCS11_OBJECTS) $(SIGNET_CATALOGUE_LIB) $(SIGNET_CLIENT_LIB) $(SIGNET_PKCS11_DIR)/signet.map
	$(CC) $(SIGNET_PKCS11_LDFLAGS) -o $@ $(SIGNET_PKCS11_OBJECTS) $(SIGNET_CATALOGUE_LIB) $(SIGNET_CLIENT_LIBS) -lcrypto

$(SIGNET_PKCS11_OUT)/%.o: $(SIGNET_PKCS11_DIR)/%.c $(SIGNET_PKCS11_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(SIGNET_CFLAGS) $(SIGNET_PKCS11_CFLAGS) -c -o $@ $<
