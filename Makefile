# Wherry. `make help` lists the targets. `make demo` and `make test` do all the set-up they need.

SHELL := /bin/bash
BIN   := node_modules/.bin
NODE_BINS := dist/agent/main.js dist/agent/local/main.js dist/fleet/main.js dist/images/cli/main.js dist/provisioning/main.js

.DEFAULT_GOAL := help
.PHONY: help setup setup-test all ts check test test-peer test-fault test-lab bench fuzz demo bundle docs format install clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  \1|\2/' | column -t -s '|'

setup: ## Install the Debian and npm packages that building and running need
	@./setup.sh

setup-test: ## As setup, and the peers that the tests run against
	@./setup.sh test

all: setup ts native ## Build everything: dist/ and build/<machine>/

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

test-peer: setup-test ts native ## Against real peers: docker-registry, buildah, skopeo, podman, crun
	@node dist/test/kit/suite.js peer

test-fault: setup-test ts native ## Kills, full disks, cut links
	@node dist/test/kit/suite.js fault

test-lab: setup-test ts native ## Whole devices in network namespaces, with fleet and rollout
	@node dist/test/kit/suite.js lab

bench: setup-test bundle ## The figures of docs/limits.md, with the commands that made them
	@node dist/test/bench/main.js

fuzz: setup-test native ## Fuzz the parsers that read hostile bytes: make fuzz SECONDS=60
	@test/native/fuzz/run.sh $(or $(SECONDS_EACH),60)

demo: setup ts native ## The whole product at work, told as a story; needs root; leaves nothing behind
	@node dist/test/demo/main.js

bundle: setup ts native ## What a device needs, as one archive: build/<machine>/wherry-device.tar.gz
	@node dist/provisioning/host/bundle.js $(NATIVE_OUT)

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
