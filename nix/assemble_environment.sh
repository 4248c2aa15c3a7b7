#!/bin/sh
# Unpacks Debian packages into one tree: the content of the pinned environment. Both `teekit-verify env build` and the
# flake's build-env run this very script, so they cannot disagree about what the environment is.
#
# Usage: assemble_environment.sh TREE < LIST, where LIST has the path of one .deb per line, in unpack order.
set -eu
umask 022
tree=$1
mkdir -p "$tree"

# Without same-permissions, set-user-ID and the like are dropped: the store keeps no such bits, and Nix forbids setting them.
while IFS= read -r deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar --extract --directory "$tree" --keep-directory-symlink --no-same-owner --no-same-permissions
done
cd "$tree"

# No maintainer script runs; these are the few things that scripts would have made and that the tools need.
ln -s gawk usr/bin/awk
: >etc/resolv.conf
: >etc/machine-id
echo '127.0.0.1 localhost' >etc/hosts
cat >etc/passwd <<'PASSWD'
root:x:0:0:root:/root:/bin/bash
_apt:x:42:65534::/nonexistent:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
PASSWD
cat >etc/group <<'GROUP'
root:x:0:
nogroup:x:65534:
GROUP

# Mount points: the tree is read-only when it is used.
mkdir -p dev home mnt nix opt packages proc root run srv sys tmp var/tmp work

# Nothing reads these, and they are a third of the tree.
rm -rf usr/share/doc usr/share/man usr/share/info usr/share/locale usr/share/lintian

# Some folders are shipped closed; the store keeps no modes but executable or not, so they must be readable here.
chmod -R u+rwX,go+rX,go-w .
