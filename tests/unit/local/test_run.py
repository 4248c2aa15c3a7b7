"""A local run with a stand-in for QEMU, which prints on the console what a guest would."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from builders import given, local_qemu
from builders.guest import free_ports
from builders.local_qemu import PAUSE, answers
from builders.progress import Recorder
from builders.tools import require
from builders.uki import build_uki, default_sections
from teekit_guest import log
from teekit_verify.artifacts.uki import open_uki
from teekit_verify.boot import qemu
from teekit_verify.boot.artifact import Bootable, bootable
from teekit_verify.core.digest import Algorithm
from teekit_verify.core.errors import TeekitError, ToolMissingError
from teekit_verify.evidence.quote import parse_quote
from teekit_verify.local import run
from teekit_verify.local.dummy_quote import MARK
from teekit_verify.local.run import Options, Ready, run_local
from teekit_verify.local.servers import Metadata, serving
from teekit_verify.prediction.uki import predict_uki
from teekit_verify.registers.registers import rtmr

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
FIRST_PORT = free_ports(6)
PORTS, KETTLE_PORT = (FIRST_PORT, FIRST_PORT + 1), FIRST_PORT + 2
OPTIONS = Options(
    Metadata((b"{}",)), kettle_port=KETTLE_PORT, attestation_port=FIRST_PORT + 5, seconds=600, accelerators=("tcg",)
)


class EnoughError(Exception):
    """Ends a run that is ready, as Ctrl-C does."""


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bootable]:
    for program in ("sfdisk", "mformat", "mmd", "mcopy"):
        require(program)
    path = tmp_path_factory.mktemp("image") / "image.efi"
    path.write_bytes(build_uki())
    with bootable(path) as made:
        yield made


@pytest.fixture
def place(booted: Bootable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the stand-in goes (`bin`), and temporary files (`t`)."""
    (tmp_path / "t").mkdir()
    for name in ("code.fd", "variables.fd"):
        (tmp_path / name).touch()
    for name, port in zip(("METADATA_PORT", "QUOTE_PORT"), PORTS, strict=True):
        monkeypatch.setattr(run, name, port)
    monkeypatch.setattr(run, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr(run, "bootable", lambda _: contextlib.nullcontext(booted))
    monkeypatch.setattr(qemu, "find_firmware", lambda: qemu.Firmware(tmp_path / "code.fd", tmp_path / "variables.fd"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "t"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def never(ready: Ready) -> None:
    pytest.fail(f"ready: {ready}")


def start(place: Path, options: Options = OPTIONS) -> tuple[Ready, list[str]]:
    """Run until it is ready, and what was said until then."""
    seen, progress = [], Recorder()

    def when_ready(ready: Ready) -> None:
        seen.append(ready)
        raise EnoughError

    with pytest.raises(EnoughError):
        run_local(place / "image.efi", options, NOW, progress, when_ready)
    return seen[0], progress.said


def is_gone(pid: int | None) -> bool:
    assert pid is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_ready_when_its_kettle_answers(place: Path) -> None:
    fake = local_qemu.install(place / "bin", *answers(0))
    ready, said = start(place)
    assert ready.kettles == (f"http://localhost:{KETTLE_PORT}",)
    assert ready.accelerator == "tcg"
    assert (ready.metadata, ready.quotes) == (
        f"http://localhost:{PORTS[0]}",
        f"http://localhost:{PORTS[1]}",
    )
    assert said == ["boot in QEMU (tcg) until a kettle answers", "kettle 0 answers"]
    assert is_gone(fake.pid)
    assert list((place / "t").iterdir()) == []


def test_ready_when_all_kettles_answer_in_any_order(place: Path) -> None:
    fake = local_qemu.install(place / "bin", *answers(2, 0), PAUSE, *answers(0, 1))
    ready, said = start(place, replace(OPTIONS, kettles=3))
    assert ready.kettles == tuple(f"http://localhost:{KETTLE_PORT + i}" for i in range(3))
    assert said[0] == "boot in QEMU (tcg) until 3 kettles answer"
    assert sorted(said[1:]) == ["kettle 0 answers", "kettle 1 answers", "kettle 2 answers"]
    assert f"hostfwd=tcp:127.0.0.1:{KETTLE_PORT + 2}-:3003" in fake.calls[-1]


def test_the_guest_announces_kettles_in_these_words(capsys: pytest.CaptureFixture[str]) -> None:
    log.announce("kettle 11 answers on port 3012")  # teekit_guest/launcher.py, whose own test has the sentence
    found = run._ANSWERS.search(capsys.readouterr().out.encode())
    assert found is not None
    assert found[1] == b"11"


@pytest.mark.parametrize("line", ["no kettle is started: x", "kettle 0 is not started: the app has another SHA-256"])
def test_what_the_guest_refuses_is_told_at_once(place: Path, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    log.announce(line)
    fake = local_qemu.install(place / "bin", *capsys.readouterr().out.splitlines())
    with pytest.raises(TeekitError, match=f"^the guest says: {line}$"):
        run_local(place / "image.efi", OPTIONS, NOW, Recorder(), never)
    assert is_gone(fake.pid)


def test_a_kettle_that_is_refused_is_a_warning_where_others_run(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log.announce("kettle 1 is not started: there is no manifest for it")
    refused = capsys.readouterr().out.splitlines()
    local_qemu.install(place / "bin", *refused, *answers(0, 2))
    ready, said = start(place, replace(OPTIONS, kettles=3, kettle_port=FIRST_PORT + 2))
    assert ready.kettles == (f"http://localhost:{KETTLE_PORT}", f"http://localhost:{KETTLE_PORT + 2}")
    assert "warning: the guest says: kettle 1 is not started: there is no manifest for it" in said


def test_metadata_and_dummy_quotes_are_served_meanwhile(place: Path, booted: Bootable) -> None:
    local_qemu.install(place / "bin", *answers(0))
    fetched = []

    def when_ready(ready: Ready) -> None:
        for address in (f"{ready.metadata}/manifest", f"{ready.quotes}/attest/{'ab' * 64}"):
            with urllib.request.urlopen(address, timeout=600) as answer:  # noqa: S310 - loopback
                fetched.append(answer.read())
        raise EnoughError

    with pytest.raises(EnoughError):
        run_local(place / "image.efi", OPTIONS, NOW, Recorder(), when_ready)
    manifest, quote = fetched
    assert manifest == b"e30="  # base64 of {}
    report = parse_quote(quote).report
    assert (report.mrconfigid[:20], report.report_data) == (MARK, b"\xab" * 64)
    with open_uki(booted.uki) as uki:
        predicted = {item.register: item.value(Algorithm.SHA384) for item in predict_uki(uki, booted.gpt, vtpm=False)}
    assert report.rtmrs[1:3] == (predicted[rtmr(1)], predicted[rtmr(2)])
    assert len({value.value for value in report.rtmrs[1:3]} - {bytes(48)}) == 2
    assert report.rtmrs[0].value == report.rtmrs[3].value == bytes(48)


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [("refuses", "QEMU does not start"), ("fails", "QEMU's status is 'internal-error', expected 'running'")],
)
def test_kvm_falls_back_to_tcg(place: Path, monkeypatch: pytest.MonkeyPatch, trouble: str, reason: str) -> None:
    monkeypatch.setattr(qemu, "accelerators", lambda: ("kvm", "tcg"))
    local_qemu.install(place / "bin", PAUSE, *answers(0), **{trouble: ["kvm"]})  # type: ignore[arg-type]
    ready, said = start(place, replace(OPTIONS, accelerators=None))
    assert ready.accelerator == "tcg"
    assert (
        said
        == [
            "boot in QEMU (kvm) until a kettle answers",
            f"kvm cannot run this guest ({reason}), trying tcg",
            "boot in QEMU (tcg) until a kettle answers",
            "kettle 0 answers",
        ][trouble == "refuses" :]
    )


def test_a_guest_that_runs_with_kvm_is_not_started_again(place: Path) -> None:
    fake = local_qemu.install(place / "bin", *answers(0), None, ends=True)
    options = replace(OPTIONS, accelerators=("kvm", "tcg"))
    with pytest.raises(TeekitError):
        run_local(place / "image.efi", options, NOW, Recorder(), lambda _: fake.go_on())
    assert "-accel tcg" not in "".join(fake.calls)


def test_qemu_does_not_start(place: Path) -> None:
    local_qemu.install(place / "bin", refuses=["tcg"])
    with pytest.raises(TeekitError) as caught:
        run_local(place / "image.efi", OPTIONS, NOW, Recorder(), never)
    assert caught.value.message == "QEMU does not start; the last lines were:\n  | fake: no such accelerator"
    assert list((place / "t").iterdir()) == []


def test_a_guest_that_ends_early(place: Path) -> None:
    local_qemu.install(place / "bin", PAUSE, "Kernel panic", "reboot: \033[31mnow", ends=True)
    with pytest.raises(TeekitError) as caught:
        run_local(place / "image.efi", OPTIONS, NOW, Recorder(), never)
    assert (
        caught.value.message
        == (
            "QEMU's status is 'ended', expected 'running'; the last lines were:\n  | Kernel panic\n  | reboot: \\x1b[31mnow"  # nothing for the terminal
        )
    )


def test_a_guest_that_ends_later(place: Path) -> None:
    fake = local_qemu.install(place / "bin", *answers(0), None, "reboot: Power down", ends=True)
    with pytest.raises(TeekitError) as caught:
        run_local(place / "image.efi", OPTIONS, NOW, Recorder(), lambda _: fake.go_on())
    assert caught.value.message.startswith("the guest ended; the last lines were:\n  | [    1.0] Linux version 6.12")
    assert caught.value.message.endswith("\n  | reboot: Power down")


def test_kettles_that_do_not_answer_in_time(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By this clock the time is over when the one has answered."""
    fake, progress = local_qemu.install(place / "bin", *answers(1)), Recorder()

    def now() -> float:
        return 1e9 if "kettle 1 answers" in progress.said else 0.0

    monkeypatch.setattr(run, "time", SimpleNamespace(monotonic=now, sleep=time.sleep))
    with pytest.raises(TeekitError) as caught:
        run_local(place / "image.efi", replace(OPTIONS, kettles=2, seconds=1.5), NOW, progress, never)
    assert caught.value.message.startswith("1 of 2 kettles answered within 1.5 s; the last lines were:\n  | [    1.0]")
    assert caught.value.hint == "Allow more time with --timeout, or look at the image with profile devtools."
    assert is_gone(fake.pid)


def test_a_guest_that_prints_nothing(place: Path) -> None:
    local_qemu.install(place / "bin")
    with pytest.raises(TeekitError, match=r"0 of 1 kettles answered within 0\.1 s; it printed nothing"):
        run_local(place / "image.efi", replace(OPTIONS, seconds=0.1), NOW, Recorder(), never)


@pytest.mark.parametrize("port", [*PORTS, KETTLE_PORT + 1])
def test_a_taken_port_ends_it_before_anything_starts(place: Path, port: int) -> None:
    fake = local_qemu.install(place / "bin")
    with serving(port, Metadata().answer), pytest.raises(TeekitError) as caught:
        run_local(place / "image.efi", replace(OPTIONS, kettles=2), NOW, Recorder(), never)
    assert caught.value.message == f"port {port} on 127.0.0.1 cannot be used: Address already in use"
    assert fake.calls == []


def test_without_qemu(place: Path) -> None:
    with pytest.raises(ToolMissingError, match="'qemu-system-x86_64' is not installed"):
        run_local(place / "image.efi", OPTIONS, NOW, Recorder(), never)


def test_dummy_quotes_have_what_the_guest_will_measure(tmp_path: Path) -> None:
    """docs/app-identity.md, by hashlib."""
    for program in ("sfdisk", "mformat", "mmd", "mcopy"):
        require(program)
    manifest = given.manifest()
    sections = [(name, content + given.MARK if name == ".osrel" else content) for name, content in default_sections()]
    (tmp_path / "marked.efi").write_bytes(build_uki(sections=sections))
    events = (
        ("manifest", manifest),
        ("app", b"0 " + hashlib.sha256(given.APP).hexdigest().encode()),
        ("hostnames", b"b.example,a.example"),
        ("closed", b""),
    )
    value = bytes(48)
    for kind, content in events:
        value = hashlib.sha384(value + given.digest(kind, content, "sha384")).digest()
    told, progress = Metadata((manifest,), "B.example, a.example,b.example"), Recorder()
    with bootable(tmp_path / "marked.efi") as marked:
        assert run._predicted_of_apps(marked, told, progress)[rtmr(3)].value == value
        assert progress.said == []
        assert run._predicted_of_apps(marked, Metadata((b"{}",)), progress) == {}
        assert progress.said[0].startswith("warning: dummy quotes have RTMR3 at zeros: ")


def test_an_image_that_does_not_measure_has_zeros_there(booted: Bootable) -> None:
    assert run._predicted_of_apps(booted, Metadata((given.manifest(),)), Recorder()) == {}
