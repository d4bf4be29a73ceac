# What a developer or a curious stranger types. Each target does its own set-up on Debian or Ubuntu with cargo.

.DEFAULT_GOAL := help
.PHONY: help demo test quick-test build lint bench completions docs install uninstall deb tarball image package-test

# Builders and daemons of one's own need root, so without it the compiled tests are run through sudo.
AS_ROOT := $(shell test "$$(id -u)" = 0 || echo "--config 'target.\"cfg(unix)\".runner=[\"sudo\",\"-E\"]'")

TARGET := $(or $(CARGO_TARGET_DIR),target)

# Tests wait for daemons and builders half of their time: two for each core keep it busy.
RUST_TEST_THREADS ?= $(shell echo $$((2 * $$(nproc))))
export RUST_TEST_THREADS

# Where `make install` puts things: for everybody as root, else for you. DESTDIR goes before it.
PREFIX ?= $(shell test "$$(id -u)" = 0 && echo /usr/local || echo "$$HOME/.local")
export PREFIX DESTDIR

# How packages are compiled: see CONTRIBUTING.md.
PROFILE ?= dist
export PROFILE

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## Build acrt and watch it rebuild two images when their base moves
	tests/packages.sh demo
	cargo build --profile demo --locked
	tests/demo.sh $(TARGET)/demo/acrt

test: ## Run all tests, against a real registry and real builders
	tests/packages.sh test
	cargo test --locked --tests $(AS_ROOT)

quick-test: ## Run the tests that need no registry, no builder and no root
	cargo test --locked --lib --test architecture --test dockerfile --test docs --test package --test reference

build: ## Build target/release/acrt
	cargo build --release --locked

lint: ## Check format and warnings
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings

bench: ## Measure, and print figures
	cargo bench --locked --bench watch

completions: ## Write the completion scripts anew
	cargo build --locked
	$(TARGET)/debug/acrt completion bash > completions/acrt.bash
	$(TARGET)/debug/acrt completion zsh > completions/_acrt
	$(TARGET)/debug/acrt completion fish > completions/acrt.fish
	$(TARGET)/debug/acrt completion powershell > completions/_acrt.ps1
	$(TARGET)/debug/acrt completion elvish > completions/acrt.elv

docs: ## Write docs/reference and docs/man anew
	cargo run --locked --example reference

# root under sudo may have no cargo, and needs none after `make build`.
install: ## Put acrt, man pages, completions and units below PREFIX
	! command -v cargo >/dev/null || cargo build --release --locked
	packaging/install.sh $(TARGET)/release/acrt

uninstall: ## Take away what `make install` put there
	packaging/install.sh -u $(TARGET)/release/acrt

deb: ## Make a package for Debian and Ubuntu in target/package
	tests/packages.sh package
	packaging/deb.sh

tarball: ## Make an archive for other systems in target/package
	tests/packages.sh package
	packaging/tarball.sh

image: ## Make a container image with acrt and buildah
	tests/packages.sh image
	packaging/image.sh

package-test: ## Try the package in clean systems of Debian 12 and 13
	tests/packages.sh clean-systems
	tests/package.sh
