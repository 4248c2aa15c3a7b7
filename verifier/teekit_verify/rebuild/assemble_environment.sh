#!/bin/sh
# Unpacks Debian packages into one tree: the content of the pinned environment. Both `teekit-verify env build` and the
# flake's build-env run this very script, so they cannot disagree about what the environment is. The packages may be anybody's,
# and the tree's own localedef is run: so it runs in a sandbox, ours or that of Nix, which shows it the packages and the tree.
#
# Usage: assemble_environment.sh TREE < LIST, where LIST has the path of one .deb per line, in unpack order.
set -eu
umask 022
tree=$1
mkdir -p "$tree"

# Without same-permissions, set-user-ID and the like are dropped: the store keeps no such bits, and Nix forbids setting them.
# By way of a file: a pipe would hide that dpkg-deb failed.
archive=$(mktemp)
while IFS= read -r deb; do
    dpkg-deb --fsys-tarfile "$deb" >"$archive"
    tar --extract --file "$archive" --directory "$tree" --keep-directory-symlink --no-same-owner --no-same-permissions
done
rm -f "$archive"
cd "$tree"

# Nothing below may be written through a link of a package: where one has been put in a folder's place, that is no tree of ours.
for place in etc usr usr/bin usr/lib usr/lib/locale usr/share usr/share/i18n var \
    dev home mnt nix opt packages proc root run srv sys tmp var/tmp work; do
    [ ! -L "$place" ] || { echo "a package has a link in the place of the folder $place" >&2; exit 1; }
done
rm -f etc/resolv.conf etc/machine-id etc/hosts etc/passwd etc/group

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

# Build B runs under another locale than build A (the variation `locales`), one that sorts in another order. The tree's own
# localedef makes it, so it is the same wherever the tree is made; LC_ALL=C keeps the host's locales out of it.
if [ -d usr/share/i18n ]; then
    mkdir -p usr/lib/locale
    LC_ALL=C I18NPATH="$PWD/usr/share/i18n" usr/lib64/ld-linux-x86-64.so.2 --library-path "$PWD/usr/lib/x86_64-linux-gnu" \
        usr/bin/localedef --no-archive --inputfile=et_EE --charmap=UTF-8 "$PWD/usr/lib/locale/et_EE.utf8"
fi

# Mount points: the tree is read-only when it is used.
mkdir -p dev home mnt nix opt packages proc root run srv sys tmp var/tmp work

# Nothing reads these, and they are a third of the tree.
rm -rf usr/share/doc usr/share/man usr/share/info usr/share/i18n usr/share/locale usr/share/lintian

# Some folders are shipped closed; the store keeps no modes but executable or not, so they must be readable here.
chmod -R u+rwX,go+rX,go-w .
