"""The TD HOB of real machines, and the RAM banks that Google's own tool has for its largest one."""

from __future__ import annotations

import hashlib
import json
import struct

import pytest

from builders import eventlog
from teekit_verify.core.errors import UnsupportedInputError
from teekit_verify.prediction.tdhob import GIB, MemoryRange, gcp_ram_banks, gcp_td_hob, qemu_td_hob

EDK2 = [
    *(MemoryRange(0xFFE20000, 0x1E0000), MemoryRange(0xFFE00000, 0x20000), MemoryRange(0x810000, 0x10000)),
    *(MemoryRange(0x80B000, 0x2000), MemoryRange(0x809000, 0x2000), MemoryRange(0x800000, 0x6000)),
]
"""BFV, CFV, heap and stack, mailbox, TD HOB, page tables, as Google's firmware and edk2 of 2022 have them."""


def test_banks_of_c3_standard_176() -> None:
    """gce-tcb-verifier tdx/tdx_test.go, TestNumaBanks, at 74582c07."""
    assert [(bank.start, bank.size_bytes) for bank in gcp_ram_banks(704 * GIB, 4)] == [
        (0, 0xC0000000),
        (0xFFE00000, 0x200000),
        (0x100000000, 0x2B40000000),
        (0x2C40000000, 0x2C00000000),
        (0x5840000000, 0x2C00000000),
        (0x8440000000, 0x2C00000000),
    ]


@pytest.mark.parametrize(
    ("memory_gib", "digest"),
    [
        (16, "458994daa60deac8dea19dba79748f6ff93fd0aebb8e3e0be5a65eb12309d342c3ce31cc67af7bbd22af1a44e7d9fe21"),
        (32, "aa9e81feeb58a9eb3a9f4110cc7b5696240437ea4c1a9c30518cfc44fa305183e6473e6bc02ddc4de09d0c49c49fadb5"),
        (88, "a5be8ecd74020972e328fbbe94d2886817ef0d2e8a4e94e9572e8e1b221f3f608cddc868cf8b08e8e645e4aaeba68279"),
        (176, "21092eadb73948aebb405b826354c23c3025635c89a8d91f85905afb120b7d98025a6c3083e8e82b5320695b253ce341"),
    ],
    ids=["c3-standard-4", "c3-standard-8", "c3-standard-22", "c3-standard-44"],
)
def test_digests_seen_on_google_cloud(memory_gib: int, digest: str) -> None:
    """flashbots/dstack-mr-gcp internal/consts.go at b16e08b3, which has them from machines."""
    hob = gcp_td_hob(0x809000, EDK2, gcp_ram_banks(memory_gib * GIB, 1))
    assert hashlib.sha384(hob).hexdigest() == digest


def test_a_machine_of_two_nodes_has_one_record_more() -> None:
    """Not seen on a machine yet: its layout is checked, its digest is a prediction."""
    one, two = (gcp_td_hob(0x809000, EDK2, gcp_ram_banks(352 * GIB, nodes)) for nodes in (1, 2))
    assert len(two) == len(one) + 48
    assert struct.unpack_from("<QQ", two, len(two) - 16) == (0x2C00000000 + GIB, 176 * GIB)
    assert struct.unpack_from("<Q", two, 48) == (0x809000 + len(two),)


@pytest.mark.parametrize(("memory_bytes", "nodes"), [(3 * GIB, 1), (1 << 47, 1), (16 * GIB, 0), (16 * GIB, 65)])
def test_machines_that_cannot_be(memory_bytes: int, nodes: int) -> None:
    with pytest.raises(
        UnsupportedInputError, match=f"{memory_bytes} bytes of memory on {nodes} NUMA nodes is not one of"
    ):
        gcp_ram_banks(memory_bytes, nodes)


def test_qemu_hob_of_a_real_machine() -> None:
    """A dstack guest of 64 GiB: its event log says what QEMU handed it."""
    report = json.loads((eventlog.ASSETS / "dstack-quote-report.json").read_text())
    first = json.loads(report["event_log"])[0]
    memory_bytes = json.loads(report["vm_config"])["memory_size"]
    assert (first["imr"], first["event_type"], memory_bytes) == (0, 0x8000000B, 64 * GIB)
    assert hashlib.sha384(qemu_td_hob(0x809000, EDK2[2:], memory_bytes)).hexdigest() == first["digest"]


def test_qemu_hob_of_a_small_machine() -> None:
    """All memory lies below 4 GiB, so the last record ends where it does."""
    hob = qemu_td_hob(0x809000, EDK2[2:], GIB)
    kind, attributes, start, size = struct.unpack_from("<IIQQ", hob, len(hob) - 24)
    assert (kind, attributes, start + size) == (7, 7, GIB)
