"""Well-formed inputs to start from: the tests' builders and the recorded evidence in tests/assets."""

from __future__ import annotations

import base64
import gzip
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from uuid import UUID

from cryptography.hazmat.primitives.serialization import Encoding

from builders import (
    azure,
    documents,
    eventlog,
    firmware,
    given,
    google_tpm,
    live_guest,
    machine_tpm,
    reports,
    tdvf,
    vhd,
)
from builders.fat import put, run
from builders.gpt import sfdisk_disk
from builders.pe import Row, build_pe
from builders.tools import require
from builders.uki import build_uki, default_sections, kernel
from teekit_verify.documents import create
from teekit_verify.record import json_report

PROJECT = Path(__file__).parents[2]
ASSETS = PROJECT / "tests" / "assets"
_DISK_BYTES = 192 * 1024
_ESP_SECTOR, _ESP_SECTORS = 40, 300
_SCRIPT = f"""label: gpt
label-id: 00000000-0000-0000-0000-000000000007
first-lba: 34
start={_ESP_SECTOR}, size={_ESP_SECTORS}, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name=esp
"""
FAT32_BYTES = 34 << 20
"""The least that a FAT32 can have is 65,525 clusters. A seed is the beginning of the volume, and the rest is zero."""


def runtime_logs() -> list[bytes]:
    two = given.Given((given.manifest(), given.manifest(b"another")), ("a.example.org",))
    return [given.Given().log(pcr=True), two.log()]


def guest_answers() -> list[bytes]:
    return [live_guest.Machine.without_a_server().sent(bytes(32))]


def ukis() -> list[bytes]:
    cmdline = (".cmdline", b"quiet")
    full = [*default_sections(), (".ucode", b"\0" * 64), (".sbat", b"sbat,1\n"), (".pcrpkey", b"key"), (".dtb", b"dtb")]
    profiles = [(".profile", b"ID=one\n"), cmdline, (".profile", b"ID=two\n"), (".cmdline", b"debug")]
    return [
        build_uki("257.13-1~deb13u1"),
        build_uki("252.39-1~deb12u1", certificate=bytes(64)),
        build_uki("259.1", full, trailing=bytes(8)),
        build_uki("257", [(".linux", kernel()), *profiles]),
        build_uki("254", [(".linux", kernel("5.10.0")), cmdline, (".initrd", b"0707" * 9)]),
    ]


def addons() -> list[bytes]:
    rows = [[Row(".cmdline", b"more=1")], [Row(".uname", b"6.1"), Row(".initrd", b"0707"), Row(".ucode", b"0707")]]
    return [build_pe([Row(".text", b"stub"), *more]) for more in rows]


def yamls() -> list[bytes]:
    return [path.read_bytes()[:4096] for path in sorted((ASSETS / "azure").glob("*.yaml"))] + [
        b"a:\n- - 1\n  - [2, 3]\n"
    ]


def pes() -> list[bytes]:
    return [kernel(), *ukis()]


@cache
def disks() -> list[bytes]:
    """A partition table and a FAT12 with a UKI."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        disk = folder / "disk.raw"
        sfdisk_disk(folder, _SCRIPT, _DISK_BYTES)
        run("mkfs.vfat", "--offset", str(_ESP_SECTOR), str(disk), str(_ESP_SECTORS // 2))
        start = _ESP_SECTOR * 512
        put(disk, "EFI/BOOT/BOOTX64.EFI", build_uki(), start=start)
        put(disk, "loader/a file with a long name.conf", b"x" * 3000, start=start)
        return [disk.read_bytes()]


def gpts() -> list[bytes]:
    """What comes before the first partition."""
    return [disk[: 512 * _ESP_SECTOR] for disk in disks()]


@cache
def fats() -> list[bytes]:
    """A FAT12, and the beginning of a FAT32 with one FAT."""
    small = disks()[0][512 * _ESP_SECTOR : 512 * (_ESP_SECTOR + _ESP_SECTORS)]
    with tempfile.TemporaryDirectory() as name:
        volume = Path(name) / "volume"
        with volume.open("wb") as stream:
            stream.truncate(FAT32_BYTES)
        run("mkfs.vfat", "-F", "32", "-f", "1", "-s", "1", str(volume))
        put(volume, "EFI/BOOT/BOOTX64.EFI", build_uki(sections=[]))
        put(volume, "EFI/a file with a long name", b"x" * 1000)
        return [small, volume.read_bytes().rstrip(b"\0")]


def vhds() -> list[bytes]:
    return [bytes(1024) + vhd.footer(1024), *(disk + vhd.footer(len(disk)) for disk in disks())]


@cache
def archives() -> list[bytes]:
    """Plain tar (the entry point compresses it) and gzip; one with a sparse map that goes on in a second block."""
    with tempfile.TemporaryDirectory() as name:
        disk = Path(name) / "disk.raw"
        disk.write_bytes(disks()[0])
        found = [_tar(Path(name)), _tar(Path(name), "-S")]
        found.append(gzip.compress(found[0]))
        with disk.open("wb") as stream:
            for place in range(0, 40 * 8192, 8192):
                stream.seek(place)
                stream.write(b"piece")
        found.append(_tar(Path(name), "-S", "--hole-detection=raw"))
    return found


def _tar(folder: Path, *options: str) -> bytes:
    argv = [require("tar"), "--format=oldgnu", "-C", str(folder), *options, "-cf", "-", "disk.raw"]
    return subprocess.run(argv, capture_output=True, check=True).stdout


def any_disks() -> list[bytes]:
    return [*disks(), *vhds()[1:], *archives()[1:3], build_uki()]


def firmwares() -> list[bytes]:
    rows = [tdvf.Row(0x1000 * index, 0x1000, 0x1000 * index, 0x2000, kind) for index, kind in enumerate((0, 1, 4))]
    return [tdvf.build_tdvf(), tdvf.build_tdvf(rows)]


def firmware_volumes() -> list[bytes]:
    inner = firmware.volume(firmware.file(UUID(int=1), b"code"), name=UUID(int=2))
    held = firmware.sections(firmware.section(0x19, b"raw"), firmware.section(0x17, inner))
    plain = firmware.file(UUID(int=3), firmware.encoded(held, UUID(int=4), 0), firmware.VOLUME_FILE)
    packed = firmware.file(UUID(int=3), firmware.encoded(held), firmware.VOLUME_FILE)
    return [firmware.volume(plain, name=UUID(int=5)) + inner, firmware.volume(packed)]


def variable_stores() -> list[bytes]:
    row = firmware.variable(UUID(int=1), "PK", b"key")
    return [firmware.variable_store(row, firmware.variable(UUID(int=1), "Gone", b"x", 0x3C), size=512)]


def event_logs() -> list[bytes]:
    small = eventlog.header(eventlog.SHA256, eventlog.SHA384)
    small += eventlog.measured(4, 0xD, b"hello\0", eventlog.SHA256, eventlog.SHA384)
    files = [*sorted((ASSETS / "boots").glob("*.bin")), ASSETS / "eventlogs" / "ovmf-swtpm-uki.bin"]
    return [small, *(path.read_bytes() for path in files), *cc_logs()]


def cc_logs() -> list[bytes]:
    """A real log without its padding, and one with runtime events."""
    real = (ASSETS / "eventlogs" / "gcp-cos113-ccel-data.bin").read_bytes().rstrip(b"\xff\0")
    return [real, real + bytes(64), eventlog.dstack_report()[0]]


def ccels() -> list[bytes]:
    """The table, and the log behind it."""
    table = (ASSETS / "eventlogs" / "gcp-cos113-ccel-table.bin").read_bytes()
    return [table + log for log in cc_logs()]


def attestations() -> list[bytes]:
    """Of dstack: SCALE that is real, and MessagePack."""
    event = b"\x85\xa3imr\x03\xaaevent_type\xce\x08\0\0\1\xa6digest\xc4\0\xa5event\xa1a\xadevent_payload\xc4\2xy"
    quote = (ASSETS / "quotes" / "phala-v4.bin").read_bytes()
    packed = b"\x82\xa5quote\xc5" + len(quote).to_bytes(2, "big") + quote + b"\xa9event_log\x91" + event
    return [(ASSETS / "eventlogs" / "dstack-attestation.bin").read_bytes(), packed]


def ima_lists() -> list[bytes]:
    """In text, and one entry in binary."""
    data = b"\x0f\0\0\0sha1:\0" + bytes(9) + b"\2\0\0\0a\0"
    entry = b"\x0a\0\0\0" + b"\1" * 20 + b"\6\0\0\0ima-ng" + len(data).to_bytes(4, "little") + data
    return [(ASSETS / "eventlogs" / name).read_bytes() for name in ("ima-ng.txt", "ima-cc.txt")] + [entry * 2]


def canonical_logs() -> list[bytes]:
    """In TLV, and in JSON as systemd writes it."""

    def tlv(kind: int, value: bytes) -> bytes:
        return bytes([kind]) + len(value).to_bytes(4, "big") + value

    record = tlv(0, bytes(8)) + tlv(1, b"\x0d") + tlv(3, tlv(0xB, b"\1" * 32)) + tlv(80, tlv(1, b"sha256:12"))
    digests = b'[{"hashAlg":"sha256","digest":"' + b"01" * 32 + b'"}]'
    line = b'\x1e{"pcr":11,"digests":' + digests + b',"content_type":"systemd","content":{"string":"ready"}}\n'
    return [record * 2, line * 2]


def tpm_tools_attestations() -> list[bytes]:
    """An event log in protobuf."""
    log = event_logs()[0]
    return [b"\x0a\3key\x1a" + bytes([len(log) & 0x7F | 0x80, len(log) >> 7]) + log]


def carriers() -> list[bytes]:
    """Text and JSON with a quote or a log in it."""
    quote = (ASSETS / "quotes" / "phala-v4.bin").read_bytes()
    encoded = base64.urlsafe_b64encode(quote).rstrip(b"=")
    return [
        b"Quote: " + encoded + b"\nruntime_data: AAAA\n",
        b'{"a":{"primary_evidence":"{\\"quote\\":\\"' + encoded + b'\\"}"}}',
        b'{"format":"x","body":"' + base64.b64encode(gzip.compress(quote)) + b'"}',
        b'{"cc_eventlog":"' + base64.b64encode(cc_logs()[0]) + b'"}',
        *attestations(),
        *tpm_tools_attestations(),
    ]


def dstack_logs() -> list[bytes]:
    return [(ASSETS / "eventlogs" / "dstack-quote-report.json").read_bytes()]


def quotes() -> list[bytes]:
    files = ("gcp-v4.json", "phala-v4.bin", "sample-v5.bin")
    real = [(ASSETS / "quotes" / name).read_bytes() for name in files]
    return [*real, (ASSETS / "eventlogs" / "gcp-cos113-quote.bin").read_bytes(), real[1].hex().encode()]


def azure_evidence() -> list[bytes]:
    """Two forms of JSON, the second with certificates."""
    return [azure.REAL[name].read_bytes() for name in ("coco-v1", "flashbots")]


def hcl_reports() -> list[bytes]:
    runtime_data = azure.claims(azure.tpm_key())
    return [
        azure.hcl_report(runtime_data),
        azure.hcl_report(azure.claims(azure.tpm_key(), user_data=None), hash_type=2),
    ]


def tpm_quotes() -> list[bytes]:
    return [(azure.TPM / name).read_bytes() for name in ("rsassa.msg", "rsapss.msg")]


def google_certificates() -> list[bytes]:
    """Of a vTPM's key, in DER and in PEM."""
    made = google_tpm.certificate(google_tpm.key("ak").public_key())
    return [made.public_bytes(Encoding.DER), google_tpm.pem(made)]


def google_instances() -> list[bytes]:
    return [google_tpm.instance(), google_tpm.instance(None)]


def tpm_publics() -> list[bytes]:
    return [machine_tpm.public(machine_tpm.key().public_key())]


def evidence() -> list[bytes]:
    table = (ASSETS / "eventlogs" / "gcp-cos113-ccel-table.bin").read_bytes()
    return [table, *quotes(), *hcl_reports(), *dstack_logs(), *event_logs()[:3]]


def measurements() -> list[bytes]:
    return [create.dump_measurements(documents.measurements())]


def references() -> list[bytes]:
    return [create.dump_reference(documents.reference())]


def reports_of_rebuilds() -> list[bytes]:
    return [json_report.render_rebuild(report) for report in reports.REBUILDS.values()]


def published() -> list[bytes]:
    """Reference values in every format. A signed one has no seed here: without its root, it is refused."""
    found = [
        path.read_bytes()
        for path in sorted((ASSETS / "formats").iterdir())
        if path.suffix in {".json", ".pcrlock", ".textproto", ".corim"}
    ]
    return [*found, *references(), *measurements()]


def endorsements() -> list[bytes]:
    """What Google's endorsement signs: the bytes of its first field, after the key and two bytes of length."""
    data = (ASSETS / "formats" / "gce-endorsement.binarypb").read_bytes()
    return [data[3 : 3 + (data[1] & 0x7F | data[2] << 7)]]


def inputs() -> list[bytes]:
    return [create.dump_inputs(documents.inputs())]


def locks() -> list[bytes]:
    """The committed locks, with as many packages as mutations can tell apart."""
    found = []
    for path in (PROJECT / "mkosi" / "packages.lock.json", PROJECT / "nix" / "build-env.lock.json"):
        lines = path.read_bytes().splitlines(keepends=True)
        end = next(number for number, line in enumerate(lines) if line.rstrip() == b"  }," and number > 30)
        found.append(b"".join(lines[:end]) + b"  }\n ]\n}\n")
    return found
