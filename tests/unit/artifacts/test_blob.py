from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.tools import require
from teekit_verify.artifacts import blob as module
from teekit_verify.artifacts.blob import Blob, common_prefix, first_difference


def opened(path: Path, content: bytes) -> Blob:
    path.write_bytes(content)
    return Blob.of(os.open(path, os.O_RDONLY))


def test_parts_stay_inside(tmp_path: Path) -> None:
    blob = opened(tmp_path / "x", b"0123456789")
    assert b"".join(blob.part(2, 5).pieces()) == b"23456"
    assert blob.part(8, 100).read(0, 100) == b"89"
    assert blob.part(50, 5) == Blob(blob.descriptor, 10, 0)
    assert blob.part(-5, 3).read(0, 9) == b"012"
    assert blob.part(2, 5).part(1, 2).read(0, 9) == b"34"
    os.close(blob.descriptor)


def test_a_stream_over_a_part(tmp_path: Path) -> None:
    blob = opened(tmp_path / "x", bytes(range(256)) * 4096).part(100, 1_000_000)
    stream = blob.stream(50)
    assert stream.read(3) == bytes([150, 151, 152])
    assert stream.seek(-1, os.SEEK_END) == blob.size_bytes - 1
    assert len(stream.read()) == 1
    assert stream.seek(0) == 0
    assert stream.read(1) == b"\x64"
    os.close(blob.descriptor)


@pytest.mark.parametrize(("start", "size"), [(0, 10), (4097, 3), (5000, 0)])
def test_a_view_of_any_part(tmp_path: Path, start: int, size: int) -> None:
    content = os.urandom(9000)
    blob = opened(tmp_path / "x", content)
    with blob.part(start, size).view() as view:
        assert bytes(view) == content[start : start + size]
    os.close(blob.descriptor)


@settings(max_examples=40)
@given(st.binary(max_size=40), st.binary(max_size=40), st.integers(min_value=0, max_value=40))
def test_the_first_different_byte_is_what_cmp_says(
    tmp_path_factory: pytest.TempPathFactory, one: bytes, other: bytes, common: int
) -> None:
    folder = tmp_path_factory.mktemp("pair")
    contents = {"one": one, "other": one[:common] + other}
    left, right = (opened(folder / name, content) for name, content in contents.items())
    cmp = subprocess.run(
        [require("cmp"), folder / "one", folder / "other"], capture_output=True, text=True, check=False
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PIECE_BYTES", 7)
        found = first_difference(left, right)
    for blob in (left, right):
        os.close(blob.descriptor)
    if cmp.returncode == 0:
        assert found is None
    elif cmp.stderr:  # cmp: EOF on one after byte 3, line 1 (or: which is empty)
        assert found == min(map(len, contents.values()))
    else:  # one other differ: byte 4, line 1
        assert found == int(cmp.stdout.split("byte ")[1].split(",")[0]) - 1


@pytest.mark.parametrize(("one", "other", "size"), [(b"", b"x", 0), (b"abc", b"abd", 2), (b"ab", b"abc", 2)])
def test_common_prefix(one: bytes, other: bytes, size: int) -> None:
    assert common_prefix(one, other) == size
