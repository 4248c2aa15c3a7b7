"""scripts/setup_python.sh and the launcher, in a copy of the scripts with a stand-in python3."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from builders.standins import StandIns

SCRIPTS = Path(__file__).parents[3] / "scripts"
PYTHON = """
case "$1 $2" in
    "-m venv")
        mkdir -p "$4/bin" "$4/lib/python3.11/site-packages"
        cp -f "$0" "$4/bin/python3" ;;
    "-m pip") eval "$PIP" ;;
    "-I -m") exit "${CLI_STATUS-0}" ;;
esac
"""
INSTALL = "python3 -m pip install"


@dataclass(frozen=True, slots=True)
class Checkout:
    """A folder with the scripts and two locks, and nothing set up."""

    root: Path
    stand_ins: StandIns

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    @property
    def installations(self) -> list[str]:
        return [call for call in self.stand_ins.calls if call.startswith(INSTALL)]

    def is_complete(self, *arguments: str) -> bool:
        return self.stand_ins.run(self.root / "scripts/setup_python.sh", "--check", *arguments).returncode == 0


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    root = tmp_path / "checkout"
    shutil.copytree(SCRIPTS, root / "scripts")
    (root / "requirements.lock").write_text("typer==1\n")
    (root / "requirements-test.lock").write_text("typer==1\npytest==1\n")
    stand_ins = StandIns.make(tmp_path / "bin")
    for name in ("cp", "cmp"):
        (stand_ins.folder / name).symlink_to(f"/bin/{name}")
    stand_ins.add("python3", PYTHON)
    stand_ins.add_at(root / "scripts/setup_deps.sh", 'exit "${DEPS_STATUS-0}"')
    return Checkout(root, stand_ins)


def set_up(checkout: Checkout, *arguments: str, **environment: str) -> None:
    result = checkout.stand_ins.run(checkout.root / "scripts/setup_python.sh", *arguments, **environment)
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""


def test_installs_by_digest_and_builds_nothing(checkout: Checkout) -> None:
    assert not checkout.is_complete()
    set_up(checkout)
    (installation,) = checkout.installations
    assert "--require-hashes --only-binary :all:" in installation
    assert installation.endswith(f"--requirement {checkout.root}/requirements.lock")
    assert checkout.is_complete()


def test_the_code_is_found_by_a_path_relative_to_the_environment(checkout: Checkout) -> None:
    set_up(checkout)
    site = checkout.venv / "lib/python3.11/site-packages"
    line = (site / "teekit-verify.pth").read_text().strip()
    assert (site / line).resolve() == checkout.root / "verifier"


def test_nothing_happens_the_second_time(checkout: Checkout) -> None:
    set_up(checkout)
    again = checkout.stand_ins.run(checkout.root / "scripts/setup_python.sh")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert len(checkout.installations) == 1


def test_every_command_waits_for_two_programs_only(checkout: Checkout) -> None:
    """The launcher looks whether all is set up before each command: what it starts for that, each command waits for."""
    set_up(checkout)
    for tool in checkout.stand_ins.folder.iterdir():
        if tool.name not in {"readlink", "sha256sum"}:
            tool.unlink()
    assert checkout.is_complete()
    command = checkout.stand_ins.run(checkout.root / "scripts/teekit-verify", "--version")
    assert (command.returncode, command.stderr) == (0, "")


def test_no_module_is_loaded_whenever_python_starts(checkout: Checkout) -> None:
    """Python 3.11 puts setuptools into a new environment, which has a file that every start reads; nothing here needs it."""
    site = checkout.venv / "lib/python3.11/site-packages"
    set_up(checkout, PIP=f"printf 'import os\\n' >{site}/distutils-precedence.pth")
    assert [path.name for path in site.iterdir()] == ["teekit-verify.pth"]


def test_another_lock_means_another_environment(checkout: Checkout) -> None:
    set_up(checkout)
    (checkout.root / "requirements.lock").write_text("typer==2\n")
    assert not checkout.is_complete()
    set_up(checkout)
    assert len(checkout.installations) == 2


def test_another_python_means_another_environment(checkout: Checkout) -> None:
    set_up(checkout)
    python = checkout.venv / "bin/python3"
    python.rename(python.with_name("python3.13"))
    python.symlink_to("python3.13")
    assert not checkout.is_complete()


def test_what_serves_the_tests_serves_to_run_but_not_the_other_way_round(checkout: Checkout) -> None:
    set_up(checkout)
    assert not checkout.is_complete("--tests")
    set_up(checkout, "--tests")
    assert checkout.is_complete("--tests")
    assert checkout.is_complete()


def test_pip_failing_shows_its_last_lines_and_leaves_nothing_to_trust(checkout: Checkout) -> None:
    script = checkout.root / "scripts/setup_python.sh"
    result = checkout.stand_ins.run(script, PIP='echo "ERROR: no matching distribution"; exit 1')
    assert result.returncode == 2
    assert "  | ERROR: no matching distribution" in result.stderr
    assert f"error: pip could not install the packages of {checkout.root}/requirements.lock" in result.stderr
    assert not checkout.is_complete()


@pytest.mark.parametrize("signal", ["INT", "TERM", "KILL"])
def test_an_environment_interrupted_in_the_making_is_made_again(checkout: Checkout, signal: str) -> None:
    script = checkout.root / "scripts/setup_python.sh"
    set_up(checkout)
    (checkout.root / "requirements.lock").write_text("typer==2\n")
    result = checkout.stand_ins.run(script, PIP=f"kill -{signal} $PPID; exit 1")
    assert result.returncode != 0
    assert not checkout.is_complete()
    set_up(checkout)
    assert checkout.is_complete()


def test_control_c_says_how_to_go_on(checkout: Checkout) -> None:
    result = checkout.stand_ins.run(checkout.root / "scripts/setup_python.sh", PIP="kill -INT $PPID; exit 1")
    assert result.returncode == 130
    assert result.stderr.endswith("error: interrupted\nhint: run the same command again to continue\n")


def test_a_checkout_that_cannot_be_written_to(checkout: Checkout) -> None:
    (checkout.root / ".venv.lock").mkdir()  # root may write everywhere else
    result = checkout.stand_ins.run(checkout.root / "scripts/setup_python.sh")
    assert result.returncode == 2
    assert result.stderr == (
        f"error: {checkout.root} cannot be written to, and .venv belongs there\n"
        "hint: make it writable for somebody, or use a clone of your own\n"
    )


def test_no_python_that_is_new_enough(checkout: Checkout) -> None:
    checkout.stand_ins.add("python3", "exit 1")
    script = checkout.root / "scripts/setup_python.sh"
    script.write_text(script.read_text().replace("/usr/bin/python3", "/nowhere/python3"))
    result = checkout.stand_ins.run(script)
    assert result.returncode == 2
    assert "error: no Python 3.11 or newer that can make virtual environments" in result.stderr


def test_the_launcher_sets_up_on_first_use_only(checkout: Checkout) -> None:
    launcher = checkout.root / "scripts/teekit-verify"
    for _ in range(2):
        assert checkout.stand_ins.run(launcher, "rebuild", "--image", "a b").returncode == 0
    assert checkout.stand_ins.calls.count("setup_deps.sh ") == 1
    assert len(checkout.installations) == 1
    assert checkout.stand_ins.calls.count("python3 -I -m teekit_verify rebuild --image a b") == 2


def test_an_audit_sets_up_what_its_rebuilds_need(checkout: Checkout) -> None:
    """docs/examples/audit.yml and auditor.job.yml start it on a machine that has nothing but Python and git."""
    assert checkout.stand_ins.run(checkout.root / "scripts/teekit-verify", "audit").returncode == 0
    assert checkout.stand_ins.calls.count("setup_deps.sh ") == 1


@pytest.mark.parametrize(
    "command", ["measure", "inspect", "quote", "compare", "replay", "explain", "report", "doctor", "rebuild --help", ""]
)
def test_what_needs_only_python_asks_nothing_of_the_host(checkout: Checkout, command: str) -> None:
    """No packages, no root, no sudo, no nix: nothing of the sort is called, nor would it be there."""
    checkout.stand_ins.set_user(1000)
    result = checkout.stand_ins.run(checkout.root / "scripts/teekit-verify", *command.split())
    assert result.returncode == 0, result.stderr
    assert not any(call.startswith("setup_deps.sh") for call in checkout.stand_ins.calls)
    assert checkout.stand_ins.calls[-1].strip() == f"python3 -I -m teekit_verify {command}".strip()


def test_a_rebuild_after_a_measurement_still_sets_up(checkout: Checkout) -> None:
    launcher = checkout.root / "scripts/teekit-verify"
    for command in ("measure", "rebuild", "env"):
        assert checkout.stand_ins.run(launcher, command).returncode == 0
    assert checkout.stand_ins.calls.count("setup_deps.sh ") == 1
    assert len(checkout.installations) == 1


def test_a_python_that_makes_no_environments_is_completed(checkout: Checkout) -> None:
    checkout.stand_ins.add("python3", f"[ -e {checkout.root}/venv-package ] || exit 1\n{PYTHON}")
    checkout.stand_ins.add_at(checkout.root / "scripts/setup_deps.sh", f"touch {checkout.root}/venv-package")
    script = checkout.root / "scripts/setup_python.sh"
    script.write_text(script.read_text().replace("/usr/bin/python3", "/nowhere/python3"))
    set_up(checkout)
    assert "setup_deps.sh --python" in checkout.stand_ins.calls
    assert checkout.is_complete()


@pytest.mark.parametrize("status", ["0", "1", "2"])
def test_the_launcher_passes_the_exit_status_on(checkout: Checkout, status: str) -> None:
    result = checkout.stand_ins.run(checkout.root / "scripts/teekit-verify", CLI_STATUS=status)
    assert str(result.returncode) == status


def test_the_launcher_works_through_a_link(checkout: Checkout, tmp_path: Path) -> None:
    link = tmp_path / "teekit-verify"
    link.symlink_to(checkout.root / "scripts/teekit-verify")
    assert checkout.stand_ins.run(link, "doctor").returncode == 0
    assert "python3 -I -m teekit_verify doctor" in checkout.stand_ins.calls


def test_a_failed_set_up_is_no_verdict(checkout: Checkout) -> None:
    launcher = checkout.root / "scripts/teekit-verify"
    assert checkout.stand_ins.run(launcher, "rebuild", DEPS_STATUS="1").returncode == 2
    assert checkout.stand_ins.run(launcher, PIP="exit 1").returncode == 2
    assert not any("teekit_verify" in call for call in checkout.stand_ins.calls)


def test_the_hosts_packages_can_be_left_alone(checkout: Checkout) -> None:
    launcher = checkout.root / "scripts/teekit-verify"
    assert checkout.stand_ins.run(launcher, "rebuild", TEEKIT_NO_SETUP="1").returncode == 0
    assert "setup_deps.sh " not in checkout.stand_ins.calls
