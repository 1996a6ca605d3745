# `make` alone lists the targets.
help:
	@echo 'make demo      build carom, relay examples/inbox to loopback peers, show what happened'
	@echo 'make test      name and install what the tests need (as root), then run every check'
	@echo 'make test-unit run the unit tests; it installs nothing'
	@echo 'make test-sqlcipher'
	@echo '               the same for encrypted databases; it builds OpenSSL, which takes minutes'
	@echo 'make test-page look at every view of the page with a million deliveries, in Chromium'
	@echo 'make torture   kill, lock, fill and damage carom for minutes (MINUTES=3, SEED=1), and count'
	@echo 'make test-cluster'
	@echo '               three hosts and a Redis Cluster: kill -9 and count, for half an hour'
	@echo '               (ROUNDS=20, MESSAGES=600)'
	@echo 'make fuzz      fuzz every reader for a minute each (SECONDS_EACH=60), with cargo-fuzz'
	@echo 'make dist      build target/dist/carom, the static binary that packages ship'
	@echo 'make deb       build target/debian/*.deb'
	@echo 'make rpm       build target/generate-rpm/*.rpm'
	@echo 'make test-packages'
	@echo '               build both, install them in fresh Debian roots with Postfix, use them (as root)'
	@echo 'make test-mtas use the package with Exim and OpenSMTPD, in fresh Debian roots (as root)'
	@echo 'make test-clickhouse'
	@echo '               events in the engine of ClickHouse (chdb, from PyPI, in target/)'
	@echo 'make bench     measure what it costs, as ratios'
	@echo 'make policies  rebuild the shipped policies (policies/dist) from their sources'
	@echo 'make rules     show what each rule of the bounce policy is good for (JSON=--json: by rule)'
	@echo 'make examples  build and test the example policies in Rust, C, JavaScript and Python'

demo: build-tools
	cargo build --profile demo --workspace
	"$${CARGO_TARGET_DIR:-target}/demo/demo"

test: test-tools
	cargo fmt --check
	@for other in examples/demo policies examples/policies/rust tests/fuzz tests/model; do \
		echo "cargo fmt --check, of $$other"; \
		cargo fmt --manifest-path $$other/Cargo.toml --all --check || exit 1; \
	done
	cargo build --release
	cargo test --release
	cargo test --manifest-path tests/model/Cargo.toml
	cargo clippy --release --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --release --no-deps --document-private-items

test-unit:
	cargo test --lib

# Databases that are encrypted: needs perl and a C compiler.
test-sqlcipher: test-tools
	cargo test --features sqlcipher --test carom -- encryption:: privacy:: kept::

# The log of a million deliveries takes minutes to write and to read.
test-page: test-tools
	cargo build --release
	cargo test --release --test carom -- --ignored --exact \
		serve_page::every_view_of_a_million_deliveries_can_be_read_by_everybody

# Tries to break the guarantees of docs/guarantees.md; ROWS=random: only the rows with that word.
torture: build-tools
	cargo build --release
	CAROM_MINUTES=$(MINUTES) CAROM_SEED=$(SEED) CAROM_ROWS='$(ROWS)' \
		cargo test --release --test carom torture:: -- --ignored --exact torture::torture --nocapture

# Three hosts that share a Redis Cluster: masters and hosts are killed, and everything is counted.
test-cluster: test-tools
	cargo build --release
	CAROM_ROUNDS=$(ROUNDS) CAROM_MESSAGES=$(MESSAGES) cargo test --release --test carom -- \
		--ignored --exact shared_cluster::many_messages_and_many_kills --nocapture

# Builds most of carom again, for fuzzing; see tests/fuzz.
fuzz: build-tools
	tests/fuzz/run.sh

# About twice the time of a release build.
dist: build-tools
	packaging/dist.sh

# Checked with lintian by test-packages. The binary is stripped already.
deb: package-tools dist
	packaging/stage.sh
	cargo deb --locked --no-build --no-strip

rpm: package-tools dist
	packaging/stage.sh
	cargo generate-rpm --auto-req no --payload-compress xz

test-packages: proof-tools deb rpm
	tests/packages/run.sh

test-mtas: mtas-tools deb
	tests/mtas/run.sh

test-clickhouse:
	cargo build
	tests/clickhouse/run.sh

bench: dist
	cargo bench --bench run

policies:
	policies/build.sh

rules:
	cd policies && cargo run --quiet --release -p bounce --example rules -- $(JSON)

examples: build-tools
	cargo build --release
	examples/policies/test.sh

# What is missing is named first, and then installed.
build-tools test-tools package-tools proof-tools mtas-tools:
	@tests/tools.sh $(@:-tools=)

.PHONY: help demo test test-unit test-sqlcipher test-page torture fuzz dist deb rpm test-packages test-mtas test-cluster test-clickhouse bench policies rules \
	examples \
	build-tools test-tools package-tools proof-tools mtas-tools
