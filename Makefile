# Wherry. `make help` lists the targets. `make demo` and `make test` do all the set-up they need.

SHELL := /bin/bash
BIN   := node_modules/.bin
NODE_BINS := dist/agent/main.js dist/agent/local/main.js dist/fleet/main.js dist/images/cli/main.js dist/provisioning/main.js

.DEFAULT_GOAL := help
.PHONY: help setup setup-test setup-lab all all-armhf ts check test test-peer test-fault test-lab lab-shell bench fuzz demo bundle man completion deb docs format install clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  \1|\2/' | column -t -s '|'

setup: ## Install the Debian and npm packages that building and running need
	@./setup.sh $(if $(CROSS),cross)

setup-test: ## As setup, and the peers that the tests run against
	@./setup.sh test

setup-lab: setup ts ## Install and build the emulated ARM device, and what runs in it: ten minutes the first time
	@./setup.sh lab
	@$(MAKE) --no-print-directory bundle ARCH=arm64
	@node dist/test/lab/device/main.js build arm64
ifeq ($(LAB),full)
	@$(MAKE) --no-print-directory native ARCH=armhf
	@node dist/test/lab/device/main.js build armhf
endif

all: setup ts native ## Build everything: dist/ and build/<machine>/; for a device: make all ARCH=arm64 or armhf

all-armhf: ## As `make all ARCH=armhf`
	@$(MAKE) --no-print-directory all ARCH=armhf

ts:
	@$(BIN)/tsc
	@chmod +x $(NODE_BINS)

include native/native.mk
native: | setup
ts: | setup

check: setup-test ts ## Format, lint, types, import table (what a change must pass)
	@$(BIN)/biome ci --error-on-warnings .
	@clang-format --dry-run -Werror $$(git ls-files 'native/*.c' 'native/*.h' 'test/native/*.c')
	@node dist/test/kit/suite.js tidy

test: setup-test ts native ## The fast suites: every room, no network but loopback, under a minute or two
	@node dist/test/kit/suite.js fast

test-peer: setup-test ts native ## Against real peers: registries, brokers, image tools, packages; PEER=full: RabbitMQ too
	@node dist/test/kit/suite.js peer

test-fault: setup-test ts native ## Kills, full disks, cut links
	@node dist/test/kit/suite.js fault

test-lab: setup-test setup-lab native ## Whole devices, in namespaces and emulated on ARM; LAB=full: also 128 MB, 32 bits, all native tests
	@node dist/test/kit/suite.js lab

lab-shell: setup-lab ## A shell on an emulated ARM device: make lab-shell LAB_ARGS="--memory 128 --share ."
	@node dist/test/lab/device/main.js shell $(LAB_ARGS)

bench: setup-test bundle ## The figures of docs/limits.md, with the commands that made them
	@node dist/test/bench/main.js

fuzz: setup-test native ## Fuzz the parsers that read hostile bytes: make fuzz FUZZ_SECONDS=60
	@test/native/fuzz/run.sh $(or $(FUZZ_SECONDS),60)

demo: setup ts native ## The whole product at work, told as a story; needs root; leaves nothing behind
	@node dist/test/demo/main.js

bundle: setup ts native ## What a device needs, as one archive: build/<machine>/wherry-device.tar.gz
	@node dist/provisioning/host/bundle.js $(NATIVE_OUT)

man: setup ts ## The manual's pages: build/man
	@node dist/provisioning/host/write-pages.js man build/man

completion: setup ts ## Completion for bash, zsh and fish: build/completion
	@node dist/provisioning/host/write-pages.js completion build/completion

deb: setup ts native ## Debian packages in build/deb; ARCH=arm64|armhf
	@node dist/provisioning/host/deb.js $(NATIVE_OUT) build/deb

docs: ts ## Write docs/errors.md and NOTICES.md from the code and the lock file
	@node dist/test/kit/errors-page.js > docs/errors.md
	@node dist/test/kit/notices-page.js > NOTICES.md

format: setup-test ## Format all sources in place
	@$(BIN)/biome check --write .
	@clang-format -i $$(git ls-files 'native/*.c' 'native/*.h' 'test/native/*.c')

PREFIX ?= /usr/local
install: all ## Put the programs on the PATH: PREFIX/bin, native ones in /usr/lib/wherry
	@install -d $(PREFIX)/bin /usr/lib/wherry
	@install -m 755 $(addprefix $(NATIVE_OUT)/,$(PROGRAMS)) /usr/lib/wherry/
	@ln -sf $(CURDIR)/dist/agent/main.js $(PREFIX)/bin/wherryd
	@ln -sf $(CURDIR)/dist/agent/local/main.js $(PREFIX)/bin/wherry
	@ln -sf $(CURDIR)/dist/fleet/main.js $(PREFIX)/bin/wherry-fleet
	@ln -sf $(CURDIR)/dist/images/cli/main.js $(PREFIX)/bin/wherry-image
	@ln -sf $(CURDIR)/dist/provisioning/main.js $(PREFIX)/bin/wherry-provision

clean: ## Remove what was built (node_modules stays)
	@rm -rf dist build
