"""MRTD of the firmware that Debian ships, fetched by hash; of its next version if the mirror has dropped this one."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from builders import eventlog
from builders.debian import OVMF_TRIXIE, fetch_known_or_current
from builders.mrtd import mrtd_of_rows
from builders.tdvf import Row
from builders.tools import require
from teekit_verify.artifacts.tdvf import SectionType, open_tdvf
from teekit_verify.prediction.firmware import inspect_firmware, measure_firmware
from teekit_verify.prediction.mrtd import PageOrder
from teekit_verify.rebuild.lock import LockedPackage


@dataclass(frozen=True)
class Known:
    """A package and the firmware in it. `single` and `two` are what the code of dstack-mr (Dstack-TEE/dstack,
    dstack/dstack-mr/src/tdvf.rs, compute_mrtd(), at 312dc605) gives for this file, run with its sections; the first 8
    digits of those of trixie and bookworm are in the project's notes too.
    """

    suite: str
    package: LockedPackage
    path: str
    sha256: str
    single: str
    two: str


def _package(name: str, version: str, size_bytes: int, sha256: str) -> LockedPackage:
    path = f"pool/main/e/edk2/{name}_{version}_all.deb"
    return LockedPackage(
        name=name,
        version=version,
        architecture="all",
        archive="debian",
        path=path,
        size_bytes=size_bytes,
        sha256=sha256,
    )


KNOWN = (
    Known(
        "sid",
        _package(
            "ovmf-inteltdx",
            "2026.08+ds-2",
            1234524,
            "87123a9bf4dc1af7bbc48257a9b3db5933ff695167476d4fa48b705da1011fb1",
        ),
        "./usr/share/ovmf/OVMF.inteltdx.ms.fd",
        "a265075b4147a096109e501e76196df1ec8a18659c26f7401492c597ec88f312",
        "a7a1f751abc454f9cbab198ca8d2edb2821935df525c74182b5e776cb0929e8c59aefecce725b0d08a5e9d3d3183bd08",
        "b90b236113eb4c0d4df4ef590568c14e6028a3a31d7e8ac63dee9845df5008d3ebf82d4f5974e933798f65d7a279b9a9",
    ),
    Known(
        "trixie",
        OVMF_TRIXIE,
        "./usr/share/ovmf/OVMF.fd",
        "14954040cc754ade0c625ac3470ea46d4c14318b5b1396de4ef77090203d76db",
        "bdc6fb145880f06f30c8b346b8dce2a99d9351b56892df22f80fcf6574caa9f9c31df8e8576d53b4d0cd1c3f28910e11",
        "456f07902150d008bb913c3e1e84e9297f735a6c83cd2a957a1f0a8bbedb06df188e3837ae48d32c73d473d097dc0db2",
    ),
    Known(
        "bookworm",
        _package(
            "ovmf",
            "2022.11-6+deb12u2",
            7683456,
            "e73d3d1a8799f7f6fc16b73501d913edcdd86237556fbff30693e747e6dc262e",
        ),
        "./usr/share/ovmf/OVMF.fd",
        "7b456907dd0786d415999e801a1ac4637b8ed4d7cf5378cfc6edbe5e574dd773",
        "4c7206f0f483c524f12c366c711e9049030a8d47c471ee5aa9c4999a08de4057fb887fed0744d5631a212967fb231c47",
        "acccbcc870a381adab0d3919d90a7f268ac3b0364771f202ed4bb4e892d045b33db3b32e6924cba830a724eed443f7e1",
    ),
)


@dataclass(frozen=True)
class Fetched:
    """`pinned` is the known version; else it is whatever the archive has now, and no value of it is known."""

    known: Known
    file: Path
    pinned: bool


@pytest.fixture(scope="module", params=KNOWN, ids=lambda known: known.suite)
def fetched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Fetched:
    known: Known = request.param
    folder = tmp_path_factory.mktemp(known.suite)
    deb, pinned = fetch_known_or_current(known.package, known.suite, folder)
    file = folder / Path(known.path).name
    data = subprocess.run([require("dpkg-deb"), "--fsys-tarfile", deb], check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(data)) as archive_of_deb:
        member = archive_of_deb.extractfile(known.path)
        assert member is not None
        file.write_bytes(member.read())
    return Fetched(known, file, pinned=pinned)


def test_mrtd_in_both_orders(fetched: Fetched) -> None:
    measured = measure_firmware(fetched.file)
    rows = [
        Row(part.data_offset, part.raw_size, part.memory_address, part.memory_size, part.type, part.attributes)
        for part in (inspected.section for inspected in measured.firmware.sections)
    ]
    image = fetched.file.read_bytes()
    for order in PageOrder:
        assert measured.mrtd[order].hex == mrtd_of_rows(image, rows, order.value)
    if fetched.pinned:
        assert measured.firmware.sha256.hex == fetched.known.sha256
        assert {order.value: digest.hex for order, digest in measured.mrtd.items()} == {
            "single": fetched.known.single,
            "two": fetched.known.two,
        }


def test_metadata_is_laid_out_as_edk2_does(fetched: Fetched) -> None:
    """OvmfPkg/ResetVector/X64/IntelTdxMetadata.nasm.inc: what every version of it has."""
    firmware = inspect_firmware(fetched.file)
    sections = [inspected.section for inspected in firmware.sections]
    code, variables = sections[:2]
    assert (code.type, code.attributes) == (SectionType.BFV, 1)
    assert (variables.type, variables.attributes) == (SectionType.CFV, 0)
    assert variables.memory_address + variables.memory_size == code.memory_address
    assert code.memory_address + code.memory_size == 1 << 32
    assert code.raw_size + variables.raw_size == firmware.size_bytes
    assert [section.memory_address for section in sections if section.type is SectionType.TD_HOB] == [0x809000]


def test_the_variable_store_is_what_a_real_guest_measured(fetched: Fetched) -> None:
    """A dstack guest, QEMU, in its second event: an empty store of 4 MiB firmware is the same for years, and in Debian."""
    report = json.loads((eventlog.ASSETS / "dstack-quote-report.json").read_text())
    event = json.loads(report["event_log"])[1]
    assert (event["imr"], event["event_type"]) == (0, 0x8000000A)
    with open_tdvf(fetched.file) as firmware:
        store = bytes(firmware.content(firmware.only(SectionType.CFV)))
    if fetched.known.suite == "trixie":
        assert hashlib.sha384(store).hexdigest() == event["digest"]
    else:  # the Secure Boot keys of Microsoft in one, 2 MiB firmware in the other
        assert hashlib.sha384(store).hexdigest() != event["digest"]
