#!/bin/sh
# Bundles the demo app and the runtime of kettles into kettle-artifacts/, byte for byte as the image's build does, with the
# manifest that names the app. KETTLE_SRC=DIR bundles the app of that folder (app.ts or app.js) instead.
# Exit status: 0 kettle-artifacts/ is complete, 2 it is not (and why).
set -eu
[ $# = 0 ] || { printf 'usage: [KETTLE_SRC=DIR] %s\n' "$0" >&2 && exit 2; }
die() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 2
}
root=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
kettle=$root/mkosi/mkosi.images/tdx-kettle/kettle

if ! "$root/scripts/setup_python.sh" --check; then
    [ -n "${TEEKIT_NO_SETUP-}" ] || "$root/scripts/setup_deps.sh" || exit 2
    "$root/scripts/setup_python.sh" || exit 2
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/bundle_kettle.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

"$root/.venv/bin/python3" -I "$root/scripts/npm_program.py" @esbuild/linux-x64 bin/esbuild "$work/esbuild" || exit 2
"$kettle/bundle" "${KETTLE_SRC:-$kettle/demo}" "$work/out" "$work/esbuild" || exit 2
# As much as the guest takes: MOST_BYTES in teekit_guest/app.py.
[ "$(stat -c %s "$work/out/app.js")" -le 67108864 ] ||
    die "the bundled app is larger than 64 MiB, and no kettle would start it" "leave out of it what it can load when it runs"
{ rm -rf "$root/kettle-artifacts" && mkdir "$root/kettle-artifacts" && cp -- "$work"/out/* "$root/kettle-artifacts/"; } ||
    die "kettle-artifacts/ could not be written" "see that $root is writable, with space left"
printf 'kettle-artifacts/manifest.json: '
cat "$root/kettle-artifacts/manifest.json"
# The image has its own app, and this one has to come from somewhere.
[ -z "${KETTLE_SRC-}" ] || printf 'to run it here: scripts/test_local.sh --app kettle-artifacts/app.js\n'
