#!/bin/sh
# The tables and views of examples/clickhouse in ClickHouse's engine (chdb, from PyPI, in a virtual
# environment below target/), with events that carom wrote. The HTTP interface is not part of it:
# `cargo test events::` has an imitation of that.
set -eu
cd "$(dirname "$0")/../.."
home=target/chdb
if [ ! -x "$home/bin/python3" ]; then
    python3 -m venv "$home"
    "$home/bin/pip" install --quiet chdb
fi
exec "$home/bin/python3" tests/clickhouse/run.py "${1-target/debug/carom}"
