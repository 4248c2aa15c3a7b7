#!/bin/sh
# usage: test_local.sh [IMAGE] [OPTION...]     options: teekit-verify local --help
# Boots the image in build/ (or IMAGE) in QEMU, with what it would find in a cloud: its kettle on http://localhost:3001,
# a metadata service on port 8090, dummy TDX quotes on port 8080, its serial console on a socket. Ctrl-C ends all of it.
set -eu
root=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
image=$root/build/tdx-debian.efi
manifest=$root/kettle-artifacts/manifest.json
case ${1-} in
'' | -*)
    [ -f "$image" ] || {
        printf 'error: there is no build/tdx-debian.efi\nhint: build it with: make build\n' >&2
        exit 2
    }
    if [ $# = 0 ]; then
        [ -f "$manifest" ] || "$root/scripts/bundle_kettle.sh" || exit 2
        set -- --manifest "$manifest"
    fi
    set -- "$image" "$@"
    ;;
esac
exec "$root/scripts/teekit-verify" local "$@"
