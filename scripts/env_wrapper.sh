#!/bin/sh
# Runs a command in the pinned build environment. mkosi gets the locked packages and no network, and its files go to build/:
#   scripts/env_wrapper.sh mkosi --force --profile=gcp -I tdx-kettle.conf
#   scripts/env_wrapper.sh bash
# On macOS, and with FORCE_LIMA=1, in a virtual machine made of lima.template.yaml. LIMA_INSTANCE names it.
set -eu
[ $# -gt 0 ] || { printf 'usage: %s COMMAND [ARGUMENT...]\n' "$0" >&2 && exit 2; }
# Known only at the end of a build, so looked at before it.
case ${AZURE_DISK_GIB-} in *[!0-9]* | 0*)
    printf 'error: AZURE_DISK_GIB is %s, no whole number of GiB\nhint: set it like this: AZURE_DISK_GIB=30\n' "$AZURE_DISK_GIB" >&2
    exit 2
    ;;
esac
root=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")

in_lima() {
    name=${LIMA_INSTANCE:-teekit-verify}
    command -v limactl >/dev/null 2>&1 || {
        printf 'error: limactl is not installed\nhint: install Lima (brew install lima), or build on Linux\n' >&2
        exit 2
    }
    # A listing of another machine than the one that was asked for is empty.
    case $(limactl list --format '{{.Status}}' "$name" 2>/dev/null) in
        Running) ;;
        '') limactl create --tty=false --name="$name" --set ".mounts[0].location = \"$root\"" "$root/lima.template.yaml" &&
            limactl start --tty=false "$name" ;;
        *) limactl start --tty=false "$name" ;;
    esac || {
        printf 'error: the virtual machine %s did not start\nhint: look at: limactl list\n' "$name" >&2
        exit 2
    }
    # Of this machine's environment, only what the documentation names goes in.
    set -- "$root/scripts/env_wrapper.sh" "$@"
    for variable in AZURE_DISK_GIB KETTLE_SRC SQLD_FROM TEEKIT_DEBIAN_MIRROR TEEKIT_NPM_REGISTRY TEEKIT_SNAPSHOT_ARCHIVE; do
        eval "value=\${$variable-}"
        # shellcheck disable=SC2154 # eval sets it
        [ -z "$value" ] || set -- "$variable=$value" "$@"
    done
    exec limactl shell --workdir "$root" "$name" env FORCE_LIMA=0 "$@"
}

if [ "${FORCE_LIMA:-0}" = 1 ] || { [ "${FORCE_LIMA:-}" != 0 ] && [ "$(uname -s)" = Darwin ]; }; then
    in_lima "$@"
fi
if [ "$1" = mkosi ]; then
    shift
    exec "$root/scripts/teekit-verify" env mkosi -- "$@"
fi
exec "$root/scripts/teekit-verify" env shell -- "$@"
