# Two commands matter: `make demo` shows Vigie at work, `make test` tests it. Both fetch and verify what they need
# into .cache/ the first time (see tools/bootstrap); `make` alone lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory --no-builtin-rules
.DEFAULT_GOAL := help

root := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
target := $(if $(CARGO_TARGET_DIR),$(abspath $(CARGO_TARGET_DIR)),$(root)/target)
# rustup's own folder, for an environment whose PATH was emptied.
export PATH := $(PATH):$(HOME)/.cargo/bin

PREFIX  ?= /usr
DESTDIR ?=
# More words for the command: make demo ARGS="--port 9000", make test ARGS="console::".
ARGS ?=
# More words for cargo, e.g. CARGO_FLAGS=--locked.
CARGO_FLAGS ?=

.PHONY: help demo test test-long build check fmt install uninstall clean distclean cargo runtime monitoring

help: ## this list
	@echo "Vigie, a lookout for live streams. In this folder:"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' "$(root)/Makefile" | while IFS='|' read -r a b; do printf '%-18s %s\n' "$$a" "$$b"; done
	@echo 'Words after it: make demo ARGS="--port 9000" · make test ARGS="console::" · make install DESTDIR=/tmp/x PREFIX=/usr'

demo: cargo runtime ## a simulated platform, the daemon and its page; needs no root, nothing else
	@cd "$(root)"; [ -x "$(target)/debug/vigie" ] || echo "vigie: building; the first time takes some minutes, cargo shows how far it is" >&2
	@cd "$(root)" && exec cargo run $(CARGO_FLAGS) -- demo $(ARGS)

test: cargo ## every test; what cannot run here is skipped and said
	@"$(root)/tools/bootstrap" tests
	@cd "$(root)" && source .cache/env && cargo test $(CARGO_FLAGS) $(ARGS)
	@if [ -s "$(root)/.cache/skipped" ]; then sed 's/^VIGIE_SKIPPED/vigie: SKIPPED/' "$(root)/.cache/skipped" >&2; fi

test-long: ## the same with VIGIE_LONG=1: thousands of kills, seeds and mutations; takes hours
	@VIGIE_LONG=1 $(MAKE) test

build: cargo runtime ## the release binary
	@cd "$(root)" && cargo build --release $(CARGO_FLAGS)
	@echo "vigie: $(target)/release/vigie" >&2

check: cargo ## formatting, clippy with warnings as errors, licences and advisories (if cargo-deny is here)
	@cd "$(root)" && cargo fmt --check
	@cd "$(root)" && cargo clippy $(CARGO_FLAGS) --all-targets -- -D warnings
	@cd "$(root)" && if cargo deny --version >/dev/null 2>&1; then \
		cargo deny --log-level error check licenses bans sources; \
		said=$$(cargo deny --log-level error check advisories 2>&1) && echo "$$said" || { \
			grep -q 'failed to fetch advisory database' <<<"$$said" || { echo "$$said" >&2; exit 1; }; \
			echo "vigie: SKIPPED: advisories (their database could not be fetched)" >&2; }; \
	else echo "vigie: SKIPPED: cargo deny (not installed: cargo install cargo-deny --locked)" >&2; fi

fmt: cargo ## format the code
	@cd "$(root)" && cargo fmt

monitoring: ## check alert rules and dashboard with promtool
	@"$(root)/tools/bootstrap" tests
	@cd "$(root)/monitoring" && source ../.cache/env && "$${VIGIE_PROMTOOL:?promtool is not here}" check rules alerts.yml && "$$VIGIE_PROMTOOL" test rules tests.yml

install: ## put the release build (make build) below $(DESTDIR)$(PREFIX) and /etc/vigie
	@[ -x "$(target)/release/vigie" ] || { echo "vigie: error: no release build; run: make build" >&2; exit 1; }
	@[ -f "$(root)/.cache/onnxruntime/libonnxruntime.so.1.32.0" ] || { echo "vigie: error: no ONNX Runtime; run: make build" >&2; exit 1; }
	@"$(root)/packaging/install" "$(DESTDIR)" "$(PREFIX)" "$(target)/release/vigie"

uninstall: ## take it away again; configuration and state stay
	@"$(root)/packaging/install" --remove "$(DESTDIR)" "$(PREFIX)"

clean: cargo ## forget what was built (dependencies stay; `make distclean` takes them and .cache too)
	@cd "$(root)" && cargo clean -p vigie

distclean: cargo
	@cd "$(root)" && cargo clean && rm -rf .cache demo-state

cargo:
	@command -v cargo >/dev/null || { echo "vigie: error: cargo was not found; Rust 1.95 or later is needed: see rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "vigie: error: no C compiler; on Debian: apt-get install gcc" >&2; exit 1; }

runtime:
	@"$(root)/tools/bootstrap" runtime
