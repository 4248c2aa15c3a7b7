"""What a firmware file is, and the MRTD that follows from it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from builders import tdvf as build
from builders.mrtd import mrtd_of_rows
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import MalformedInputError
from teekit_verify.prediction.firmware import inspect_firmware, known_as, measure_firmware
from teekit_verify.prediction.gcp_facts import FirmwareFact, load_gcp
from teekit_verify.prediction.mrtd import PageOrder

FACTS = load_gcp()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "fw.fd"
    path.write_bytes(build.build_tdvf())
    return path


def test_inspection(file: Path) -> None:
    image = file.read_bytes()
    found = inspect_firmware(file)
    assert (found.name, found.size_bytes) == ("fw.fd", len(image))
    assert found.sha256.value == hashlib.sha256(image).digest()
    assert found.sha384.value == hashlib.sha384(image).digest()
    assert [part.sha384.value if part.sha384 else None for part in found.sections] == [
        hashlib.sha384(image[0x4000:]).digest(),
        hashlib.sha384(image[:0x3000]).digest(),
        None,
        None,
    ]


def test_mrtd_in_the_orders_asked_for(file: Path) -> None:
    expected = {order: mrtd_of_rows(file.read_bytes(), build.ROWS, order.value) for order in PageOrder}
    assert {order: digest.hex for order, digest in measure_firmware(file).mrtd.items()} == expected
    assert list(measure_firmware(file, [PageOrder.TWO_PASS]).mrtd) == [PageOrder.TWO_PASS]


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"MZ")
    with pytest.raises(MalformedInputError, match="file size at offset 0x0: 2 bytes"):
        measure_firmware(path)


def test_a_file_of_google_is_known_by_its_digest(file: Path) -> None:
    digest = Digest(Algorithm.SHA384, hashlib.sha384(file.read_bytes()).digest())
    release = FirmwareFact("test", None, digest, None, None, False, (), "test")
    assert known_as(replace(FACTS, firmware=(release,)), inspect_firmware(file)) is release
    assert known_as(FACTS, inspect_firmware(file)) is None
