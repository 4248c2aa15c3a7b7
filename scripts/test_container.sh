#!/bin/sh
# The steps of Containerfile, carried out in a bare Debian where no container engine is needed:
#   scripts/in_root.sh trixie scripts/test_container.sh
# Then what a stranger does first, as the image's user: --help, quote, measure, and a command that needs a host.
# A step of a kind that is not known here is an error. It writes where Containerfile does, so it is nothing for a system that is in use.
set -eu
cd -- "$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")"

fail() { printf 'container: FAILED: %s\n' "$*" && exit 1; }

user=0:0 folder=/ started='' base=''
# One instruction, its continued lines joined.
step() {
    rest=${1#* }
    case $1 in
        FROM\ *) base=$rest ;;
        RUN\ *) (cd -- "$folder" && sh -euc "$rest") || fail "$1" ;;
        ENV\ *=*) export "${rest?}" ;;
        USER\ *) user=$rest ;;
        WORKDIR\ *) folder=$rest && mkdir -p -- "$folder" ;;
        COPY\ .\ /*) copy "${rest#. }" ;;
        ENTRYPOINT\ \[\"*\"\]) started=${rest#\[\"} && started=${started%\"\]} ;;
        *) fail "no such step is known here: $1" ;;
    esac
}

# All but what .containerignore names, as engines do.
copy() {
    mkdir -p -- "$1"
    while IFS= read -r left_out; do
        case $left_out in
            '**/'*) set -- "$@" --exclude="${left_out#'**/'}" ;;
            *) set -- "$@" --exclude="./$left_out" ;;
        esac
    done <.containerignore
    into=$1 && shift
    tar --create --file /tmp/copied "$@" .
    tar --extract --no-same-owner --directory "$into" --file /tmp/copied
    rm -f /tmp/copied
}

# As the image's user, with an environment of its own.
inside() {
    [ -n "$started" ] || fail "Containerfile names no entry point"
    (cd -- "$folder" && setpriv --reuid "${user%:*}" --regid "${user#*:}" --clear-groups "$started" "$@")
}

joined=$(sed -e '/^#/d' -e ':a' -e '/\\$/N; s/\\\n */ /; ta' Containerfile)
while IFS= read -r line; do
    case $line in '') ;; *) step "$line" ;; esac
done <<EOF
$joined
EOF
case $base in debian:trixie*) ;; *) fail "it is built on $base: adapt the Debian that this is run in" ;; esac
[ "$user" != 0:0 ] || fail "its commands run as root"

assets=$PWD/tests/assets
inside --help >/tmp/said || fail "--help"
grep -q '^Usage: teekit-verify' /tmp/said || fail "--help shows no usage"
status=0
inside quote - <"$assets/eventlogs/gcp-cos113-quote.bin" >/tmp/said || status=$?
[ "$status" = 2 ] || fail "quote ended with $status: without collateral nothing says that the platform is current"
grep -q '^MRTD *dae67181d3d65e073ad8f95b' /tmp/said || fail "quote shows another MRTD than the quote has"
inside replay - <"$assets/eventlogs/gcp-cos113-ccel-data.bin" >/tmp/said || fail "replay"
grep -q '^RTMR1 *sha384 *f62dbc072bd5d3f3438b7b35' /tmp/said || fail "replay shows another RTMR1 than the log leads to"
status=0
inside rebuild >/tmp/said 2>&1 || status=$?
[ "$status" = 2 ] || fail "rebuild, which needs a host, ended with $status"
grep -q '^hint: ' /tmp/said || fail "rebuild does not say what to do: $(cat /tmp/said)"
rm -f /tmp/said
printf 'container: its steps make a program that works\n'
