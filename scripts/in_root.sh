#!/bin/sh
# Runs a command in a bare Debian of its own, as root and with a copy of this checkout as its working directory:
#   scripts/in_root.sh trixie scripts/test.sh --fast
# debootstrap makes the system; its mirror, name servers, proxies and trusted certificates are the host's. It is removed at
# the end, unless TEEKIT_ROOT names a folder to keep it in, where it serves again.
# Exit status: the command's; 2 where there is no such Debian to be had.
set -eu
checkout=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")

die() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 2
}

[ $# -ge 2 ] || die "no suite and command" "run it like this: $0 trixie scripts/test.sh --fast"
[ "$(id -u)" = 0 ] || die "only root can make a Debian of its own" "run this as root"
suite=$1 && shift
unset TMPDIR # of this host: what runs in there has no such folder
. "$checkout/scripts/scratch.sh"
[ -n "${TEEKIT_ROOT-}" ] || take_scratch
folder=${TEEKIT_ROOT:-$scratch}
# Nothing is mounted there: the mounts below are in a namespace that ends with the command.
[ -n "${TEEKIT_ROOT-}" ] || trap 'rm -rf --one-file-system -- "$folder"' EXIT
trap stop INT TERM HUP
inside=
# shellcheck disable=SC2317 # the trap calls it
stop() {
    trap '' INT TERM HUP
    # The first process of the namespace, and so all of them, end with it; unshare itself would wait for them on a milder signal.
    [ -z "$inside" ] || { kill -KILL "$inside" && wait "$inside"; } 2>/dev/null || :
    exit 130
}

# The Debian mirror of the host's own apt, or nothing.
host_mirror() {
    # shellcheck disable=SC2016 # apt's placeholders
    targets=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 2>/dev/null) || :
    for target in $targets; do
        case $target in http:* | https:*) printf '%s\n' "$target" && return ;; esac
    done
}

make_root() {
    command -v debootstrap >/dev/null 2>&1 || {
        apt-get -q update && apt-get -q -y install --no-install-recommends debootstrap
    } >&2 || die "debootstrap cannot be installed" "check the network and the sources in /etc/apt"
    mirror=$(host_mirror)
    # With the host's certificates from the start, for a network that has one of its own.
    debootstrap --variant=minbase --include=ca-certificates "$suite" "$folder" ${mirror:+"$mirror"} >"$folder.log" 2>&1 || {
        tail -n 15 "$folder.log" | sed 's/^/  | /' >&2
        die "debootstrap could not make a Debian $suite; its last lines are above" "check the network, and run this again"
    }
    rm -f -- "$folder.log"
}

# What a program needs to reach the network from this host.
take_network_settings() {
    cp -L /etc/resolv.conf "$folder/etc/resolv.conf"
    cp -L /etc/hosts "$folder/etc/hosts"
    if [ -d /usr/local/share/ca-certificates ]; then
        cp -R /usr/local/share/ca-certificates/. "$folder/usr/local/share/ca-certificates/"
    fi
    chroot "$folder" /usr/sbin/update-ca-certificates >/dev/null 2>&1
    settings=$(apt-config dump)
    printf '%s\n' "$settings" | grep -E '^Acquire::[a-z]+::(Proxy|No-Proxy)' >"$folder/etc/apt/apt.conf.d/95host-proxy" || :
}

take_checkout() {
    rm -rf -- "$folder/checkout"
    git -c safe.directory='*' clone --quiet --no-hardlinks "$checkout" "$folder/checkout"
    git -c safe.directory='*' -C "$checkout" ls-files -z --cached --others --exclude-standard --deduplicate >"$folder/files"
    # A file that is deleted and not committed is still listed.
    tar --create --directory "$checkout" --null --files-from="$folder/files" --ignore-failed-read \
        --file "$folder/files.tar" 2>/dev/null || :
    tar --extract --no-same-owner --directory "$folder/checkout" --file "$folder/files.tar"
    rm -f -- "$folder/files" "$folder/files.tar"
}

# Runs in a mount namespace of its own; "$0" is the new root. A chroot would not do: the kernel makes no user namespaces there.
# shellcheck disable=SC2016
enter='
cd -- "$0" && mount --bind . . && cd -- "$0"
mount -t proc proc proc && mount --rbind /sys sys
# Devices of its own: those of the host may be somebody else'"'"'s work.
mount -t tmpfs -o mode=755,nosuid dev dev && mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts && mount -t tmpfs -o mode=1777 shm dev/shm
mknod -m 666 dev/null c 1 3 && mknod -m 666 dev/zero c 1 5 && mknod -m 666 dev/full c 1 7
mknod -m 666 dev/random c 1 8 && mknod -m 666 dev/urandom c 1 9 && mknod -m 666 dev/tty c 5 0
ln -s pts/ptmx dev/ptmx && ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin && ln -s fd/1 dev/stdout && ln -s fd/2 dev/stderr
mkdir -p .host && pivot_root . .host && cd / && umount -l /.host && rmdir /.host
cd /checkout
# Not the first process itself: to that every orphan becomes a child, and signals do not end it.
status=0 && "$@" || status=$?
exit "$status"
'

[ -e "$folder/etc/debian_version" ] || make_root
chmod 755 "$folder" # it will be "/" to users of all kinds, and mktemp makes it root's alone
take_network_settings
take_checkout
set -- PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 "$@"
for variable in CI TERM http_proxy https_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY PIP_INDEX_URL \
    PIP_CERT SSL_CERT_FILE NODE_EXTRA_CA_CERTS TEEKIT_DEBIAN_MIRROR TEEKIT_NPM_REGISTRY TEEKIT_SNAPSHOT_ARCHIVE; do
    eval "value=\${$variable-}"
    # shellcheck disable=SC2154 # eval sets it
    [ -z "$value" ] || set -- "$variable=$value" "$@"
done
status=0
# In the background, so that a signal to this script is heard at once; with the standard input, which a shell takes from those.
exec 3<&0
unshare --mount --propagation private --pid --fork --kill-child sh -euc "$enter" "$folder" env -i "$@" <&3 3<&- &
inside=$!
wait "$inside" || status=$?
exit "$status"
