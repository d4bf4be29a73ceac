# What a developer or a curious stranger types. Each target does its own set-up on Debian or Ubuntu with cargo.

.DEFAULT_GOAL := help
.PHONY: help demo test build lint bench completions docs install

# Builders and daemons of one's own need root, so without it the compiled tests are run through sudo.
AS_ROOT := $(shell test "$$(id -u)" = 0 || echo "--config 'target.\"cfg(unix)\".runner=[\"sudo\",\"-E\"]'")

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## Build acrt and watch it rebuild two images when their base moves
	tests/packages.sh demo
	cargo build --release --locked
	tests/demo.sh target/release/acrt

test: ## Run all tests, against a real registry and real builders
	tests/packages.sh test
	cargo test --locked $(AS_ROOT)

build: ## Build target/release/acrt
	cargo build --release --locked

lint: ## Check format and warnings
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings

bench: ## Measure, and print figures
	cargo bench --locked --bench watch

completions: ## Write the completion scripts anew
	cargo build --locked
	target/debug/acrt completion bash > completions/acrt.bash
	target/debug/acrt completion zsh > completions/_acrt
	target/debug/acrt completion fish > completions/acrt.fish
	target/debug/acrt completion powershell > completions/_acrt.ps1
	target/debug/acrt completion elvish > completions/acrt.elv

docs: ## Write docs/reference and docs/man anew
	cargo run --locked --example reference

install: ## Put acrt into ~/.cargo/bin
	cargo install --path . --locked
