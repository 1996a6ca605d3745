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

# A policy that throws: its failure has the text and the line of the exception.
# throws LANGUAGE FILE BEGIN_OF_LINE STATEMENT TEXT; LINE in TEXT is the number of the line.
throws() {
    [ -f "$1/policy.wasm" ] || return 0
    line=$(grep -n "$3" "$1/$2" | head -n 1 | cut -d : -f 1)
    expected=$(printf '%s' "$5" | sed "s/LINE/$line/")
    mkdir "$state/$1"
    for file in "$1"/* "$1"/.[a-z]*; do
        case $file in
            */node_modules | */.venv) ln -s "$PWD/$file" "$state/$file" ;;
            *.wasm) ;;
            *) [ ! -e "$file" ] || cp -RL "$file" "$state/$1/" ;;
        esac
    done
    sed "${line}s/[^ ].*/$4/" "$1/$2" > "$state/$1/$2"
    "$carom" --state "$state" policy build "$state/$1" > "$state/said" 2>&1 &&
        printf 'Subject: x\n\nx\n' > "$state/plain.eml" &&
        "$carom" --state "$state" policy run "$state/$1/policy.wasm" "$state/plain.eml" \
            --sender a@a.example --recipient b@b.example > "$state/said" 2>&1
    if grep -qF "$expected" "$state/said"; then
        echo "$1: an exception is shown: $expected"
    else
        cat "$state/said"
        echo "$1: the exception is not shown: $expected"
        failed=1
    fi
}

for language in ${*:-c javascript python}; do
    case $language in
        c)
            throws c policy.c '^    if (!settings_given' '__builtin_trap(); {' \
                'wasm `unreachable` instruction executed, in exports_decision_decide'
            ;;
        javascript)
            throws javascript policy.js '^    const sender = facts' 'actions.acept();' \
                'TypeError: actions.acept is not a function (decide@policy.js:LINE:'
            ;;
        python)
            throws python policy.py '^        sender = facts' 'actions.acept()' \
                "has no attribute 'acept' (policy.py, line LINE, in decide)"
            ;;
    esac
done
exit $failed
