"""Variable stores: made ones, what does not follow the format, and one of Debian's against virt-firmware."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import firmware as build
from builders.tools import require
from teekit_verify.artifacts.varstore import read_variables
from teekit_verify.core.errors import MalformedInputError, TeekitError, UnsupportedInputError

VENDOR = UUID(int=7)
DEBIAN = Path("/usr/share/OVMF/OVMF_VARS_4M.ms.fd")
STORE = build.variable_store(
    build.variable(VENDOR, "PK", b"key"),
    build.variable(VENDOR, "Gone", b"x", 0x3C),
    build.variable(VENDOR, "Going", b"yz", 0x3E),
)


def test_variables_that_are_there() -> None:
    assert read_variables(memoryview(STORE)) == {(VENDOR, "PK"): b"key", (VENDOR, "Going"): b"yz"}
    assert read_variables(memoryview(build.variable_store())) == {}


def test_debians_store_as_virt_firmware_reads_it(tmp_path: Path) -> None:
    if not DEBIAN.exists():
        require("no-ovmf-package")
    output = tmp_path / "variables.json"
    argv = [str(Path(sys.executable).with_name("virt-fw-vars")), "--input", str(DEBIAN), "--output-json", str(output)]
    subprocess.run(argv, check=True, capture_output=True)
    theirs = {
        (UUID(row["guid"]), row["name"]): bytes.fromhex(row["data"])
        for row in json.loads(output.read_text())["variables"]
    }
    assert {name for _, name in theirs} >= {"PK", "KEK", "db", "dbx"}
    assert read_variables(memoryview(DEBIAN.read_bytes())) == theirs


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (STORE[:50], "variable store: header length|volume header"),
        (build.variable_store(size=1 << 12)[:200], "store size at offset .*: 4096 bytes, of a volume of 200"),
        (
            build.variable_store(build.variable(VENDOR, "A" * 2000, b"")),
            "name size at offset .*: 4002 bytes, at most 2048",
        ),
        (build.variable_store(*[build.variable(VENDOR, "A", b"")] * 2), "the variable 'A' occurs twice"),
        (build.variable_store(build.variable(VENDOR, "A", b"x" * 8000)), "data at offset .*: needs 8000 bytes"),
    ],
)
def test_malformed(data: bytes, message: str) -> None:
    with pytest.raises(MalformedInputError, match=message):
        read_variables(memoryview(data))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (bytes(200), "its configuration volume is not a firmware volume"),
        (build.variable_store(state=0x7F), "a variable store of type .* in state 0x5a 0x7f"),
        (build.variable_store(kind=VENDOR), "a variable store of type 00000000-0000-0000-0000-000000000007"),
    ],
)
def test_other_stores(data: bytes, message: str) -> None:
    with pytest.raises(UnsupportedInputError, match=message):
        read_variables(memoryview(data))


@given(st.integers(0, 300), st.integers(0, 255))
def test_changed_bytes_never_surprise(position: int, value: int) -> None:
    data = bytearray(STORE)
    data[position] = value
    try:
        assert len(read_variables(memoryview(data))) <= 3
    except TeekitError as error:
        assert error.message  # noqa: PT017 - any of ours will do
