#!/bin/sh
# Sets up what the tests need, then runs every check: style, types, layers, shell scripts, and all tests, those of units with
# branch coverage. --fast leaves out the slow tests, which build and boot images. Other arguments go to pytest.
# Exit status: 0 all passed, 1 (or pytest's own) something failed, 2 the set-up failed.
set -eu
cd -- "$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")"

scripts/setup_deps.sh --tests || exit 2
scripts/setup_python.sh --tests || exit 2
PATH=$PATH:/usr/sbin:/sbin # where Debian keeps root's programs, mkfs and sfdisk among them
export PATH
failed=

# Runs one check; shows its output only when it fails.
check() {
    name=$1 && shift
    if output=$("$@" 2>&1); then
        printf 'check: %s passed\n' "$name"
    else
        printf '%s\ncheck: %s FAILED: %s\n' "$output" "$name" "$*"
        failed="$failed $name"
    fi
}

# The shell scripts of the checkout, told by their first line.
shell_scripts() {
    files=$(git ls-files --cached --others --exclude-standard) || return
    printf '%s\n' "$files" | while IFS= read -r file; do
        first=
        [ ! -f "$file" ] || [ -h "$file" ] || IFS= read -r first <"$file" || :
        case $first in '#!'*/sh | '#!'*/sh\ * | '#!'*bash*) printf '%s\n' "$file" ;; esac
    done
}

shellcheck_all() {
    scripts=$(shell_scripts) || return
    # shellcheck disable=SC2086 # one word for each script; their names have no spaces
    shellcheck $scripts
}

check style .venv/bin/ruff check
check format .venv/bin/ruff format --check
check types .venv/bin/python3 -m mypy
check layers .venv/bin/python3 -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'
check shell shellcheck_all
[ -z "$failed" ] || { printf 'failed before the tests:%s\n' "$failed" && exit 1; }

case ${1-} in
    --fast) shift && set -- -m 'not slow' "$@" ;;
esac
[ $# = 0 ] || exec .venv/bin/python3 -m pytest --cov --durations=10 "$@"

# Side by side, as what builds and boots images has one processor to work with, or waits: the units, the images with kettles, and all
# the other images. The unit tests alone have to cover the code; coverage of the others would only make them slow.
said=$(mktemp -d)
beside=
# shellcheck disable=SC2317 # the trap calls it
stop() {
    trap '' INT TERM HUP
    # shellcheck disable=SC2086 # one word for each process
    [ -z "$beside" ] || { kill -INT $beside 2>/dev/null && wait $beside; } || :
    rm -rf -- "$said"
}
trap stop EXIT
trap 'exit 130' INT TERM HUP

# A shell lets what it starts in the background ignore interrupts.
images() {
    exec env --default-signal=INT .venv/bin/python3 -m pytest --no-cov --durations=10 "$@"
}

images tests/integration/guest >"$said/guest" 2>&1 &
guests=$! beside=$!
images tests/integration --ignore=tests/integration/guest >"$said/others" 2>&1 &
others=$! beside="$beside $!"
unit=0 guest=0 other=0
.venv/bin/python3 -m pytest --cov --cov-fail-under=95 --durations=10 tests/unit || unit=$?
printf 'test: waiting for the tests that build and boot images\n'
wait "$guests" || guest=$?
beside=$others
cat -- "$said/guest"
wait "$others" || other=$?
beside=
cat -- "$said/others"
(exit "$unit") && (exit "$guest") && (exit "$other")
