#!/bin/sh
# Resolves pyproject.toml into requirements.lock (to run) and requirements-test.lock (to test): exact versions with
# the SHA-256 of every file, for every CPython from 3.11 on, and no addresses, so that any package index serves.
# Needs the program uv. Add --upgrade for newer versions.
set -eu
cd -- "$(dirname -- "$(readlink -f -- "$0")")/.."

# crypt-r has no wheel, and virt-firmware needs it only for what no test calls.
compile() {
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
        --no-emit-package crypt-r --custom-compile-command scripts/lock_python.sh "$@" pyproject.toml
}

compile --output-file requirements.lock --extra tcb "$@"
compile --output-file requirements-test.lock --extra test --constraint requirements.lock "$@"
