# The N-API addon. Include it from the Makefile at the root, or: make -f native/addon/addon.mk
BUILD ?= build
CC ?= gcc
ADDON_CFLAGS := -std=c11 -O2 -g -Wall -Wextra -Werror -fPIC -fvisibility=hidden -fstack-protector-strong -D_FORTIFY_SOURCE=2
ADDON_LDFLAGS := -shared -Wl,-z,relro,-z,now

$(BUILD)/signet_addon.node: native/addon/signet_addon.c
	@mkdir -p $(BUILD)
	$(CC) $(ADDON_CFLAGS) -isystem node_modules/node-api-headers/include $(CFLAGS) $< $(ADDON_LDFLAGS) $(LDFLAGS) -o $@
