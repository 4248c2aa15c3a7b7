"""Places of what is measured, in a folder of a test; and registers that extend as the hardware does."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from teekit_guest import layout, measure, measured_registers, tpm

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def places(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What tmpfiles.d makes; on a machine that is no TD and has no TPM."""
    monkeypatch.setattr(layout, "KETTLE_FOLDERS", root / "run/kettle")
    monkeypatch.setattr(layout, "GIVEN", root / "run/kettle-given")
    monkeypatch.setattr(layout, "FAILED_FOLDER", root / "run/kettle-failed")
    teekit = root / "run/teekit"
    names = (
        "MEASURING",
        "MEASURED",
        "NOT_MEASURED",
        "RUNTIME_LOG",
        "HOSTNAMES",
        "MANIFESTS",
        "CCEL_COPY",
        "TPM_LOG_COPY",
    )
    for name in names:
        monkeypatch.setattr(layout, name, teekit / getattr(layout, name).name)
    monkeypatch.setattr(measure, "CCEL", root / "sys/CCEL")
    monkeypatch.setattr(measure, "TPM_LOG", root / "sys/binary_bios_measurements")
    (root / "proc").mkdir()
    (root / "proc/cpuinfo").write_text("flags\t\t: fpu vme tdx_guest_not\n")
    monkeypatch.setattr(measured_registers, "CPUINFO", root / "proc/cpuinfo")
    monkeypatch.setattr(measured_registers, "RTMR3", root / "sys/rtmr3:sha384")
    monkeypatch.setattr(tpm, "DEVICE", root / "dev/tpmrm0")
    monkeypatch.setattr(tpm, "VERSION", root / "sys/tpm_version_major")
    for folder in ("run/kettle-given", "run/kettle-failed", "run/teekit/manifests", "sys", "dev"):
        (root / folder).mkdir(parents=True)
    for kettle in range(layout.KETTLES):
        (root / f"run/kettle/{kettle}").mkdir(parents=True)


def records(log: bytes) -> list[dict[str, Any]]:
    """A JSON text sequence (RFC 7464): each text after a record separator, and a newline behind it."""
    first, *texts = log.split(b"\x1e")
    assert first == b""
    assert all(text.endswith(b"\n") for text in texts)
    return [json.loads(text) for text in texts]


def replayed(log: bytes, algorithm: str, **register: int) -> str:
    """What a register is after the events in the log, from zeros."""
    ((kind, number),) = register.items()
    value = bytes(hashlib.new(algorithm).digest_size)
    for record in records(log):
        if record.get(kind) == number:
            (digest,) = (one["digest"] for one in record["digests"] if one["hashAlg"] == algorithm)
            value = hashlib.new(algorithm, value + bytes.fromhex(digest)).digest()
    return value.hex()
