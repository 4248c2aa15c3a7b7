"""What a command imports: start-up is mostly that. Counted, because seconds of a busy machine say nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from builders.tdvf import build_tdvf
from builders.uki import build_uki, kernel

ASSETS = Path(__file__).parents[2] / "assets"
QUOTE = ASSETS / "eventlogs/gcp-cos113-quote.bin"
LOG = ASSETS / "eventlogs/gcp-cos113-ccel-data.bin"
HEAVY = {
    "pydantic",
    "logging",
    "tarfile",
    "rich",
    "jinja2",
    "urllib3",
    "elftools",
    "pefile",
    "ssl",
    "http",
    "jsonschema",
}
READERS_OF_DISKS = {"disk", "boot_volume", "partitions", "fat", "vhd", "vhdx", "qcow2", "targz", "packed", "compressed"}
"""A UKI is told from a disk by `artifacts.magic`, which imports none of them."""


def imported(*argv: str) -> set[str]:
    command = [sys.executable, "-X", "importtime", "-m", "teekit_verify", *argv]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert "internal error" not in done.stderr
    return set(re.findall(r"^import time:.*\| +(\S+)$", done.stderr, re.MULTILINE))


@pytest.mark.parametrize(
    ("argv", "most", "allowed"),
    [
        (("--version",), 20, set()),
        (("--help",), 20, set()),
        (("quote", "--help"), 40, set()),
        (("quote", str(QUOTE)), 85, {"cryptography"}),
        (("replay", str(LOG)), 65, set()),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_a_command_imports_what_it_uses(argv: tuple[str, ...], most: int, allowed: set[str]) -> None:
    modules = imported(*argv)
    packages = {name.split(".")[0] for name in modules}
    assert "typer" in packages
    assert packages & (HEAVY | {"cryptography"}) <= allowed
    assert len([name for name in modules if name.startswith("teekit_verify")]) <= most


@pytest.mark.parametrize(
    "argv", [("--version",), ("quote", "--help"), ("quote", str(QUOTE)), ("replay", str(LOG))], ids=" ".join
)
def test_python_looks_for_no_garbage_while_a_command_starts(argv: tuple[str, ...]) -> None:
    """What is imported is none, and each look takes longer. A few come before the first line of the program: Python's own."""
    program = (
        "import atexit, gc, runpy, sys\n"
        "looks = []\n"
        "gc.callbacks.append(lambda phase, _: looks.append(phase))\n"
        "atexit.register(lambda: sys.stderr.write(f'looks: {looks.count(\"start\")}'))\n"
        "runpy.run_module('teekit_verify', run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", program, *argv], check=False, capture_output=True, text=True)
    assert re.search(r"looks: [0-5]\Z", done.stderr), done.stderr


def test_a_uki_is_inspected_without_what_other_files_need(tmp_path: Path) -> None:
    """Neither with the readers of evidence, statements and published values, nor with the verdicts of a rebuild."""
    image = tmp_path / "image.efi"
    image.write_bytes(build_uki(sections=[(".cmdline", b"quiet"), (".linux", kernel()), (".initrd", b"initrd")]))
    modules = imported("inspect", str(image))
    assert not {name.split(".")[0] for name in modules} & (HEAVY - {"pefile", "logging"} | {"cryptography"})
    below = {name.split(".")[1] for name in modules if name.startswith("teekit_verify.")}
    assert not below & {"appraisal", "evidence", "explanation", "reference", "rebuild", "prediction"}
    assert len([name for name in modules if name.startswith("teekit_verify")]) <= 60


def test_firmware_that_is_not_googles_is_measured_without_what_is_on_record_of_that(tmp_path: Path) -> None:
    firmware = tmp_path / "OVMF.fd"
    firmware.write_bytes(build_tdvf())
    modules = imported("measure", str(firmware))
    assert not {name.split(".")[0] for name in modules} & (HEAVY | {"cryptography"})
    assert len([name for name in modules if name.startswith("teekit_verify")]) <= 45


def test_measuring_imports_no_other_verifiers_formats(tmp_path: Path) -> None:
    """Neither does it import what boots a guest, builds an image, or fetches something."""
    image = tmp_path / "image.efi"
    image.write_bytes(build_uki(sections=[(".cmdline", b"quiet"), (".linux", kernel()), (".initrd", b"initrd")]))
    modules = imported("measure", str(image))
    assert not {name.split(".")[0] for name in modules} & (HEAVY - {"pefile"} | {"cryptography"})
    below = {name.split(".")[1] for name in modules if name.startswith("teekit_verify.")}
    assert not below & {"reference", "rebuild", "explanation"}
    assert not {name.split(".")[-1] for name in modules if ".artifacts." in name} & READERS_OF_DISKS
    assert not modules & {"teekit_verify.documents.codec", "teekit_verify.artifacts.tdvf"}
    assert len([name for name in modules if name.startswith("teekit_verify")]) <= 75


@pytest.mark.parametrize("seed", ["1", "2"])
def test_what_was_expected_is_named_the_same_in_every_run(tmp_path: Path, seed: str) -> None:
    """The hint names the first kind of file that `inspect` reads, not the first of a set, whose order a run chooses."""
    path = tmp_path / "image.efi"
    path.write_bytes(b"MZ")
    command = [sys.executable, "-m", "teekit_verify", "inspect", str(path)]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env=os.environ | {"PYTHONHASHSEED": seed}
    )
    assert f"hint: Check that {path} is a UKI.\n" in done.stderr
