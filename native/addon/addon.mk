# The N-API addon. Include it from the Makefile at the root, or: make -f native/addon/addon.mk
BUILD ?= build
CC ?= gcc
ADDON_CFLAGS := -std=c11 -O2 -g -Wall -Wextra -Werror -fPIC -fvisibility=hidden -fstack-protector-strong -D_FORTIFY_SOURCE=2
ADDON_LDFLAGS := -shared -Wl,-z,relro,-z,now
# node's own headers, for libuv's: where node-gyp is told to look, beside node, or where node-gyp put them when it built pkcs11js.
ADDON_NODE := $(shell readlink -f "$$(command -v node)")
ADDON_HEADERS := $(patsubst %/uv.h,%,$(firstword $(wildcard $(npm_config_nodedir)/include/node/uv.h \
  $(dir $(ADDON_NODE))../include/node/uv.h $(HOME)/.cache/node-gyp/$(patsubst v%,%,$(shell node --version))/include/node/uv.h)))
# p11-kit's copy of pkcs11.h is a header only; the addon does not link p11-kit.
ADDON_P11 := -isystem /usr/include/p11-kit-1
ADDON_SOURCES := $(wildcard native/addon/*.c native/signer/*.c)

$(BUILD)/signet_addon.node: $(ADDON_SOURCES) $(wildcard native/addon/*.h native/signer/*.h)
	@mkdir -p $(BUILD)
	@test -n "$(ADDON_HEADERS)" || { echo "expected node's headers (uv.h) beside node or where npm_config_nodedir says; none are there: install them" >&2; exit 1; }
	$(CC) $(ADDON_CFLAGS) -isystem $(ADDON_HEADERS) -isystem node_modules/node-api-headers/include $(ADDON_P11) $(CFLAGS) $(ADDON_SOURCES) $(ADDON_LDFLAGS) $(LDFLAGS) -o $@
