"""scripts/setup_deps.sh with a stand-in apt-get, which "installs" a package by putting its program on the PATH."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from builders.standins import StandIns

SCRIPT = Path(__file__).parents[3] / "scripts" / "setup_deps.sh"
PRESENT = ["dpkg-deb", "python3", "tar", "xz", "zstd", "newuidmap", "diffoscope"]
INSTALLING = """
[ "$DEBIAN_FRONTEND" = noninteractive ] || exit 7
case " $* " in *" install "*)
    for program in nix bwrap; do ln -sf /bin/true "$(dirname "$0")/$program"; done ;;
esac
"""


@pytest.fixture
def stand_ins(tmp_path: Path) -> StandIns:
    made = StandIns.make(tmp_path / "bin")
    for name in PRESENT:
        made.add(name)
    return made


def test_installs_what_is_missing_and_only_that(stand_ins: StandIns) -> None:
    stand_ins.add("apt-get", INSTALLING)
    result = stand_ins.run(SCRIPT)
    assert result.returncode == 0, result.stderr
    update, install = stand_ins.calls
    assert update.endswith(" update")
    assert install.endswith(" install --no-install-recommends nix-bin bubblewrap")
    assert "-y" in install.split()
    assert "setup: installing nix-bin bubblewrap" in result.stderr
    assert result.stdout == ""


def test_does_nothing_and_says_nothing_when_everything_is_there(stand_ins: StandIns) -> None:
    stand_ins.add("apt-get", INSTALLING)
    stand_ins.run(SCRIPT)
    before = stand_ins.calls
    again = stand_ins.run(SCRIPT)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert stand_ins.calls == before


def test_the_tests_need_more(stand_ins: StandIns) -> None:
    stand_ins.add("apt-get", "exit 0")
    stand_ins.run(SCRIPT, "--tests")
    packages = stand_ins.calls[-1].split()
    assert {"nix-bin", "bubblewrap", "qemu-system-x86", "swtpm", "shellcheck", "mtools"} <= set(packages)


def test_apt_failing_shows_its_last_lines(stand_ins: StandIns) -> None:
    stand_ins.add("apt-get", 'echo "E: Unable to locate package nix-bin" >&2; exit 100')
    result = stand_ins.run(SCRIPT)
    assert result.returncode == 2
    assert "  | E: Unable to locate package nix-bin" in result.stderr
    assert "error: apt-get could not install the packages" in result.stderr
    assert "hint: check the network and the sources in /etc/apt, and run this again" in result.stderr


def test_a_failed_update_alone_does_not_stop_it(stand_ins: StandIns) -> None:
    stand_ins.add("apt-get", 'case " $* " in *" update "*) exit 100 ;; esac\n' + INSTALLING)
    result = stand_ins.run(SCRIPT)
    assert result.returncode == 0, result.stderr
    assert "trying with the package lists that are there" in result.stderr


def test_a_long_installation_says_where_it_is(stand_ins: StandIns, tmp_path: Path) -> None:
    """Its naps take no time here: after its word, and before the first one, apt-get waits until there were 60 more."""
    stand_ins.add("sleep", "")
    naps = f"$(grep -c ^sleep {tmp_path}/calls)"
    stand_ins.add(
        "apt-get",
        INSTALLING + f'case " $* " in *" install "*) echo "Unpacking npm (9.2.0) ..." ;; esac\n'
        f'before={naps}; until [ "{naps}" -gt $((before + 60)) ]; do :; done',
    )
    result = stand_ins.run(SCRIPT)
    assert result.returncode == 0, result.stderr
    assert re.match(r"setup: installing .*\nsetup: \d+ s: apt-get has not said anything yet\n", result.stderr)
    assert re.search(r"^setup: \d+ s: Unpacking npm \(9\.2\.0\) \.\.\.$", result.stderr, re.MULTILINE)


def test_control_c_says_how_to_go_on_and_leaves_nothing(stand_ins: StandIns, tmp_path: Path) -> None:
    """apt-get ends what dpkg is at before it does: the terminal sends it the signal too."""
    stand_ins.add("apt-get", 'case " $* " in *" install "*) kill -INT $PPID; exit 100 ;; esac')
    result = stand_ins.run(SCRIPT)
    assert result.returncode == 130
    assert result.stderr.endswith("error: interrupted\nhint: run the same command again to continue\n")
    assert list((tmp_path / "host/usr/sbin").iterdir()) == []
    assert list(tmp_path.glob("setup_deps.*")) == []


def test_control_c_is_heard_while_apt_ends_its_work(stand_ins: StandIns, tmp_path: Path) -> None:
    """As a terminal sends it: to all of the group. apt-get waits here until the one that tells went on."""
    naps = f"$(grep -c ^sleep {tmp_path}/calls)"
    stand_ins.add("sleep", "")
    stand_ins.add(
        "apt-get",
        f'case " $* " in *" install "*) until [ "{naps}" -gt 0 ]; do :; done; trap "" INT; kill -INT 0\n'
        f'before={naps}; until [ "{naps}" -gt $((before + 2)) ]; do :; done ;; esac',
    )
    result = stand_ins.run("setsid", SCRIPT)
    assert result.returncode == 130
    assert [line for line in result.stderr.splitlines()[1:] if not re.match(r"setup: \d+ s: ", line)] == [
        "setup: interrupted: dpkg must not be cut short, so apt-get first ends what it is at",
        "error: interrupted",
        "hint: run the same command again to continue",
    ]


@pytest.mark.parametrize("hit", ["cut", "date"])
def test_what_tells_outlives_a_ctrl_c_that_ends_what_it_starts(stand_ins: StandIns, tmp_path: Path, hit: str) -> None:
    """The terminal's signal goes to these programs as well. apt-get waits here for two words of the one that tells."""
    stand_ins.add("sleep", "")
    stand_ins.add(hit, f"[ $(grep -c ^sleep {tmp_path}/calls) -lt 20 ] || kill -INT $$; echo 1")
    stand_ins.add(
        "apt-get",
        INSTALLING
        + f'case " $* " in *" install "*)\nuntil [ $(grep -c ^sleep {tmp_path}/calls) -gt 60 ]; do :; done ;; esac',
    )
    result = stand_ins.run(SCRIPT)
    assert result.returncode == 0, result.stderr
    assert not re.search(r"^setup: -", result.stderr, re.MULTILINE)


def test_an_installation_that_brought_nothing_is_an_error(stand_ins: StandIns) -> None:
    stand_ins.add("apt-get", "exit 0")
    result = stand_ins.run(SCRIPT)
    assert result.returncode == 2
    assert "error: still not there after the installation: nix-bin bubblewrap" in result.stderr


def test_a_host_without_apt(stand_ins: StandIns) -> None:
    result = stand_ins.run(SCRIPT)
    assert result.returncode == 2
    assert "error: this host has no apt-get, so it is neither Debian nor Ubuntu" in result.stderr
    assert "hint: install these packages yourself and run this again: nix-bin bubblewrap" in result.stderr


def test_neither_root_nor_sudo(stand_ins: StandIns) -> None:
    stand_ins.set_user(1000)
    stand_ins.add("apt-get", INSTALLING)
    result = stand_ins.run(SCRIPT)
    assert result.returncode == 2
    assert "error: installing packages needs root, and there is no sudo" in result.stderr
    assert stand_ins.calls == []


def test_a_user_installs_through_sudo_without_questions(stand_ins: StandIns) -> None:
    stand_ins.set_user(1000)
    stand_ins.add("apt-get", INSTALLING)
    stand_ins.add("sudo", 'shift; exec "$@"')
    stand_ins.run(SCRIPT)
    sudo_calls = [call for call in stand_ins.calls if call.startswith("sudo")]
    assert sudo_calls[0] == "sudo -n env true"
    assert sudo_calls[1].startswith("sudo -n env DEBIAN_FRONTEND=noninteractive ")
    assert sum(call.endswith("install --no-install-recommends nix-bin bubblewrap") for call in sudo_calls) == 1


def test_a_user_whom_sudo_refuses(stand_ins: StandIns) -> None:
    """Not the network is at fault, and apt-get is not even tried."""
    stand_ins.set_user(1000)
    stand_ins.add("apt-get", INSTALLING)
    stand_ins.add("sudo", 'echo "sudo: a password is required" >&2; exit 1')
    result = stand_ins.run(SCRIPT)
    assert result.returncode == 2
    assert result.stderr.startswith(
        "  | sudo: a password is required\nerror: installing packages needs root, and sudo does not"
    )
    assert "or install these packages yourself and run this again: nix-bin bubblewrap" in result.stderr
    assert stand_ins.calls == ["sudo -n env true"]


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ({"http_proxy": "http://p:1"}, {"http": "http://p:1"}),
        ({"HTTP_PROXY": "http://p:1", "HTTPS_PROXY": "http://q:2"}, {"http": "http://p:1", "https": "http://q:2"}),
        ({"ALL_PROXY": "socks5h://p:1"}, dict.fromkeys(("http", "https", "all"), "socks5h://p:1")),
        ({"https_proxy": "http://u:it's$1@p:1", "NO_PROXY": "a.b"}, {"https": "http://u:it's$1@p:1", "no": "a.b"}),
        ({}, {}),
    ],
)
def test_proxies_pass_through_sudo_in_either_case(
    stand_ins: StandIns, tmp_path: Path, given: dict[str, str], seen: dict[str, str]
) -> None:
    """This sudo clears the environment, as the real one does. Nothing of an address is on a command line, which it logs."""
    stand_ins.set_user(1000)
    stand_ins.add("sudo", 'shift; exec env -i "PATH=$PATH" "$@"')
    stand_ins.add("apt-get", INSTALLING + f"\nenv >{tmp_path}/environment")
    result = stand_ins.run(SCRIPT, **given)
    assert result.returncode == 0, result.stderr
    lines = (tmp_path / "environment").read_text().splitlines()
    found = dict(line.split("=", 1) for line in lines if "_proxy=" in line.lower())
    expected = {f"{name}_proxy": value for name, value in seen.items()}
    assert found == expected | {name.upper(): value for name, value in expected.items()}
    assert not any(value in call for value in given.values() for call in stand_ins.calls)
    assert list(tmp_path.glob("setup_deps.*")) == []


SERVICES = """
case " $* " in *" install "*)
    units="$DPKG_ROOT/etc/systemd/system/multi-user.target.wants"
    mkdir -p "$units"
    ln -sf /x "$units/nginx.service"; ln -sf /x "$units/getty.service"
    "$DPKG_ROOT/usr/sbin/policy-rc.d" nginx.service start; echo "start: $?" >>"$DPKG_ROOT/policy"
    "$DPKG_ROOT/usr/sbin/policy-rc.d" nginx.service restart; echo "restart: $?" >>"$DPKG_ROOT/policy"
    "$DPKG_ROOT/usr/sbin/policy-rc.d" ssh.service restart; echo "restart ssh: $?" >>"$DPKG_ROOT/policy"
esac
"""


def test_no_service_is_started_or_left_enabled(stand_ins: StandIns, tmp_path: Path) -> None:
    """policy-rc.d(8): 101 forbids, 104 allows."""
    host = tmp_path / "host"
    wants = host / "etc/systemd/system/timers.target.wants"
    wants.mkdir(parents=True)
    (host / "usr/sbin").mkdir(parents=True)
    (wants / "own.timer").symlink_to("/x")
    stand_ins.add("apt-get", INSTALLING + SERVICES)
    stand_ins.add("systemctl", 'case "$*" in *is-active*) [ "$3" = ssh.service ] ;; esac')
    stand_ins.add(
        "dpkg-query",
        'case "$*" in *--search*nginx*) echo "nginx-common: $2" ;; *--search*) echo "systemd: $2" ;;\n'
        "*nginx-common) echo optional ;; *) echo important ;; esac",
    )
    result = stand_ins.run(SCRIPT)
    assert result.returncode == 0, result.stderr
    assert (host / "policy").read_text() == "start: 101\nrestart: 101\nrestart ssh: 104\n"
    assert [call for call in stand_ins.calls if "disable" in call] == ["systemctl --quiet disable nginx.service"]
    assert list((host / "usr/sbin").iterdir()) == []


def test_a_policy_of_the_host_itself_stays(stand_ins: StandIns, tmp_path: Path) -> None:
    policy = tmp_path / "host/usr/sbin/policy-rc.d"
    policy.parent.mkdir(parents=True)
    policy.write_text("#!/bin/sh\nexit 101\n")
    stand_ins.add("apt-get", INSTALLING)
    assert stand_ins.run(SCRIPT).returncode == 0
    assert policy.read_text() == "#!/bin/sh\nexit 101\n"


def test_only_what_python_needs(stand_ins: StandIns) -> None:
    """Neither nix nor bubblewrap are there, and nobody asks for them, nor for /nix."""
    stand_ins.set_user(1000)
    result = stand_ins.run(SCRIPT, "--python")
    assert (result.returncode, result.stderr, stand_ins.calls) == (0, "", [])


def test_an_unknown_argument(stand_ins: StandIns) -> None:
    result = stand_ins.run(SCRIPT, "--all")
    assert result.returncode == 2
    assert "error: unknown argument: --all" in result.stderr
