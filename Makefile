# Commands for development and installation. On Debian or Ubuntu with cargo, each target installs what it needs.

.DEFAULT_GOAL := help
.PHONY: help demo test quick-test build lint bench completions docs install uninstall deb tarball image package-test

# The tests start builders and daemons, which need root: other users run the compiled tests with sudo.
AS_ROOT := $(shell test "$$(id -u)" = 0 || echo "--config 'target.\"cfg(unix)\".runner=[\"sudo\",\"-E\"]'")

# As in packaging/build.sh, which compiles the program.
TARGET := $(or $(CARGO_TARGET_DIR),$(CARGO_BUILD_TARGET_DIR),target)

# Tests spend half of their time waiting for daemons and builders, so two run for each core.
RUST_TEST_THREADS ?= $(shell echo $$((2 * $$(nproc))))
export RUST_TEST_THREADS

# The prefix of `make install`: /usr/local for root, ~/.local for other users. DESTDIR is prepended to it.
PREFIX ?= $(shell test "$$(id -u)" = 0 && echo /usr/local || echo "$$HOME/.local")
export PREFIX DESTDIR

# The cargo profile of packages: see CONTRIBUTING.md.
PROFILE ?= dist
export PROFILE

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## Build acrt and watch it rebuild two images when their base moves
	tests/packages.sh demo
	acrt=$$(packaging/build.sh demo) && tests/demo.sh "$$acrt"

test: ## Run all tests, against a real registry and real builders
	tests/packages.sh test
	cargo test --locked --tests $(AS_ROOT)

quick-test: ## Run the tests that need no registry, no builder and no root
	cargo test --locked --lib --test architecture --test dockerfile --test docs --test fuzz --test package --test reference

build: ## Build target/release/acrt
	packaging/build.sh release

lint: ## Check format and warnings
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings

bench: ## Run the benchmarks and print the results
	cargo bench --locked --bench watch

completions: ## Regenerate the completion scripts
	acrt=$$(packaging/build.sh dev) && \
	"$$acrt" completion bash > completions/acrt.bash && \
	"$$acrt" completion zsh > completions/_acrt && \
	"$$acrt" completion fish > completions/acrt.fish && \
	"$$acrt" completion powershell > completions/_acrt.ps1 && \
	"$$acrt" completion elvish > completions/acrt.elv

docs: ## Regenerate docs/reference and docs/man
	cargo run --locked --example reference

# Under sudo, root may have no cargo: run `make build` first.
install: ## Install acrt, man pages, completions and units below PREFIX
	acrt="$(TARGET)/release/acrt"; \
	if command -v cargo >/dev/null; then acrt=$$(packaging/build.sh release) || exit; fi; \
	packaging/install.sh "$$acrt"

uninstall: ## Remove what `make install` installed
	packaging/install.sh -u "$(TARGET)/release/acrt"

deb: ## Create a package for Debian and Ubuntu in target/package
	tests/packages.sh package
	packaging/deb.sh

tarball: ## Create an archive for other systems in target/package
	tests/packages.sh package
	packaging/tarball.sh

image: ## Build a container image with acrt and buildah
	tests/packages.sh image
	packaging/image.sh

package-test: ## Test the package in clean systems of Debian 12 and 13
	tests/packages.sh clean-systems
	tests/package.sh
