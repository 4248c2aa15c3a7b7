#!/bin/sh
# Makes the virtual environment .venv with the locked Python packages, each file checked against its digest.
#   setup_python.sh [--tests]           make it, unless it is complete for this lock and this Python
#   setup_python.sh --check [--tests]   only tell whether it is (exit status 0 or 1)
# Where there is no Python for it, scripts/setup_deps.sh --python brings one, unless TEEKIT_NO_SETUP is set.
# A stamp is written last, so a half-made environment is never taken for a complete one.
set -eu
root=$(readlink -f -- "$0")
root=${root%/*/*} # not by dirname: each program that is started here delays every command
venv=$root/.venv
stamp=$venv/complete

die() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 2
}

# What the stamp of a complete environment holds: its interpreter and the digest of its lock.
stamp_for() { readlink -f -- "$venv/bin/python3" && sha256sum <"$1"; }

is_complete() {
    [ -f "$stamp" ] || return 1
    { IFS= read -r interpreter && IFS= read -r digest; } <"$stamp" || return 1
    [ "$interpreter" = "$(readlink -f -- "$venv/bin/python3")" ] || return 1
    for lock in "$@"; do
        [ "$digest" != "$(sha256sum <"$lock")" ] || return 0
    done
    return 1
}

# The first Python that is new enough and can make virtual environments.
find_python() {
    for candidate in python3 /usr/bin/python3; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    return 1
}

get_python() {
    find_python && return
    [ -n "${TEEKIT_NO_SETUP-}" ] || "$root/scripts/setup_deps.sh" --python || exit 2
    find_python || die "no Python 3.11 or newer that can make virtual environments" \
        "install python3 and python3-venv on Debian 12 or newer, or Ubuntu 24.04 or newer"
}

make_environment() {
    python=$(get_python)
    started=$(date +%s)
    printf 'setup: installing the locked Python packages into .venv, which may take minutes\n' >&2
    rm -f -- "$stamp"
    trap 'printf "error: interrupted\nhint: run the same command again to continue\n" >&2 && exit 130' INT
    "$python" -m venv --clear "$venv" >&2
    # Ready-made wheels only: building one would download a build system that no lock covers. Nothing is resolved: the
    # lock is complete, and pip refuses a locked package's own "name[extra]>=1" as soon as an index has a newer one.
    "$venv/bin/python3" -m pip install --quiet --disable-pip-version-check --no-input \
        --no-deps --require-hashes --only-binary :all: --requirement "$1" >"$venv/pip.log" 2>&1 || {
        tail -n 15 "$venv/pip.log" | sed 's/^/  | /' >&2
        die "pip could not install the packages of $1; its last lines are above" \
            "check the network and pip's settings, and run this again"
    }
    # The checkout's own code, by a relative path, so that the checkout can be moved.
    for site in "$venv"/lib/python3*/site-packages; do
        printf '../../../../verifier\n' >"$site/teekit-verify.pth"
        rm -f -- "$site/distutils-precedence.pth" # setuptools', which every start of Python would wait for
    done
    stamp_for "$1" >"$stamp.new"
    mv -- "$stamp.new" "$stamp"
    printf 'setup: Python packages installed in %s s\n' "$(($(date +%s) - started))" >&2
}

check_only=
[ "${1-}" != --check ] || { check_only=yes && shift; }
case ${1-} in
    # What serves the tests also serves to run, so either lock will do.
    '') lock=$root/requirements.lock && also=$root/requirements-test.lock ;;
    --tests) lock=$root/requirements-test.lock && also= ;;
    *) die "unknown argument: $1" "run $0 [--check] [--tests]" ;;
esac

if is_complete "$lock" ${also:+"$also"}; then exit 0; fi
[ -z "$check_only" ] || exit 1
(: >"$venv.lock") 2>/dev/null || die "$root cannot be written to, and .venv belongs there" \
    "make it writable for $(id -un), or use a clone of your own"
exec 9>"$venv.lock"
flock 9 # another first use may be at work
is_complete "$lock" ${also:+"$also"} || make_environment "$lock"
