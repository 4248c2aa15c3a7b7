"""scripts/env_wrapper.sh with stand-ins for the launcher and for Lima's limactl."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from builders.standins import StandIns

CHECKOUT = Path(__file__).parents[3]
# Answers `limactl list` with the status in a file, which is empty for a machine that is not there.
LIMACTL = 'case $1 in list) cat "{status}" ;; create) echo Stopped >"{status}" ;; start) {start} ;; esac'
SEEDS = ("mkosi", "--force", "--profile=gcp", "-I", "tdx-kettle.conf")


@dataclass(frozen=True)
class Wrapper:
    root: Path
    stand_ins: StandIns

    def run(self, *arguments: str, **environment: str) -> tuple[int, str]:
        finished = self.stand_ins.run(self.root / "scripts/env_wrapper.sh", *arguments, **environment)
        return finished.returncode, finished.stderr

    def lima(self, status: str = "", start: str = "exit 0") -> None:
        (self.root / "status").write_text(status)
        self.stand_ins.add("limactl", LIMACTL.format(status=self.root / "status", start=start))


@pytest.fixture
def wrapper(tmp_path: Path) -> Wrapper:
    root = tmp_path / "check out"
    (root / "scripts").mkdir(parents=True)
    shutil.copy(CHECKOUT / "scripts/env_wrapper.sh", root / "scripts")
    made = StandIns.make(tmp_path / "bin")
    made.add("uname", "echo Linux")
    made.add_at(root / "scripts/teekit-verify")
    return Wrapper(root, made)


def test_mkosi_is_given_what_a_rebuild_gives_it(wrapper: Wrapper) -> None:
    assert wrapper.run(*SEEDS) == (0, "")
    assert wrapper.stand_ins.calls[-1] == "teekit-verify env mkosi -- --force --profile=gcp -I tdx-kettle.conf"


def test_other_commands_run_in_the_environment(wrapper: Wrapper) -> None:
    assert wrapper.run("ls", "-l") == (0, "")
    assert wrapper.stand_ins.calls[-1] == "teekit-verify env shell -- ls -l"


@pytest.mark.parametrize("size", ["x", "1.5", "-1", "0", "30G"])
def test_a_wrong_size_of_the_disk_is_known_before_the_build(wrapper: Wrapper, size: str) -> None:
    status, error = wrapper.run(*SEEDS, AZURE_DISK_GIB=size)
    assert (status, wrapper.stand_ins.calls) == (2, [])
    said = f"error: AZURE_DISK_GIB is {size}, no whole number of GiB\nhint: set it like this: AZURE_DISK_GIB=30\n"
    assert error == said
    assert wrapper.run(*SEEDS, AZURE_DISK_GIB="30") == wrapper.run(*SEEDS, AZURE_DISK_GIB="") == (0, "")


def test_a_command_is_needed(wrapper: Wrapper) -> None:
    status, error = wrapper.run()
    assert status == 2
    assert error.endswith("env_wrapper.sh COMMAND [ARGUMENT...]\n")


@pytest.mark.parametrize(("system", "force"), [("Linux", "1"), ("Darwin", "")])
def test_a_virtual_machine_is_made_and_started_where_the_host_is_no_linux(
    wrapper: Wrapper, system: str, force: str
) -> None:
    wrapper.lima()
    wrapper.stand_ins.add("uname", f"echo {system}")
    environment = {"AZURE_DISK_GIB": "30", "SECRET": "x"} | ({"FORCE_LIMA": force} if force else {})
    assert wrapper.run(*SEEDS, **environment) == (0, "")
    root = wrapper.root
    assert [call for call in wrapper.stand_ins.calls if call.startswith("limactl")] == [
        "limactl list --format {{.Status}} teekit-verify",
        f'limactl create --tty=false --name=teekit-verify --set .mounts[0].location = "{root}" {root}/lima.template.yaml',
        "limactl start --tty=false teekit-verify",
        (
            f"limactl shell --workdir {root} teekit-verify env FORCE_LIMA=0 AZURE_DISK_GIB=30 "
            f"{root}/scripts/env_wrapper.sh {' '.join(SEEDS)}"
        ),
    ]


@pytest.mark.parametrize(("status", "starts"), [("Running", 0), ("Stopped", 1)])
def test_a_machine_that_is_there_is_used_again(wrapper: Wrapper, status: str, starts: int) -> None:
    wrapper.lima(status)
    assert wrapper.run("true", FORCE_LIMA="1", LIMA_INSTANCE="mine") == (0, "")
    calls = wrapper.stand_ins.calls
    assert not [call for call in calls if "create" in call]
    assert calls.count("limactl start --tty=false mine") == starts
    assert calls[-1].startswith("limactl shell --workdir ")


def test_a_machine_that_does_not_start_is_an_error(wrapper: Wrapper) -> None:
    wrapper.lima(start="exit 1")
    status, error = wrapper.run("true", FORCE_LIMA="1")
    assert status == 2
    assert error == "error: the virtual machine teekit-verify did not start\nhint: look at: limactl list\n"
    assert not [call for call in wrapper.stand_ins.calls if "shell" in call]


def test_without_lima_there_is_a_way_out(wrapper: Wrapper) -> None:
    status, error = wrapper.run("true", FORCE_LIMA="1")
    assert status == 2
    assert error == "error: limactl is not installed\nhint: install Lima (brew install lima), or build on Linux\n"


def test_inside_the_machine_there_is_no_further_one(wrapper: Wrapper) -> None:
    wrapper.stand_ins.add("uname", "echo Darwin")
    assert wrapper.run("true", FORCE_LIMA="0") == (0, "")
    assert wrapper.stand_ins.calls[-1] == "teekit-verify env shell -- true"
