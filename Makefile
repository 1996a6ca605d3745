# `make` alone lists the targets.
help:
	@echo 'make demo      build carom, relay examples/inbox to loopback peers, show what happened'
	@echo 'make test      install what the tests need (as root), then run every check'
	@echo 'make fuzz      fuzz every reader for a minute each (SECONDS_EACH=60), with cargo-fuzz'
	@echo 'make dist      build target/dist/carom, the static binary that packages ship'
	@echo 'make bench     measure what it costs, as ratios'
	@echo 'make policies  rebuild the shipped policies (policies/dist) from their sources'
	@echo 'make rules     show what each rule of the bounce policy is good for (JSON=--json: by rule)'
	@echo 'make examples  build and test the example policies in Rust, C, JavaScript and Python'

demo: build-tools
	cargo build --profile demo
	cargo run --profile demo --quiet --example demo

test: test-tools guest-tools
	cargo fmt --check
	cargo build --release
	cargo test --release
	cargo clippy --release --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --release --no-deps --document-private-items

# Builds most of carom again, for fuzzing; see tests/fuzz.
fuzz: build-tools
	tests/fuzz/run.sh

# About twice the time of a release build.
dist: build-tools
	packaging/dist.sh

bench: dist
	cargo bench --bench run

policies:
	policies/build.sh

rules:
	cd policies && cargo run --quiet --release -p bounce --example rules -- $(JSON)

examples: build-tools
	cargo build --release
	examples/policies/test.sh

# A C compiler for SQLite and ring; Postfix and procps for the tests. What is missing is installed,
# as root, on Debian.
build-tools:
	@command -v cc >/dev/null || $(MAKE) --no-print-directory install PACKAGES='gcc libc6-dev'

test-tools: build-tools
	@test -x /usr/sbin/postfix && command -v pkill >/dev/null && command -v bash >/dev/null \
		|| $(MAKE) --no-print-directory install PACKAGES='postfix procps bash'

# The guide builds a policy in Rust, with rustup's target or with Debian's Rust and its sources.
guest-tools:
	@test -d "$$(rustc --print target-libdir --target wasm32-unknown-unknown 2>/dev/null)" \
		|| rustup target add wasm32-unknown-unknown 2>/dev/null \
		|| test -d /usr/lib/rustlib/src -o -d /usr/lib/rust-web/lib/rustlib/src \
		|| $(MAKE) --no-print-directory install PACKAGES='rustc-web cargo-web rust-web-src lld'

install:
	@test "$$(id -u)" = 0 || { echo 'install these packages: $(PACKAGES)'; exit 1; }
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(PACKAGES)

.PHONY: help demo test fuzz dist bench policies rules examples guest-tools build-tools test-tools install
