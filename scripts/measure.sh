#!/bin/sh
# usage: measure.sh [FILE]
# Predicts the measurements of FILE or of what was built last into build/, the disk rather than the UKI in it, shows them, and
# writes them to build/measurements.json. Exit status: that of teekit-verify measure.
set -eu
root=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
build=$root/build

# A disk is made after its UKI, so it is the newer one of both, and never older than another build's UKI.
newest() {
    newest=
    for ending in efi vhd tar.gz; do
        for file in "$build"/tdx-debian*."$ending"; do
            [ -f "$file" ] || continue
            # shellcheck disable=SC3013 # dash and bash have it
            [ -n "$newest" ] && [ "$newest" -nt "$file" ] || newest=$file
        done
    done
    printf '%s\n' "$newest"
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
