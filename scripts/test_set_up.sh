#!/bin/sh
# In a bare system (scripts/in_root.sh trixie scripts/test_set_up.sh): both set-ups, as a new user meets them, the commands
# that need nothing but Python, and then every check and the unit tests. No test may be skipped there.
# Other arguments go to pytest.
set -eu
cd -- "$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")"

say() { printf 'set-up: %s\n' "$*"; }
fail() { say "FAILED: $*" && exit 1; }

say "the first command, which needs only Python"
scripts/teekit-verify --version
[ -z "$(command -v nix)" ] || fail "it installed nix, which it does not need"
say "the steps of Containerfile"
scripts/test_container.sh
rm -rf /opt/teekit-verify
say "what a rebuild needs"
scripts/setup_deps.sh
scripts/teekit-verify doctor || say "it says what this system cannot do"
say "what the tests need"
scripts/setup_deps.sh --tests
for unit in nginx.service certbot.timer pesign.service; do
    for link in /etc/systemd/system/*.wants/"$unit"; do
        [ ! -h "$link" ] || fail "$unit is enabled"
    done
done
[ ! -e /usr/sbin/policy-rc.d ] || fail "policy-rc.d was left"
CI=true TEEKIT_NO_SKIPS=yes exec scripts/test.sh --fast --no-cov tests/unit "$@"
