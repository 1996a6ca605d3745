#!/bin/sh
# Builds the example policies and tests each against the same fixtures: carom policy build, carom policy test.
#     examples/policies/test.sh [LANGUAGE…]
# A language whose toolchain is missing is skipped with a message. CAROM is the binary
# [target/release/carom].
set -u
cd "$(dirname "$0")"
carom=${CAROM:-../../target/release/carom}
state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
failed=0
for language in ${*:-rust c javascript python}; do
    case $language in
        javascript) [ -d javascript/node_modules ] || (cd javascript && npm install --silent) >/dev/null 2>&1 ;;
        python) [ -d python/.venv ] || (cd python && python3 -m venv .venv && .venv/bin/pip install -q -r requirements.txt) >/dev/null 2>&1 ;;
    esac
    if "$carom" --state "$state" policy build "$language" >"$state/said" 2>&1; then
        echo "$language: $(tail -n 1 "$state/said")"
        "$carom" --state "$state" policy test "$language/policy.wasm" || failed=1
    elif grep -q 'install' "$state/said"; then
        echo "$language: SKIPPED: $(tail -n 1 "$state/said")"
    else
        cat "$state/said"
        echo "$language: cannot be built"
        failed=1
    fi
done
exit $failed
