#!/bin/sh
# usage: measure.sh [FILE]
# Predicts the measurements of FILE or of what was built last into build/, the disk rather than the UKI in it, shows them, and
# writes them to build/measurements.json. Exit status: that of teekit-verify measure.
set -eu
root=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
build=$root/build

# A disk is made after its UKI, so it is the newer one of both, and never older than another build's UKI.
newest() {
    for ending in .tar.gz .vhd .efi; do
        find "$build" -maxdepth 1 -type f -name "tdx-debian*$ending" -printf '%T@ %p\n' 2>/dev/null
    done | LC_ALL=C sort -s -r -n -k 1,1 | sed -n '1s/^[^ ]* //p'
}

file=${1:-$(newest)}
[ -n "$file" ] || {
    printf 'error: there is no image in build/\nhint: build one with: make build\n' >&2
    exit 2
}
printf 'measuring %s\n' "$file" >&2
mkdir -p "$build"
"$root/scripts/teekit-verify" measure "$file" --json >"$build/.measurements.json.new" || {
    status=$?
    rm -f "$build/.measurements.json.new"
    exit "$status"
}
mv "$build/.measurements.json.new" "$build/measurements.json"
"$root/scripts/teekit-verify" measure "$file"
printf 'written to %s\n' "$build/measurements.json" >&2
