# The reader of the catalogue file (keys.proto), for the faces that name keys by label: build/native/libsignet_catalogue.a.
# May be included by another Makefile, after client.mk.

ifndef SIGNET_CLIENT_LIB
include native/client/client.mk
endif

SIGNET_CATALOGUE_DIR := $(SIGNET_ROOT)/native/catalogue
SIGNET_CATALOGUE_OUT := $(SIGNET_BUILD)/catalogue
SIGNET_CATALOGUE_LIB := $(SIGNET_BUILD)/libsignet_catalogue.a
SIGNET_CATALOGUE_SOURCES := $(sort $(wildcard $(SIGNET_CATALOGUE_DIR)/*.c))
SIGNET_CATALOGUE_HEADERS := $(wildcard $(SIGNET_CATALOGUE_DIR)/*.h)
SIGNET_CATALOGUE_GENERATED := $(SIGNET_CATALOGUE_OUT)/signet/v1/keys.pb.h
SIGNET_CATALOGUE_OBJECTS := $(SIGNET_CATALOGUE_SOURCES:$(SIGNET_CATALOGUE_DIR)/%.c=$(SIGNET_CATALOGUE_OUT)/%.o) $(SIGNET_CATALOGUE_OUT)/keys.pb.o
# The generated header includes that of sign.proto, which the client generates.
SIGNET_CATALOGUE_CFLAGS := -I$(SIGNET_CATALOGUE_DIR) -I$(SIGNET_CATALOGUE_OUT) -I$(SIGNET_CLIENT_OUT)

.PHONY: signet-catalogue
signet-catalogue: $(SIGNET_CATALOGUE_LIB)

$(SIGNET_CATALOGUE_LIB): $(SIGNET_CATALOGUE_OBJECTS)
	rm -f $@
	$(AR) rcs $@ $^

$(SIGNET_CATALOGUE_OUT)/%.o: $(SIGNET_CATALOGUE_DIR)/%.c $(SIGNET_CATALOGUE_HEADERS) $(SIGNET_CATALOGUE_GENERATED)
	@mkdir -p $(@D)
	$(CC) $(SIGNET_CFLAGS) $(SIGNET_CATALOGUE_CFLAGS) -c -o $@ $<

$(SIGNET_CATALOGUE_OUT)/keys.pb.o: $(SIGNET_CATALOGUE_GENERATED)
	$(CC) $(SIGNET_CFLAGS) $(SIGNET_CATALOGUE_CFLAGS) -c -o $@ $(SIGNET_CATALOGUE_OUT)/signet/v1/keys.pb.c

# The plugin is named by its path, as in client.mk.
$(SIGNET_CATALOGUE_GENERATED): $(SIGNET_ROOT)/proto/signet/v1/keys.proto $(SIGNET_CATALOGUE_DIR)/catalogue.options $(SIGNET_GENERATED)
	@mkdir -p $(SIGNET_CATALOGUE_OUT)
	protoc -I$(SIGNET_ROOT)/proto --plugin=protoc-gen-nanopb=/usr/bin/protoc-gen-nanopb \
	  --nanopb_opt="-f$(SIGNET_CATALOGUE_DIR)/catalogue.options" --nanopb_out=$(SIGNET_CATALOGUE_OUT) $<
