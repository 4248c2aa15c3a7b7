"""What an honest guest may hold besides the published value. The published events are of real boots (tests/assets/boots, pcrlock)."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from builders import eventlog as build
from teekit_verify.appraisal.facts import LaterState, StateKind
from teekit_verify.appraisal.guest_states import (
    GuestState,
    SecureBoot,
    continued_by_ima,
    known_states,
    logged_secure_boot,
    reported_secure_boot,
)
from teekit_verify.appraisal.replayed import replayed
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import UnsupportedInputError
from teekit_verify.documents.model import AcceptableValue, Policy, PredictedEvent, ReferenceRegister, RegisterValue
from teekit_verify.evidence.eventlog import EventLog, LogKind, parse_event_log
from teekit_verify.evidence.files import read_log
from teekit_verify.reference.formats.base import match
from teekit_verify.registers.events import Event, EventType
from teekit_verify.registers.registers import Register, pcr, rtmr

SHA256 = Algorithm.SHA256
BASE = Digest(SHA256, b"\7" * 32)
IMA = build.ASSETS / "ima-cc.txt"


def _extended(value: bytes, *texts: str) -> bytes:
    """TPM2_PCR_Extend with the digest of each text."""
    for text in texts:
        value = hashlib.sha256(value + hashlib.sha256(text.encode()).digest()).digest()
    return value


@pytest.mark.parametrize(
    "phases",
    [
        ("enter-initrd",),
        ("enter-initrd", "leave-initrd", "sysinit", "ready"),
        ("sysinit", "ready"),
        ("enter-initrd", "leave-initrd", "sysinit", "ready", "shutdown", "final"),
    ],
)
def test_phases_that_the_system_has_reached(phases: tuple[str, ...]) -> None:
    quoted = {pcr(11): Digest(SHA256, _extended(BASE.value, *phases))}
    (state,) = known_states(quoted, {pcr(11): match("x", BASE)}, None, None, None)
    assert state == GuestState(pcr(11), BASE, LaterState(StateKind.PHASES, phases))


@pytest.mark.parametrize("phases", [("leave-initrd",), ("enter-initrd", "sysinit"), ("ready",), ("enter-initrd\0",)])
def test_no_other_phases(phases: tuple[str, ...]) -> None:
    value = Digest(SHA256, _extended(BASE.value, *phases))
    assert known_states({pcr(11): value}, {pcr(11): match("x", BASE)}, None, None, None) == ()
    right = Digest(SHA256, _extended(BASE.value, "enter-initrd"))
    assert known_states({pcr(12): right}, {pcr(12): match("x", BASE)}, None, None, None) == ()


def _event(name: str, cause: str, event_type: EventType = EventType.EV_EFI_BOOT_SERVICES_APPLICATION) -> PredictedEvent:
    return PredictedEvent(event_type, (Digest.of(SHA256, name.encode()),), name, cause)


def _published(*events: PredictedEvent) -> ReferenceRegister:
    value = bytes(32)
    for event in events:
        value = hashlib.sha256(value + event.digests[0].value).digest()
    register = RegisterValue((Digest(SHA256, value),), "", events)
    return ReferenceRegister(Policy.MATCH, "", (AcceptableValue("x", register),))


ACTION = _event("action", "firmware", EventType.EV_EFI_ACTION)
UKI, KERNEL, OTHER = _event("uki", "UKI"), _event("kernel", "UKI section .linux"), _event("grub", "disk")


def test_with_secure_boot_on_the_stub_measures_no_kernel() -> None:
    quoted = {pcr(4): Digest(SHA256, _extended(bytes(32), "action", "uki"))}
    published = _published(ACTION, UKI, KERNEL)
    for state in (SecureBoot.ON, SecureBoot.EITHER):
        (found,) = known_states(quoted, {pcr(4): published}, None, None, state)
        assert (found.later.state, found.boot) == (
            StateKind.SECURE_BOOT,
            published.acceptable[0].register.value(SHA256),
        )
    for other in (SecureBoot.OFF, None):
        assert known_states(quoted, {pcr(4): published}, None, None, other) == ()


def test_with_secure_boot_on_the_log_has_no_kernel_either() -> None:
    """It leads to the quoted value, which is no reason to look no further."""
    quoted = {pcr(4): Digest(SHA256, _extended(bytes(32), "action", "uki"))}
    events = tuple(Event(pcr(4), event.type, event.digests, event.description) for event in (ACTION, UKI))
    log = EventLog(LogKind.TPM, (SHA256,), events, 0)
    heard = replayed(log, [SHA256])
    (found,) = known_states(quoted, {pcr(4): _published(ACTION, UKI, KERNEL)}, heard, None, SecureBoot.ON)
    assert (found.later.state, found.is_extended) == (StateKind.SECURE_BOOT, False)


@pytest.mark.parametrize("events", [(ACTION, OTHER, KERNEL), (ACTION, UKI, OTHER, KERNEL), (KERNEL, UKI)])
def test_a_kernel_that_no_uki_covers_is_never_left_out(events: tuple[PredictedEvent, ...]) -> None:
    names = [event.description for event in events if event is not KERNEL]
    quoted = {pcr(4): Digest(SHA256, _extended(bytes(32), *names))}
    assert known_states(quoted, {pcr(4): _published(*events)}, None, None, SecureBoot.ON) == ()


def test_an_ima_list_explains_rtmr2_only_if_it_leads_there() -> None:
    ima = read_log(IMA)
    base = Digest(Algorithm.SHA384, b"\7" * 48)
    listed = bytes.fromhex(IMA.read_text().split()[1])
    quoted = {rtmr(2): Digest(Algorithm.SHA384, hashlib.sha384(base.value + listed).digest())}
    published = {rtmr(2): match("x", base)}
    (found,) = _by_list(quoted, published, ima)
    assert (found.later.state, found.later.entries) == (StateKind.IMA, 1)
    assert known_states(quoted, published, None, None, None) == ()
    other = {rtmr(2): Digest(Algorithm.SHA384, b"\1" * 48)}
    assert _by_list(other, published, ima) == ()


def _by_list(
    quoted: dict[Register, Digest], published: dict[Register, ReferenceRegister], ima: EventLog
) -> tuple[GuestState, ...]:
    return known_states(quoted, published, None, continued_by_ima(quoted, [published], None, ima), None)


def test_a_list_is_followed_from_no_more_values_than_a_reference_has() -> None:
    """Whoever sends the list chooses its length."""
    ima, quoted = read_log(IMA), {rtmr(2): Digest(Algorithm.SHA384, b"\1" * 48)}
    platforms = [{rtmr(2): match("x", Digest(Algorithm.SHA384, bytes([number] * 48)))} for number in range(2, 70)]
    with pytest.raises(UnsupportedInputError, match="69 values of RTMR2, but an IMA list is replayed from 64 at most"):
        continued_by_ima(quoted, platforms, None, ima)
    same = [{rtmr(2): match("x", Digest(Algorithm.SHA384, bytes([2] * 48)))}] * 1000
    assert continued_by_ima(quoted, same, None, ima) is not None


def _ng(name: str, algorithm: bytes = b"sha384", digest: bytes = bytes(48)) -> bytes:
    """Template ima-ng: each field with its length as a little-endian u32 before it."""
    fields = algorithm + b":\0" + digest, name.encode() + b"\0"
    return b"".join(len(field).to_bytes(4, "little") + field for field in fields)


def _listed(template: str, data: bytes) -> bytes:
    """An entry of binary_runtime_measurements in SHA-384: register, digest, template; of all but `ima`, the length of the data."""
    length = len(data).to_bytes(4, "little") if template != "ima" else b""
    name = len(template).to_bytes(4, "little") + template.encode()
    return (2).to_bytes(4, "little") + hashlib.sha384(data).digest() + name + length + data


COMMAND_LINE = "init=/bin/sh ".ljust(137).encode("utf-16-le") + b"\0\0"
"""Of 276 bytes, as systemd-stub measures that of an addon."""


def _old(data: bytes) -> bytes:
    """The same as an entry of the old template: digest, and a name of 255 bytes."""
    name = (2).to_bytes(4, "little") + hashlib.sha384(data).digest() + (3).to_bytes(4, "little") + b"ima"
    return name + data[:20] + (255).to_bytes(4, "little") + data[20:275]


@pytest.mark.parametrize(
    ("entries", "measured", "explains"),
    [
        ([_listed("ima-ng", _ng("boot_aggregate")), _listed("ima-ng", _ng("/init"))], 2, True),
        ([_listed("ima-ng", _ng("/init"))], 1, False),
        ([_old(COMMAND_LINE)], 1, False),
        ([_listed("ima-ng", _ng("boot_aggregate")), _old(COMMAND_LINE)], 2, False),
        ([_listed("ima-ng", _ng("boot_aggregate")), _listed("ima-ng", _ng("a\nlinux /evil"))], 2, False),
        ([_listed("ima-ng", _ng("boot_aggregate")), _listed("ima-ng", _ng("/init", digest=bytes(7)))], 2, False),
        ([_listed("ima-ng", _ng("boot_aggregate")), _listed("ima-ng", _ng("/init") + b"\0")], 2, False),
    ],
    ids=[
        "a list",
        "without its beginning",
        "a command line",
        "one further down",
        "a script",
        "an odd digest",
        "a rest",
    ],
)
def test_what_something_else_measured_is_no_entry_of_ima(
    tmp_path: Path,
    entries: list[bytes],
    measured: int,
    explains: bool,  # noqa: FBT001
) -> None:
    (tmp_path / "ima").write_bytes(b"".join(entries))
    ima = read_log(tmp_path / "ima")
    base = value = bytes([7] * 48)
    for digest in [event.digest(Algorithm.SHA384).value for event in ima.events][:measured]:
        value = hashlib.sha384(value + digest).digest()
    published = {rtmr(2): match("x", Digest(Algorithm.SHA384, base))}
    found = _by_list({rtmr(2): Digest(Algorithm.SHA384, value)}, published, ima)
    assert bool(found) is explains


def test_what_evidence_says_of_secure_boot() -> None:
    assert reported_secure_boot({"secure-boot": "True"}) is SecureBoot.ON
    assert reported_secure_boot({"secure-boot": "False"}) is SecureBoot.OFF
    assert reported_secure_boot({}) is None
    data = (build.ASSETS / "gcp-cos113-ccel-data.bin").read_bytes()
    assert logged_secure_boot(parse_event_log(data)) is SecureBoot.OFF
    name = "SecureBoot".encode("utf-16-le")
    place = data.index(name) + len(name)
    assert logged_secure_boot(parse_event_log(data[:place] + b"\1" + data[place + 1 :])) is None, "forged"
    on = read_log(build.ASSETS.parent / "boots" / "257-plain-sb.bin")
    assert logged_secure_boot(on) is SecureBoot.ON
