#!/bin/sh
# Runs a command in the pinned build environment:
#   scripts/env_wrapper.sh mkosi --version
set -eu
[ $# -gt 0 ] || { printf 'usage: %s COMMAND [ARGUMENT...]\n' "$0" >&2 && exit 2; }
exec "$(dirname -- "$(readlink -f -- "$0")")/teekit-verify" env shell -- "$@"
