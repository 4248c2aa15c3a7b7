#!/bin/sh
# Installs what the host lacks for a rebuild, and with --tests what the tests need as well, as Debian packages; with
# --python only what the Python environment needs. docs/setup.md says what it leaves on the machine.
# Asks nothing, and does nothing when everything is there. Runs as root or through sudo.
# Exit status: 0 everything is there now, 2 something is missing (and why).
set -eu

# What to look for (a program, or a file; patterns allowed) and the package of Debian and Ubuntu that brings it.
for_python='
python3                                          python3
/usr/lib/python3*/ensurepip                      python3-venv
/etc/ssl/certs/ca-certificates.crt               ca-certificates
'
for_rebuild='
nix                                              nix-bin
bwrap                                            bubblewrap
apt-get                                          apt
dpkg-deb                                         dpkg
git                                              git
tar                                              tar
xz                                               xz-utils
zstd                                             zstd
newuidmap                                        uidmap
/usr/share/keyrings/debian-archive-keyring.gpg   debian-archive-keyring
diffoscope                                       diffoscope-minimal
'
for_tests='
qemu-system-x86_64                               qemu-system-x86
qemu-img                                         qemu-utils
/usr/share/OVMF/OVMF_CODE*.fd                    ovmf
swtpm                                            swtpm
swtpm_setup                                      swtpm-tools
tpm2                                             tpm2-tools
mcopy                                            mtools
mkfs.fat                                         dosfstools
mke2fs                                           e2fsprogs
mksquashfs                                       squashfs-tools
mkfs.erofs                                       erofs-utils
mkfs.xfs                                         xfsprogs
mkfs.btrfs                                       btrfs-progs
xorriso                                          xorriso
lz4                                              lz4
lzop                                             lzop
sfdisk                                           fdisk
cpio                                             cpio
objdump                                          binutils
openssl                                          openssl
osslsigncode                                     osslsigncode
sbsign                                           sbsigntool
xxd                                              xxd
pesign                                           pesign
/usr/lib/systemd/systemd-measure                 systemd
/usr/lib/systemd/boot/efi/linuxx64.efi.stub      systemd-boot-efi
shellcheck                                       shellcheck
make                                             make
curl                                             curl
apt-ftparchive                                   apt-utils
dpkg-parsechangelog                              dpkg-dev
gpg                                              gnupg
gpgv                                             gpgv
ssh-keygen                                       openssh-client
nginx                                            nginx
certbot                                          certbot
pebble                                           pebble
nft                                              nftables
ip                                               iproute2
unshare                                          util-linux
npm                                              npm
/usr/share/i18n/locales/et_EE                    locales
'

say() { printf 'setup: %s\n' "$*" >&2; }

die() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 2
}

# Is a program on the PATH (or where root's programs are), or does a file match the pattern?
is_there() {
    case $1 in
        /*)
            # shellcheck disable=SC2086 # a pattern is meant to expand; the first match is enough
            set -- $1
            [ -e "$1" ]
            ;;
        *) PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null 2>&1 ;;
    esac
}

# The packages of a table (standard input) whose file or program is not there.
missing_packages() {
    while read -r wanted package; do
        [ -z "$wanted" ] || is_there "$wanted" || printf '%s ' "$package"
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif [ -n "${NONINTERACTIVE-}" ] || [ ! -t 0 ]; then
        sudo -n "$@"
    else
        sudo "$@"
    fi
}

# The proxies of this shell as assignments, in both spellings: apt-get reads the lower case, what it starts perhaps the other.
proxy_settings() {
    http_proxy=${http_proxy:-${HTTP_PROXY:-${all_proxy:-${ALL_PROXY-}}}}
    https_proxy=${https_proxy:-${HTTPS_PROXY:-${all_proxy:-${ALL_PROXY-}}}}
    all_proxy=${all_proxy:-${ALL_PROXY-}}
    no_proxy=${no_proxy:-${NO_PROXY-}}
    for variable in http_proxy https_proxy all_proxy no_proxy; do
        eval "value=\${$variable}"
        # shellcheck disable=SC2154 # eval sets it
        [ -n "$value" ] || continue
        quoted=$(printf '%s' "$value" | sed "s/'/'\\\\''/g")
        printf "export %s='%s' %s='%s'\n" "$variable" "$quoted" \
            "$(printf '%s' "$variable" | sed y/abcdefghijklmnopqrstuvwxyz/ABCDEFGHIJKLMNOPQRSTUVWXYZ/)" "$quoted"
    done
}

# sudo clears the environment. A proxy may have a password, which sudo would write into its log: so it goes through a file.
# The inner shell opens the log: with this shell's own output led there, so would be what a trap has to say.
apt_get() {
    # shellcheck disable=SC2016 # the inner shell expands it
    as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 sh -c 'exec >>"$1" 2>&1 && . "$0" && shift && exec "$@"' \
        "$proxies" "$log" apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold "$@" </dev/null
}

# Packages for tests bring services (nginx, certbot.timer, pesign), which the tests start themselves. So while packages are
# installed nothing is started that does not run already (policy-rc.d(8)), and what is new is not left enabled.
policy=${DPKG_ROOT-}/usr/sbin/policy-rc.d
policy_mark='# of setup_deps.sh, while it installs'
start_nothing() {
    if [ -e "$policy" ] && ! grep -qxF "$policy_mark" "$policy"; then return 0; fi # the host's own
    cat >"$work/policy" <<END
#!/bin/sh
$policy_mark
[ "\$2" != start ] && systemctl --quiet is-active "\$1" && exit 104
exit 101
END
    as_root install -D -m 0755 "$work/policy" "$policy" || return 0 # then services start; they end up disabled all the same
    policy_is_ours=yes
}

enabled_units() {
    links=$(find "${DPKG_ROOT-}/etc/systemd/system" -path '*.wants/*' -type l 2>/dev/null) || :
    printf '%s\n' "$links" | LC_ALL=C sort -u | sed 's,.*/,,' | LC_ALL=C sort -u
}

# Those of systemd and the rest of the base system stay as Debian has them.
disable_new_units() {
    enabled_units >"$work/units-after"
    grep -vxF -f "$work/units-before" "$work/units-after" >"$work/units-new" || return 0
    while read -r unit; do
        owner=$(dpkg-query --search "*/systemd/system/$unit" 2>/dev/null) || :
        owner=${owner%%[:,]*}
        # shellcheck disable=SC2016 # dpkg-query's placeholder
        case $(dpkg-query --show --showformat '${Priority}' "$owner" 2>/dev/null) in
            required | important | standard) continue ;;
        esac
        as_root systemctl --quiet disable "$unit" >>"$log" 2>&1 </dev/null ||
            say "could not disable $unit, which a package enabled"
    done <"$work/units-new"
}

# apt-get may be at work for minutes: a word twice a minute, for as long as the shell $1 is there, which began at $2 and has the
# log $3. And at once when somebody presses Ctrl-C: what dpkg unpacks, apt-get ends first. The last nap keeps nobody waiting.
# What this shell itself starts hears Ctrl-C too, and may end in the middle of it.
# shellcheck disable=SC2016 # another shell expands it
what_goes_on='
trap "echo \"setup: interrupted: dpkg must not be cut short, so apt-get first ends what it is at\" >&2" INT
naps=0
while kill -0 "$1" 2>/dev/null; do
    sleep 1 >/dev/null 2>&1 || :
    naps=$((naps + 1))
    [ $((naps % 30)) = 0 ] || continue
    line=$(tail -n 1 "$3" 2>/dev/null | cut -c 1-70) && now=$(date +%s) || continue
    echo "setup: $((now - $2)) s: ${line:-apt-get has not said anything yet}" >&2
done
'

interrupted() {
    trap '' INT TERM HUP
    printf 'error: interrupted\nhint: run the same command again to continue\n' >&2
    exit 130
}

clean_up() {
    [ -z "${telling-}" ] || { kill "$telling" && wait "$telling"; } 2>/dev/null || :
    [ -z "${policy_is_ours-}" ] || as_root rm -f "$policy"
    rm -rf "$work"
}

install_packages() {
    by_hand="install these packages yourself and run this again: $*"
    command -v apt-get >/dev/null 2>&1 || die "this host has no apt-get, so it is neither Debian nor Ubuntu" "$by_hand"
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null 2>&1 ||
        die "installing packages needs root, and there is no sudo" "run $0 as root, or $by_hand"
    work=$(mktemp -d "${TMPDIR:-/tmp}/setup_deps.XXXXXX") # for this user's eyes only
    log=$work/log proxies=$work/proxies
    trap clean_up EXIT
    trap interrupted INT TERM HUP
    as_root env true 2>"$log" || {
        sed 's/^/  | /' <"$log" >&2
        die "installing packages needs root, and sudo does not give it to $(id -un)" \
            "run $0 as root or as a user whom sudo lets, or $by_hand"
    }
    proxy_settings >"$proxies"
    say "installing $*"
    started=$(date +%s)
    # A shell lets what it starts in the background ignore Ctrl-C.
    env --default-signal=INT sh -c "$what_goes_on" sh "$$" "$started" "$log" &
    telling=$!
    apt_get update || say "apt-get update did not go well; trying with the package lists that are there"
    enabled_units >"$work/units-before"
    start_nothing
    apt_get install --no-install-recommends "$@" || {
        tail -n 15 "$log" | sed 's/^/  | /' >&2
        die "apt-get could not install the packages; its last lines are above" \
            "check the network and the sources in /etc/apt, and run this again"
    }
    disable_new_units
    say "installed in $(($(date +%s) - started)) s"
}

# Nix without a daemon keeps its store in /nix, which must be the user's, as nix's own single-user installer has it.
own_nix_store() {
    if [ "$(id -u)" = 0 ] || [ -w /nix ] || [ -S /nix/var/nix/daemon-socket/socket ]; then
        return 0
    fi
    if [ -e /nix/store ]; then
        say "the Nix store /nix belongs to another user and no nix daemon runs: an environment that it has can be used," \
            "but none can be made (as root, or with the package nix-setup-systemd, one can)"
        return 0
    fi
    say "making /nix for $(id -un)"
    # Without /nix/var/nix a newer nix would quietly keep its store in the user's home, where /nix/store/... does not exist.
    as_root install -d -m 0755 -o "$(id -u)" -g "$(id -g)" /nix /nix/store /nix/var /nix/var/nix ||
        die "could not make /nix" "run $0 as root, or as a user with sudo"
}

tables=$for_python$for_rebuild
case ${1-} in
    '') ;;
    --tests) tables=$tables$for_tests ;;
    --python) tables=$for_python ;;
    *) die "unknown argument: $1" "run $0, or $0 --tests" ;;
esac

missing=$(printf '%s' "$tables" | missing_packages)
# shellcheck disable=SC2086 # one word for each package
[ -z "$missing" ] || install_packages $missing
still_missing=$(printf '%s' "$tables" | missing_packages)
[ -z "$still_missing" ] || die "still not there after the installation: $still_missing" \
    "see whether they are on the PATH of $(id -un)"
[ "${1-}" = --python ] || own_nix_store
