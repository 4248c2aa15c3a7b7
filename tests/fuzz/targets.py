"""One entry point per format that others write. An entry point takes any bytes, and uses what it parsed as a command would."""

from __future__ import annotations

import gzip
import io
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from builders import google_tpm, quotes
from fuzz import explaining, projects, seeds, signed
from teekit_verify.appraisal.guest.given import appraise_given
from teekit_verify.appraisal.log_texts import forged_texts
from teekit_verify.artifacts.boot_artifact import open_disk
from teekit_verify.artifacts.companions import Companion
from teekit_verify.artifacts.fat import open_fat
from teekit_verify.artifacts.firmware_volume import read_volumes
from teekit_verify.artifacts.gpt import read_gpt
from teekit_verify.artifacts.magic import GZIP_MAGIC, VHD_FOOTER_BYTES
from teekit_verify.artifacts.pe import parse_pe
from teekit_verify.artifacts.targz import TarGzDisk
from teekit_verify.artifacts.tdvf import parse_tdvf
from teekit_verify.artifacts.uki import parse_uki
from teekit_verify.artifacts.varstore import read_variables
from teekit_verify.artifacts.vhd import footer_checksum, geometry_of, parse_footer
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError
from teekit_verify.documents import codec, model
from teekit_verify.evidence import ak_certificate, azure, tpm
from teekit_verify.evidence.ccel import TABLE_BYTES, parse_ccel
from teekit_verify.evidence.dstack import parse_dstack_log
from teekit_verify.evidence.eventlog import EventLog, parse_event_log
from teekit_verify.evidence.files import is_evidence, parse_evidence, parse_log, read_evidence
from teekit_verify.evidence.google_instance import parse_instance
from teekit_verify.evidence.guest_answer import parse_guest_answer
from teekit_verify.evidence.hcl import parse_hcl_report
from teekit_verify.evidence.ima import parse_ima_list
from teekit_verify.evidence.machine_tpm import parse_public
from teekit_verify.evidence.meaning import explain
from teekit_verify.evidence.msgpack import parse_msgpack
from teekit_verify.evidence.plain_yaml import parse_yaml
from teekit_verify.evidence.quote import parse_quote
from teekit_verify.evidence.runtime_log import parse_runtime_log
from teekit_verify.evidence.scale import parse_scale
from teekit_verify.evidence.tpm_tools import parse_tpm_tools
from teekit_verify.inspection.disk import inspect_disk
from teekit_verify.prediction.coverage import unmeasured
from teekit_verify.prediction.image import measure_file
from teekit_verify.prediction.mrtd import PageOrder, google_builds, mrtd
from teekit_verify.prediction.platforms import PLATFORMS
from teekit_verify.prediction.stub import profiles
from teekit_verify.prediction.uki import predict_uki
from teekit_verify.prediction.uki_events import ev_efi_gpt_event
from teekit_verify.rebuild import lock
from teekit_verify.record import read
from teekit_verify.reference import formats
from teekit_verify.reference.formats import gce_endorsement
from teekit_verify.registers.align import first_divergence
from teekit_verify.registers.measured import TD_REGISTER, TPM_REGISTER
from teekit_verify.registers.replay import replay
from teekit_verify.report import layout, published_report
from teekit_verify.report.html import page as html_report
from teekit_verify.report.inspect.disk import render_disk
from teekit_verify.report.rebuild import screen

_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Target:
    """`mend` makes the checksums of a mutated input right again, so that what is behind them is reached."""

    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    mend: Callable[[bytes], bytes] | None = None


def pe(data: bytes) -> None:
    parse_pe(memoryview(data)).authenticode_spans()


def uki(data: bytes) -> None:
    parsed = parse_uki(data)
    parsed.kernel_release()
    parsed.text(".osrel")
    unmeasured(parsed)
    predict_uki(parsed, vtpm=True)
    predict_uki(parsed, vtpm=False, secure_boot=True)
    predict_uki(parsed, vtpm=True, profile=len(profiles(parsed)) - 1)


def companion(data: bytes) -> None:
    """An addon and a credential beside a UKI."""
    files = [Companion("x.addon.efi", data), Companion("y.cred", data)]
    predict_uki(parse_uki(seeds.ukis()[0]), vtpm=False, companions=files)


def yaml(data: bytes) -> None:
    parse_yaml(data.decode("utf-8", "replace"), "it")


def gpt(data: bytes) -> None:
    ev_efi_gpt_event(read_gpt(io.BytesIO(data)))


def fat(data: bytes) -> None:
    """The volume may be larger than the input: what is not there cannot be read."""
    with _file(data, seeds.FAT32_BYTES) as path, path.open("rb") as stream:
        volume = open_fat(stream, 0, seeds.FAT32_BYTES)
        for _, entry in volume.walk(1000):
            if not entry.is_directory:
                volume.extents(entry)
        volume.find(("EFI", "BOOT", "BOOTX64.EFI"))


def vhd(data: bytes) -> None:
    geometry_of(parse_footer(data[-VHD_FOOTER_BYTES:], len(data)).size_bytes)


def targz(data: bytes) -> None:
    """Gzip, or tar that is compressed here: mutations of compressed bytes hardly reach the tar."""
    packed = data if data.startswith(GZIP_MAGIC) else gzip.compress(data, 1)
    disk = TarGzDisk(io.BytesIO(packed))
    stream = io.BufferedReader(disk)
    for place in (0, 512, disk.size_bytes // 2, disk.size_bytes - 512):
        stream.seek(max(0, place))
        stream.read(_READ_BYTES)
    disk.finish()


def disk(data: bytes) -> None:
    """Whatever `measure` and `inspect` take: raw, VHD, tar.gz, or a UKI. Plain tar is compressed here."""
    packed = gzip.compress(data, 1) if data.startswith(b"disk.raw\0") else data
    with _file(packed) as path:
        with suppress(TeekitError), open_disk(path) as opened:
            render_disk(inspect_disk(opened))
        measure_file(path, PLATFORMS, whole_disk=True)


def tdvf(data: bytes) -> None:
    firmware = parse_tdvf(data)
    google_builds(firmware)
    for order in PageOrder:
        mrtd(firmware, order)


def firmware_volume(data: bytes) -> None:
    read_volumes(memoryview(data))


def varstore(data: bytes) -> None:
    read_variables(memoryview(data))


def tpm_log(data: bytes) -> None:
    _use(parse_event_log(data))


def ccel(data: bytes) -> None:
    _use(parse_ccel(data[:TABLE_BYTES], data[TABLE_BYTES:]))


def dstack(data: bytes) -> None:
    _use(parse_dstack_log(data))


def msgpack(data: bytes) -> None:
    parse_msgpack(data, "input")


def scale(data: bytes) -> None:
    parse_scale(data)


def tpm_tools(data: bytes) -> None:
    parse_tpm_tools(data)


def ima_list(data: bytes) -> None:
    _use(parse_ima_list(data))


def canonical_log(data: bytes) -> None:
    _use(parse_log(data))


def carrier(data: bytes) -> None:
    """Whatever evidence is in whatever."""
    found = parse_evidence(data, "input")
    if found.log is not None:
        _use(found.log)


def quote(data: bytes) -> None:
    parse_quote(data)


def evidence(data: bytes) -> None:
    """A file whose kind is found out."""
    with _file(data) as path:
        is_evidence(path)
        found = read_evidence(path)
    if found.log is not None:
        _use(found.log)


def azure_evidence(data: bytes) -> None:
    """What stands around the TD quote of an Azure guest, each fact by itself."""
    found = azure.parse_vtpm(data)
    with suppress(TeekitError):
        tpm.require_signed(found.attest, found.signature, found.report.attestation_key)
    with suppress(TeekitError):
        tpm.require_pcr_digest(found.attest, found.signature.algorithm, found.pcrs)
    with suppress(TeekitError):
        key = found.report.attestation_key
        ak_certificate.require_certified(key, found.certificates, [signed.real_chain().root], quotes.NOW)


def hcl_report(data: bytes) -> None:
    _ = parse_hcl_report(data).report_data


def tpm_quote(data: bytes) -> None:
    tpm.parse_attest(data)


def google_certificate(data: bytes) -> None:
    """Of a vTPM's key, as a machine answers with it."""
    (own, *_), authorities = azure.certificates_of(data), google_tpm.authorities()
    with suppress(TeekitError):
        ak_certificate.require_google(own.public_key(), [own, *authorities], authorities[:1], quotes.NOW)  # type: ignore[arg-type]


def google_instance(data: bytes) -> None:
    _ = parse_instance(data).path


def tpm_public(data: bytes) -> None:
    key = parse_public(data)
    assert 2048 <= key.key_size <= 8192


def measurements(data: bytes) -> None:
    codec.parse(model.Measurements, model.MEASUREMENTS_SCHEMA, data, "input")


def reference(data: bytes) -> None:
    codec.parse(model.Reference, model.REFERENCE_SCHEMA, data, "input")


def report(data: bytes) -> None:
    """What `report` does with it, on the terminal and as a page."""
    parsed = read.parse_rebuild(data, "input")
    screen.show(parsed, layout.console(io.StringIO()))
    html_report.render(parsed)


def published(data: bytes) -> None:
    """Of a signed file, what is before its signature; `endorsement` is behind it."""
    with _file(data) as path:
        file = formats.load_published(path)
    published_report.summary(file)
    published_report.render_published(file)


def endorsement(data: bytes) -> None:
    gce_endorsement.endorsed(gce_endorsement.parse_golden(memoryview(data), "endorsement"))


def inputs(data: bytes) -> None:
    codec.parse(model.InputsDocument, model.INPUTS_SCHEMA, data, "input")


def package_lock(data: bytes) -> None:
    with _file(data) as path:
        lock.load(path)


def _use(log: EventLog) -> None:
    """Replay and explain, as `replay` does; a log whose events lack a bank is refused there, and others go on."""
    forged_texts(log)
    for algorithm in log.algorithms:
        replay(log.events, algorithm)
        for register in sorted({event.register for event in log.events}):
            for predicted, observed in ((log.events[1:], log.events), (log.events, log.events[:-1])):
                with suppress(TeekitError):  # neither has an event of the register
                    divergence = first_divergence(predicted, observed, register, algorithm)
                    if divergence is not None:
                        divergence.in_words()
                        explain(divergence, observed)


@contextmanager
def _file(data: bytes, size_bytes: int = 0) -> Iterator[Path]:
    """The bytes behind a path that no file system has, followed by zeros up to `size_bytes`."""
    descriptor = os.memfd_create("input")
    try:
        written = os.write(descriptor, data)  # to memory, so all of it at once
        assert written == len(data)
        if size_bytes > len(data):
            os.pwrite(descriptor, b"\0", size_bytes - 1)
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def _gpt_sums(data: bytes) -> bytes:
    """The CRC of the entries and then of the header (UEFI 2.10, 5.3.2)."""
    if len(data) < 1024:
        return data
    changed = bytearray(data)
    header_bytes, entries_lba = struct.unpack_from("<I", data, 524)[0], struct.unpack_from("<Q", data, 584)[0]
    count, entry_bytes = struct.unpack_from("<II", data, 592)
    if header_bytes <= 512 and count * entry_bytes < len(data) and entries_lba < len(data):
        table = data[512 * entries_lba :][: count * entry_bytes]
        struct.pack_into("<I", changed, 600, zlib.crc32(table))
        struct.pack_into("<I", changed, 528, 0)
        struct.pack_into("<I", changed, 528, zlib.crc32(changed[512 : 512 + header_bytes]))
    return bytes(changed)


def _vhd_sum(data: bytes) -> bytes:
    if len(data) < VHD_FOOTER_BYTES:
        return data
    return data[:-448] + struct.pack(">I", footer_checksum(data[-VHD_FOOTER_BYTES:])) + data[-444:]


def _tar_sum(data: bytes) -> bytes:
    if len(data) < 512 or data.startswith(GZIP_MAGIC):
        return data
    return data[:148] + b"%06o\0 " % (sum(data[:148]) + 256 + sum(data[156:512])) + data[156:]


def _disk_sums(data: bytes) -> bytes:
    if data.startswith(b"disk.raw\0"):
        return _tar_sum(data)
    return _vhd_sum(_gpt_sums(data)) if data[-VHD_FOOTER_BYTES:].startswith(b"conectix") else _gpt_sums(data)


def _ccel_sum(data: bytes) -> bytes:
    if len(data) < TABLE_BYTES:
        return data
    return data[:9] + bytes([-(sum(data[:9]) + sum(data[10:TABLE_BYTES])) % 256]) + data[10:]


def runtime_log(data: bytes) -> None:
    """As `guest` and `compare` use it; what was quoted is anything."""
    log = parse_runtime_log(data)
    for register in (TD_REGISTER, TPM_REGISTER):
        for quoted in (Digest.zero(Algorithm.SHA256), Digest.zero(Algorithm.SHA384)):
            appraise_given(register, quoted, log.of(register), (), is_measured=True)
    with suppress(TeekitError):
        for one in log.logs:
            forged_texts(one)


def guest_answer(data: bytes) -> None:
    parse_guest_answer(data)


TARGETS = {
    "runtime log": Target(runtime_log, seeds.runtime_logs),
    "guest answer": Target(guest_answer, seeds.guest_answers),
    "pe": Target(pe, seeds.pes),
    "uki": Target(uki, seeds.ukis),
    "companion": Target(companion, seeds.addons),
    "yaml": Target(yaml, seeds.yamls),
    "gpt": Target(gpt, seeds.gpts, _gpt_sums),
    "fat": Target(fat, seeds.fats),
    "vhd": Target(vhd, seeds.vhds, _vhd_sum),
    "targz": Target(targz, seeds.archives, _tar_sum),
    "disk": Target(disk, seeds.any_disks, _disk_sums),
    "initrd": Target(explaining.initrd, explaining.initrds),
    "compressed": Target(explaining.compressed, explaining.members),
    "elf": Target(explaining.elf, explaining.elfs),
    "bzimage": Target(explaining.bzimage, explaining.kernels),
    "bundle": Target(explaining.bundle, explaining.bundles),
    "file system": Target(explaining.file_system, explaining.images),
    "partitions": Target(explaining.partitions, explaining.disks),
    "qcow2": Target(explaining.qcow2_disk, explaining.qcow2s),
    "manifest": Target(explaining.manifest, explaining.manifests),
    "explain": Target(explaining.pairs, explaining.files),
    "tdvf": Target(tdvf, seeds.firmwares),
    "firmware-volume": Target(firmware_volume, seeds.firmware_volumes),
    "varstore": Target(varstore, seeds.variable_stores),
    "tpm-log": Target(tpm_log, seeds.event_logs),
    "ccel": Target(ccel, seeds.ccels, _ccel_sum),
    "dstack": Target(dstack, seeds.dstack_logs),
    "quote": Target(quote, seeds.quotes),
    "carrier": Target(carrier, seeds.carriers),
    "msgpack": Target(msgpack, lambda: seeds.attestations()[1:]),
    "scale": Target(scale, lambda: seeds.attestations()[:1]),
    "tpm-tools": Target(tpm_tools, seeds.tpm_tools_attestations),
    "ima": Target(ima_list, seeds.ima_lists),
    "cel": Target(canonical_log, seeds.canonical_logs),
    "azure": Target(azure_evidence, seeds.azure_evidence),
    "hcl": Target(hcl_report, seeds.hcl_reports),
    "tpm-quote": Target(tpm_quote, seeds.tpm_quotes),
    "google-certificate": Target(google_certificate, seeds.google_certificates),
    "google-instance": Target(google_instance, seeds.google_instances),
    "tpm-public": Target(tpm_public, seeds.tpm_publics),
    "evidence": Target(evidence, seeds.evidence),
    "measurements": Target(measurements, seeds.measurements),
    "reference": Target(reference, seeds.references),
    "report": Target(report, seeds.reports_of_rebuilds),
    "published": Target(published, seeds.published),
    "endorsement": Target(endorsement, seeds.endorsements),
    "inputs": Target(inputs, seeds.inputs),
    "lock": Target(package_lock, seeds.locks),
    "npm-lock": Target(projects.npm_lock, projects.npm_locks),
    "smells": Target(projects.smelling, projects.scripts),
    "summary": Target(projects.summary, projects.summaries),
    "signature": Target(signed.quote_signature, signed.quote_seeds),
    "certificate": Target(signed.certificate, signed.certificate_seeds),
    "collateral": Target(signed.collateral, signed.collateral_seeds),
    "envelope": Target(signed.envelope, signed.envelope_seeds),
    "statement": Target(signed.statements, signed.statement_seeds),
    "rebuilderd": Target(signed.rebuilder_list, signed.rebuilder_list_seeds),
    "log-policy": Target(signed.log_policy, signed.log_policy_seeds),
    "log-proof": Target(signed.log_proof, signed.log_proof_seeds),
}
