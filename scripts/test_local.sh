#!/bin/sh
# Boots the image in build/ (or the one that is named) in QEMU, with what it would find in a cloud: its kettle on
# http://localhost:3001, a metadata service on port 8090, dummy TDX quotes on port 8080, its serial console on a socket.
# Ctrl-C ends all of it. Options: teekit-verify local --help.
set -eu
root=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
[ -f "$root/build/tdx-debian.efi" ] || [ $# -gt 0 ] || {
    printf 'error: there is no build/tdx-debian.efi\nhint: build it with: make build\n' >&2
    exit 2
}
[ -f "$root/kettle-artifacts/manifest.json" ] || [ $# -gt 0 ] || "$root/scripts/bundle_kettle.sh"
[ $# -gt 0 ] || cd -- "$root"
exec "$root/scripts/teekit-verify" local "$@"
