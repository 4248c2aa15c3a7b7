"""teekit-measure.service: what is measured, in which order, and that nothing starts otherwise. Expected digests are by sha384sum."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import subprocess
import tempfile
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builders import measuring, swtpm
from builders.sysfs_rtmr import SysfsRtmr
from teekit_guest import layout, measure, measured_registers, tpm
from teekit_guest.measured_registers import Pcr15
from teekit_guest.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MANIFEST = b'{"app": "https://a.example/app.js", "sha256": "00"}\n'
APP = b"export default {}"
HOSTNAMES = b"a.example,b.example"
LOGGER = logging.getLogger("test_measure")


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the launcher left: two manifests, of which the first has an app, and two hostnames."""
    measuring.places(tmp_path, monkeypatch)
    given("manifest-0", MANIFEST)
    given("manifest-1", b"refused")
    given("app-0", APP)
    given("hostnames", HOSTNAMES)
    return tmp_path


def given(name: str, content: bytes) -> None:
    (layout.GIVEN / name).write_bytes(content)


@pytest.fixture
def rtmr(machine: Path, monkeypatch: pytest.MonkeyPatch) -> SysfsRtmr:
    return SysfsRtmr(measured_registers.RTMR3, monkeypatch)


def ready() -> list[int]:
    return [kettle for kettle in range(layout.KETTLES) if (layout.KETTLE_FOLDERS / str(kettle) / layout.READY).exists()]


def digest(kind: str, content: bytes, program: str) -> str:
    """docs/app-identity.md, by coreutils."""
    script = "{ printf 'teekit measured %s v1\\0' \"$1\"; cat; } | " + program
    done = subprocess.run(["sh", "-c", script, "sh", kind], input=content, check=True, capture_output=True)
    return done.stdout.decode().split()[0]


def expected(program: str) -> list[str]:
    sha256 = subprocess.run(["sha256sum"], input=APP, check=True, capture_output=True).stdout[:64]
    contents = [
        ("manifest", MANIFEST),
        ("manifest", b"refused"),
        ("app", b"0 " + sha256),
        ("hostnames", HOSTNAMES),
        ("closed", b""),
    ]
    return [digest(kind, content, program) for kind, content in contents]


def test_a_td_extends_rtmr3_once_for_each_event_and_then_kettles_start(rtmr: SysfsRtmr) -> None:
    assert measure.main() == 0
    assert [write.hex() for write in rtmr.writes] == expected("sha384sum")
    assert ready() == [0]
    assert layout.MEASURED.exists()
    assert not layout.NOT_MEASURED.exists()


def test_the_log_says_what_the_register_is_and_what_was_measured(rtmr: SysfsRtmr) -> None:
    assert measure.main() == 0
    log = layout.RUNTIME_LOG.read_bytes()
    assert measuring.replayed(log, "sha384", rtmr=3) == rtmr.value.hex()
    records = measuring.records(log)
    assert [record["recnum"] for record in records] == [0, 1, 2, 3, 4]
    assert {record["content_type"] for record in records} == {"teekit"}
    contents = [(record["content"]["type"], b64decode(record["content"]["bytes"])) for record in records]
    assert contents[0] == ("manifest", MANIFEST)
    assert contents[2] == ("app", f"0 {hashlib.sha256(APP).hexdigest()}".encode())
    assert contents[3:] == [("hostnames", HOSTNAMES), ("closed", b"")]
    for record, (kind, content) in zip(records, contents, strict=True):
        assert record["digests"] == [{"hashAlg": "sha384", "digest": digest(kind, content, "sha384sum")}]
    assert layout.RUNTIME_LOG.stat().st_mode & 0o7777 == 0o644


def test_an_event_is_in_the_log_before_it_is_in_the_register(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def before() -> None:
        seen.append(len(measuring.records(layout.RUNTIME_LOG.read_bytes())))

    SysfsRtmr(measured_registers.RTMR3, monkeypatch, before)
    assert measure.main() == 0
    assert seen == [1, 2, 3, 4, 5]


def test_the_bytes_that_run_are_a_copy_that_the_launcher_cannot_change(rtmr: SysfsRtmr) -> None:
    with (layout.GIVEN / "app-0").open("r+b") as held:
        assert measure.main() == 0
        held.write(b"EXPORT")
        held.flush()
        assert layout.app(0).read_bytes() == APP
        assert layout.app(0).stat().st_ino != os.fstat(held.fileno()).st_ino
    assert layout.app(0).stat().st_mode & 0o7777 == 0o640
    assert [layout.given_manifest(i).read_bytes() for i in (0, 1)] == [MANIFEST, b"refused"]
    assert layout.HOSTNAMES.read_bytes() == HOSTNAMES


@pytest.mark.parametrize("failure", ["extend", "read", "value", "no register", "tpm"])
def test_nothing_starts_where_extending_fails(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], failure: str
) -> None:
    reason = {
        "extend": "RTMR3 cannot be extended: Input/output error",
        "read": "RTMR3 cannot be read: Permission denied",
        "value": "RTMR 3 had a value before anything was measured",
        "no register": "RTMR3 cannot be read: No such file or directory",
        "tpm": f"{machine}/dev/tpmrm0 cannot be opened: No such file or directory",
    }[failure]
    if failure == "tpm":
        tpm.VERSION.write_text("2\n")
    elif failure == "no register":
        measured_registers.CPUINFO.write_text("processor\t: 0\nflags\t\t: fpu tdx_guest vme\n")
    else:
        rtmr = SysfsRtmr(measured_registers.RTMR3, monkeypatch)
        if failure == "extend":
            rtmr.fails_with = errno.EIO
        elif failure == "read":
            monkeypatch.setattr(os, "open", refusing(os.open))
        else:
            rtmr.value = bytes(47) + b"\1"
    assert measure.main() == 1
    assert capsys.readouterr().out == f"\nteekit: no kettle is started: {reason}\n"
    assert ready() == []
    assert layout.NOT_MEASURED.exists()
    assert not layout.MEASURED.exists()


def refusing(kernels: object) -> object:
    def opened(path: object, flags: int, *rest: int, **named: int) -> int:
        if str(path) == str(measured_registers.RTMR3):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return kernels(path, flags, *rest, **named)  # type: ignore[operator,no-any-return]

    return opened


def test_somebody_else_extends_in_between(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def before() -> None:
        if len(register.writes) == 2:
            register.value = hashlib.sha384(register.value + bytes(48)).digest()

    register = SysfsRtmr(measured_registers.RTMR3, monkeypatch, before)
    assert measure.main() == 1
    assert "RTMR 3 does not have the value that follows from what was measured" in capsys.readouterr().out
    assert ready() == []


@pytest.mark.parametrize("first", [0, errno.EIO])
def test_it_is_never_done_twice(rtmr: SysfsRtmr, first: int) -> None:
    """Whatever came of the first time."""
    rtmr.fails_with = first
    assert measure.main() == (1 if first else 0)
    value, log, started = rtmr.value, layout.RUNTIME_LOG.read_bytes(), ready()
    rtmr.fails_with = 0
    given("app-1", b"another app")
    given("manifest-0", b"another manifest")
    assert measure.main() == 1
    assert (rtmr.value, layout.RUNTIME_LOG.read_bytes(), ready()) == (value, log, started)
    assert not layout.app(1).exists()


def test_a_register_that_was_extended_in_this_boot_is_not_extended_again(machine: Path, rtmr: SysfsRtmr) -> None:
    """Even if whoever wants that could remove what says so."""
    assert measure.main() == 0
    value = rtmr.value
    for path in (layout.MEASURING, layout.MEASURED, layout.RUNTIME_LOG, layout.app(0)):
        path.unlink()
    layout.app(0).parent.rmdir()
    (layout.KETTLE_FOLDERS / "0" / layout.READY).unlink()
    assert measure.main() == 1
    assert rtmr.value == value
    assert ready() == []


def test_a_machine_without_registers_starts_and_its_log_is_empty(machine: Path) -> None:
    assert measure.main() == 0
    assert ready() == [0]
    assert layout.RUNTIME_LOG.read_bytes() == b""


def test_no_manifest_and_no_hostname(machine: Path, rtmr: SysfsRtmr) -> None:
    for path in layout.GIVEN.iterdir():
        path.unlink()
    given("hostnames", b"")
    assert measure.main() == 0
    assert [write.hex() for write in rtmr.writes] == [
        digest(kind, b"", "sha384sum") for kind in ("hostnames", "closed")
    ]
    assert ready() == []


def test_without_hostnames_somebody_forgot_something(
    machine: Path, rtmr: SysfsRtmr, capsys: pytest.CaptureFixture[str]
) -> None:
    (layout.GIVEN / "hostnames").unlink()
    assert measure.main() == 1
    assert "nobody says which hostnames there are" in capsys.readouterr().out
    assert rtmr.writes == []


@pytest.mark.parametrize("name", ["app-0", "manifest-0", "hostnames"])
def test_only_regular_files_are_read(
    machine: Path, rtmr: SysfsRtmr, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Root follows no link of the launcher's, and waits at no pipe."""
    place = layout.GIVEN / name
    secret = machine / "secret"
    secret.write_bytes(b"root's alone")
    makers: list[Callable[[], None]] = [lambda: place.symlink_to(secret), lambda: os.mkfifo(place), place.mkdir]
    for make in makers:
        if place.is_dir():
            place.rmdir()
        else:
            place.unlink()
        make()
        layout.MEASURING.unlink(missing_ok=True)
        assert measure.main() == 1
        assert rtmr.writes == []
        assert ready() == []
    assert b"root's alone" not in b"".join(
        path.read_bytes() for path in (machine / "run/teekit").rglob("*") if path.is_file()
    )


@pytest.mark.parametrize(("name", "limit"), [("app-0", "MOST_APP_BYTES"), ("manifest-1", "MOST_BYTES")])
def test_too_large(
    rtmr: SysfsRtmr, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, limit: str
) -> None:
    monkeypatch.setattr(measure, limit, 100)
    given(name, bytes(101))
    assert measure.main() == 1
    assert f"{name.replace('-', ' ') if name[0] == 'a' else name} is larger than 100 bytes" in capsys.readouterr().out
    assert rtmr.writes == []


def test_what_nobody_thought_of_starts_nothing(
    rtmr: SysfsRtmr, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measure, "keep_logs_of_the_boot", lambda: 1 / 0)
    assert measure.main() == 1
    assert capsys.readouterr().out == "\nteekit: no kettle is started: measuring failed: ZeroDivisionError\n"
    assert (ready(), layout.MEASURED.exists()) == ([], False)


def test_logs_of_the_boot_are_kept_where_they_can_be_read(machine: Path) -> None:
    measure.CCEL.write_bytes(b"log of the TD")
    assert measure.main() == 0
    assert layout.CCEL_COPY.read_bytes() == b"log of the TD"
    assert not layout.TPM_LOG_COPY.exists()


def test_where_the_registers_are() -> None:
    """Linux, Documentation/ABI/testing/sysfs-devices-virtual-misc-tdx_guest; the processor's flag: arch/x86/include/asm/cpufeatures.h."""
    source = Path(measured_registers.__file__).read_text()
    assert 'Path("/sys/devices/virtual/misc/tdx_guest/measurements/rtmr3:sha384")' in source
    assert 'Path("/proc/cpuinfo")' in source
    assert measured_registers.RTMR_BYTES == 48


@pytest.fixture
def short() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.parametrize("banks", ["sha256,sha384", "sha256", "sha1,sha256,sha384,sha512"])
def test_a_real_tpm_has_pcr_15_as_the_events_lead_to(short: Path, banks: str) -> None:
    events = measure.laid_out()
    with swtpm.exchange_with(short, banks) as exchange:
        device = tpm.Tpm(exchange.ask)
        measure.measure(events, [Pcr15(device)])
        log = layout.RUNTIME_LOG.read_bytes()
        for bank in banks.split(","):
            assert device.value(15, bank).hex() == measuring.replayed(log, bank, pcr=15)
            if bank in ("sha256", "sha384"):
                found = [record["digests"] for record in measuring.records(log)]
                values = [one["digest"] for digests in found for one in digests if one["hashAlg"] == bank]
                assert values == expected(f"{bank}sum")
        others = [pcr for pcr in range(24) if pcr not in {15, *range(17, 23)}]
        assert set(device.values(others, "sha256").values()) == {bytes(32)}


def test_both_registers_have_every_event(short: Path, rtmr: SysfsRtmr) -> None:
    events = measure.laid_out()
    with swtpm.tpm_with(short, "sha256,sha384") as device:
        measure.measure(events, [measured_registers.Rtmr3(), Pcr15(device)])
        log = layout.RUNTIME_LOG.read_bytes()
        assert measuring.replayed(log, "sha384", rtmr=3) == rtmr.value.hex() == device.value(15, "sha384").hex()
    assert [json.dumps(record)[:25] for record in measuring.records(log)[:2]] == [
        '{"recnum": 0, "rtmr": 3, ',
        '{"recnum": 0, "pcr": 15, ',
    ]


def test_a_pcr_that_has_a_value_is_refused(short: Path) -> None:
    events = measure.laid_out()
    with swtpm.tpm_with(short, "sha256,sha384") as device:
        device.extend(15, {"sha384": bytes(48)})
        with pytest.raises(Refused, match="PCR 15 had a value before anything was measured"):
            measure.measure(events, [Pcr15(device)])
