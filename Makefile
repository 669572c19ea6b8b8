# Signet. `make` alone lists what there is.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
# `make V=1` shows every command.
ifndef V
.SILENT:
endif

export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

# npm writes this file last, so it is older than the lock file until an installation has succeeded.
npm := node_modules/.package-lock.json
sources := $(shell find src -name '*.ts' -not -path 'src/gen/*' -not -name '*.test.ts')
protos := $(shell find proto -name '*.proto')

##   make demo         NGINX answers HTTPS with keys that exist only in a token; ONCE=1 ends after the handshakes
.PHONY: demo
demo: packages-run build
	exec scripts/demo $(if $(ONCE),--once)

##   make build        everything that the demo and the service need
.PHONY: build
build: node_modules dist native

##   make test         all quick suites; ends with "N passed, N failed"; ONLY=word[,word] picks suites by name
.PHONY: test
test: packages-test build tap
	exec node --import=tsx scripts/run-tests.ts quick $(ONLY)

##   make test-long    fuzzers and soaks
.PHONY: test-long
test-long: packages-long build tap
	exec node --import=tsx scripts/run-tests.ts long $(ONLY)

##   make soak         the goals of docs/reliability.md at their own length; FOR=minutes for each, ONLY=L1,F4 picks goals
.PHONY: soak
soak: packages-test build tap
	status=0; SIGNET_SOAK_MINUTES=$(or $(FOR),0) node --import=tsx scripts/run-tests.ts soak $(ONLY) || status=$$?; \
	$(MAKE) reliability; exit $$status

##   make reliability  brings docs/reliability.md up to date with what the tests measured last
.PHONY: reliability
reliability: node_modules
	node --import=tsx scripts/reliability-report.ts build/reliability docs/reliability

##   make bench        speed against the token itself and against peers, in about 20 minutes; QUICK=1 in 3; GATE=1 judges it
.PHONY: bench
bench: packages-bench build
	exec ./bench/run

##   make lint         Biome, buf lint, clang-format, our own rules; changes nothing
.PHONY: lint
lint: packages-test generate
	biome check .
	buf lint
	buf breaking --against proto/baseline.binpb
	scripts/format-c --check
	tsc -p tsconfig.json --noEmit
	node --import=tsx scripts/check-style.ts

##   make format       brings the sources into shape
.PHONY: format
format: packages-test node_modules
	biome check --write .
	buf format --write
	scripts/format-c

##   make baseline     takes the contract as it is now for what `buf breaking` compares with
.PHONY: baseline
baseline: node_modules
	buf build -o proto/baseline.binpb

##   make setup        installs what is missing: Debian packages and node modules
.PHONY: setup
setup: packages-test node_modules

##   make clean        removes what was made; node_modules stays
.PHONY: clean
clean:
	rm -rf build dist src/gen .tap

.PHONY: help
help:
	echo 'Signet: TLS keys stay in the HSM. First look: make demo'
	sed -n 's/^## //p' $(MAKEFILE_LIST)

# ---- what the targets above are made of

.PHONY: packages-run packages-test packages-long packages-bench
packages-run:
	scripts/install-packages run build
packages-test:
	scripts/install-packages run build test
packages-long:
	scripts/install-packages run build test long
packages-bench:
	scripts/install-packages run build test bench

.PHONY: node_modules
node_modules: $(npm)
$(npm): package-lock.json | packages-run
	scripts/install-node-modules
	touch $@

.PHONY: generate
generate: src/gen/.stamp
src/gen/.stamp: $(protos) buf.yaml buf.gen.yaml $(npm)
	echo 'generating src/gen from proto'
	buf generate
	touch $@

.PHONY: dist
dist: dist/.stamp dist/descriptor.binpb
dist/.stamp: $(sources) tsconfig.json tsconfig.build.json src/gen/.stamp $(npm)
	echo 'compiling dist'
	tsc -p tsconfig.build.json
	touch $@

# What gRPC reflection tells of the services.
dist/descriptor.binpb: src/gen/.stamp
	mkdir -p dist
	buf build -o $@

# Each native part brings its own rules; they build into $(BUILD).
BUILD := build
SIGNET_BUILD := $(BUILD)/native
include $(wildcard native/*/*.mk)
# When it is used: whether there is an engine to build is known then.
native_products = $(BUILD)/signet_addon.node $(SIGNET_BUILD)/signet.so $(SIGNET_BUILD)/signet_async.so $(SIGNET_BUILD)/signet-pkcs11.so \
  $(SIGNET_ENGINE_PRODUCT)
.PHONY: native
native: $(npm)
	$(MAKE) --question --silent $(native_products) || { echo 'compiling native'; $(MAKE) $(native_products); }

# The test runner with the plugins of .taprc; without this `tap` loads its own TypeScript, which cannot read ours.
.PHONY: tap
tap: .tap/plugins/package.json
.tap/plugins/package.json: .taprc $(npm)
	echo 'building the test runner'
	tap build
	touch $@
