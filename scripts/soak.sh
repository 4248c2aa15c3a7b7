#!/bin/sh
# Builds the image with kettles (profile gcp, Debian's kernel) N times while the machine is busy, and compares what comes out
# byte for byte: soak.sh N. Not part of CI: a build takes minutes. SOAK_DIR is where the builds are kept (default: build/soak);
# SOAK_WORKERS how many processes keep the processors busy (default: two for each), half as many keep the disk busy.
# Exit status: 0 all are the same, 1 two differ (both are kept), 2 no answer.
set -eu
root=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
die() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 2
}
case ${1-} in '' | *[!0-9]* | 0* | 1) die "the number of builds is '${1-}', expected 2 or more" "run it like this: $0 12" ;; esac
builds=$1
workers=${SOAK_WORKERS:-$((2 * $(nproc)))}
case $workers in '' | *[!0-9]*) die "SOAK_WORKERS is '$workers', no whole number" "set it like this: SOAK_WORKERS=4" ;; esac
kept=${SOAK_DIR:-$root/build/soak}
artifacts="tdx-debian.efi tdx-debian.tar.gz tdx-debian.manifest"
mkdir -p -- "$kept/load"

busy_processor() { while :; do :; done; }
busy_disk() {
    while :; do
        dd if=/dev/zero of="$kept/load/$1" bs=1M count=256 conv=fsync 2>/dev/null || sleep 1
        rm -f -- "$kept/load/$1"
    done
}

pids=
start_load() {
    number=0
    while [ "$number" -lt "$workers" ]; do
        number=$((number + 1))
        busy_processor &
        pids="$pids $!"
        [ $((number % 2)) = 0 ] || { busy_disk "$number" & pids="$pids $!"; }
    done
}
stop_load() {
    # shellcheck disable=SC2086 # one word for each process
    [ -z "$pids" ] || kill $pids 2>/dev/null || :
    wait
    pids=
    rm -rf -- "$kept/load"
}
trap stop_load EXIT
trap 'exit 130' INT TERM
start_load

number=0
while [ "$number" -lt "$builds" ]; do
    number=$((number + 1))
    started=$(date +%s)
    log=$kept/build-$number.log
    "$root/scripts/env_wrapper.sh" mkosi --force --profile=gcp --profile=debian-kernel -I tdx-kettle.conf build >"$log" 2>&1 </dev/null ||
        die "build $number failed; its output is $log" "read it; a build that fails now and then is a finding, too"
    mkdir -p -- "$kept/$number"
    for artifact in $artifacts; do
        mv -f -- "$root/build/$artifact" "$kept/$number/$artifact" || die "there is no build/$artifact" "read $log"
        cmp -- "$kept/1/$artifact" "$kept/$number/$artifact" || {
            printf 'soak: build %s differs from build 1: %s\n' "$number" "$artifact"
            printf 'hint: run scripts/teekit-verify explain %s %s\n' "$kept/1/$artifact" "$kept/$number/$artifact"
            exit 1
        }
    done
    [ "$number" = 1 ] || rm -rf -- "${kept:?}/$number"
    printf 'soak: build %s of %s: the same, %s s\n' "$number" "$builds" "$(($(date +%s) - started))"
done
printf 'soak: %s builds under load, all artifacts the same\n' "$builds"
for artifact in $artifacts; do sha256sum -- "$kept/1/$artifact"; done
