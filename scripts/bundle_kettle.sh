#!/bin/sh
# Bundles the demo app and the runtime of kettles into kettle-artifacts/, byte for byte as the image's build does, with the
# manifest that names the app. KETTLE_SRC=DIR bundles the app of that folder (app.ts or app.js) instead.
# Exit status: 0 kettle-artifacts/ is complete, 2 it is not (and why).
set -eu
[ $# = 0 ] || { printf 'usage: [KETTLE_SRC=DIR] %s\n' "$0" >&2 && exit 2; }
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
rm -rf "$root/kettle-artifacts"
mkdir -p "$root/kettle-artifacts"
cp -- "$work"/out/* "$root/kettle-artifacts/"
printf 'kettle-artifacts/manifest.json: '
cat "$root/kettle-artifacts/manifest.json"
