"""`local` through main(argv): what it asks for, what it prints, and how Ctrl-C ends it. The runs are those of unit/local."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from builders import docs, local_qemu
from builders.guest import free_ports
from builders.local_qemu import answers
from builders.published_schemas import problems
from builders.tools import require
from builders.uki import build_uki
from teekit_verify import api
from teekit_verify.cli.app import main
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.local import run
from teekit_verify.local.machine import ATTESTATION_PORT, KETTLE_PORT
from teekit_verify.local.run import Options, Ready
from teekit_verify.local.servers import METADATA_PORT, QUOTE_PORT, Metadata

if TYPE_CHECKING:
    from builders.local_qemu import LocalQemu

READY = Ready(
    kettles=("http://localhost:3001", "http://localhost:3002"),
    attestation="http://localhost:3000",
    https=None,
    tpm=True,
    metadata="http://localhost:8090",
    quotes="http://localhost:8080",
    console=Path("/t/console.sock"),
    accelerator="tcg",
    seconds=61.5,
)


class Asked:
    """In place of run_local: keeps what it is asked, says that all is ready, and is interrupted."""

    def __init__(self, *, ready: bool = True, error: BaseException | None = None) -> None:
        self.ready = ready
        self.error = error or KeyboardInterrupt()
        self.image = Path()
        self.options = Options(Metadata())

    def __call__(self, image: Path, options: Options, _now: object, _progress: object, when_ready: Any) -> None:
        self.image, self.options = image, options
        if self.ready:
            when_ready(READY)
        raise self.error


def machine_says(monkeypatch: pytest.MonkeyPatch, tdx: object) -> None:
    """What the machine says when it is asked who it is, or what comes of asking."""

    def ask(url: str, *, nonce: bytes) -> SimpleNamespace:
        assert (url, len(nonce)) == ("http://localhost:3000", 32)
        if isinstance(tdx, Exception):
            raise tdx
        return SimpleNamespace(answer=SimpleNamespace(tdx=tdx))

    monkeypatch.setattr(api, "ask_guest", ask)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Asked:
    made = Asked()
    monkeypatch.setattr(run, "run_local", made)
    machine_says(monkeypatch, TeekitError("nobody listens"))
    monkeypatch.chdir(tmp_path)
    return made


def test_by_itself(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["local"]) is ExitStatus.HOLDS
    assert asked.image == Path("build/tdx-debian.efi")
    assert asked.options == Options(Metadata())
    assert capsys.readouterr().out.splitlines() == [
        "kettle 0:          http://localhost:3001",
        "kettle 1:          http://localhost:3002",
        "metadata service:  http://localhost:8090/manifest/decoded",
        "dummy TDX quotes:  http://localhost:8080/attest/HEX (64 bytes)",
        "serial console:    socat - UNIX-CONNECT:/t/console.sock",
        "check it, from another terminal (a dummy quote is never authentic, so it says REFUSED):",
        "  teekit-verify measure build/tdx-debian.efi --platform qemu --output measurements.json",
        "  teekit-verify guest http://localhost:3000 --reference measurements.json --platform qemu --allow-unchecked channel",
        "Ctrl-C ends it.",
    ]


@pytest.mark.parametrize(
    ("tdx", "platform", "verdict"), [(None, "uefi-vtpm", "NO VERDICT"), ("a quote", "qemu", "REFUSED")]
)
def test_an_image_that_asks_for_no_dummy_quotes(  # noqa: PLR0917 - a table
    tdx: object,
    platform: str,
    verdict: str,
    asked: Asked,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine_says(monkeypatch, tdx)
    assert main(["local"]) is ExitStatus.HOLDS
    out = capsys.readouterr().out
    assert f"so it says {verdict}):" in out
    assert f" --platform {platform} --allow-unchecked channel\n" in out


def test_it_says_how_to_check_what_it_was_given(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.json", "b c.json", "app.js"):
        Path(name).write_text("{}")
    main(["local", "--manifest", "a.json", "--manifest", "b c.json"])
    assert " --manifest a.json --manifest 'b c.json' --platform qemu --allow-unchecked" in capsys.readouterr().out
    main(["local", "--app", "app.js"])
    out = capsys.readouterr().out
    assert "\n  curl -so manifest.json http://localhost:8090/manifest/decoded\n" in out
    assert " --manifest manifest.json --platform qemu --allow-unchecked channel\n" in out


def test_for_programs(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["local", "--json"]) is ExitStatus.HOLDS
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {
        "schema": "teekit-verify/local/v1",
        "kettles": ["http://localhost:3001", "http://localhost:3002"],
        "attestation": "http://localhost:3000",
        "https": None,
        "tpm": True,
        "metadata": "http://localhost:8090",
        "quotes": "http://localhost:8080",
        "console": "/t/console.sock",
        "accelerator": "tcg",
        "seconds": 61.5,
    }


@pytest.mark.parametrize("when", ["ready", "before"])
def test_for_programs_there_is_one_document_whatever_comes(
    asked: Asked, capsys: pytest.CaptureFixture[str], when: str
) -> None:
    ready = when == "ready"
    asked.ready, asked.error = ready, TeekitError("the guest ended", hint="Look at it.")
    assert main(["local", "--json"]) is ExitStatus.NO_VERDICT
    said = capsys.readouterr()
    assert said.err == "error: the guest ended\nhint: Look at it.\n"
    document = json.loads(said.out)
    assert problems("local-v1" if ready else "error-v1", document) == []
    assert ("kettles" in document, "error" in document) == (ready, not ready)


def test_interrupted_before_anything_answers(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    asked.ready = False
    assert main(["local"]) is ExitStatus.NO_VERDICT
    assert capsys.readouterr().err.startswith("error: interrupted\n")


def test_the_manifest_that_was_bundled(asked: Asked) -> None:
    Path("kettle-artifacts").mkdir()
    Path("kettle-artifacts/manifest.json").write_bytes(b"{}")
    main(["local", "disk.raw"])
    assert asked.image == Path("disk.raw")
    assert asked.options.metadata == Metadata((b"{}",))
    assert asked.options.kettles == 1


def test_several_manifests_are_several_kettles(asked: Asked) -> None:
    for name in ("a", "b"):
        Path(name).write_text(name)
    options = ["--hostname", "foo.com,bar.com", "--timeout", "5", "--accelerator", "tcg"]
    main(["local", "--manifest", "a", "--manifest", "b", *options])
    assert asked.options == Options(
        Metadata((b"a", b"b"), "foo.com,bar.com"), kettles=2, seconds=5, accelerators=("tcg",)
    )


def test_an_app_is_served_with_a_manifest(asked: Asked) -> None:
    Path("app.js").write_bytes(b"export default {}")
    main(["local", "--app", "app.js"])
    metadata = asked.options.metadata
    assert metadata.app == b"export default {}"
    assert metadata.hostname is None
    assert [json.loads(manifest) for manifest in metadata.manifests] == [
        {"app": "http://10.0.2.2:8090/app.js", "sha256": hashlib.sha256(b"export default {}").hexdigest()}
    ]
    assert asked.options.kettles == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--app", "app.js", "--manifest", "app.js"], "--app makes its own manifest"),
        (["--manifest", "app.js"] * 17, "17 are too many, an image runs 16"),
        (["--manifest", "none.json"], "'none.json' does not exist"),
        (["--accelerator", "hvf"], "'hvf' is not one of"),
    ],
)
def test_wrong_usage(asked: Asked, capsys: pytest.CaptureFixture[str], options: list[str], message: str) -> None:
    Path("app.js").touch()
    assert main(["local", *options]) is ExitStatus.NO_VERDICT
    assert message in " ".join(capsys.readouterr().err.split())


def test_there_is_no_such_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["local", str(tmp_path / "none.efi")]) is ExitStatus.NO_VERDICT
    assert "none.efi: cannot be read: No such file or directory" in capsys.readouterr().err


_CHILD = """
import signal, sys
sys.path[:0] = {path!r}
from pathlib import Path
from teekit_verify.boot import qemu
from teekit_verify.cli import local as command
from teekit_verify.cli.app import entry_point
from teekit_verify.local import run
run.METADATA_PORT, run.QUOTE_PORT, run._POLL_SECONDS = {port}, {port} + 1, 0.05
run.require_free = lambda port: None  # of kettles, which a stand-in has not
command._tpm_alone = lambda ready: False  # nor does it say who it is
firmware = Path({firmware!r})
qemu.find_firmware = lambda: qemu.Firmware(firmware, firmware)
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell starts in the background
sys.argv = ["teekit-verify", "local", {image!r}, "--accelerator", "tcg"]
entry_point()
"""


def _child(place: Path, fake: LocalQemu) -> subprocess.Popen[str]:
    (place / "t").mkdir()
    (place / "image.efi").write_bytes(build_uki())
    (place / "firmware.fd").touch()
    code = _CHILD.format(
        path=sys.path,
        port=free_ports(2),
        firmware=str(place / "firmware.fd"),
        image=str(place / "image.efi"),
    )
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={"PATH": f"{fake.folder}:{os.environ['PATH']}", "TMPDIR": str(place / "t")},
        cwd=place,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("console", "number", "status", "error"),
    [
        (answers(0), signal.SIGINT, ExitStatus.HOLDS, None),
        ([], signal.SIGTERM, -signal.SIGTERM, "error: interrupted\n"),
    ],
)
def test_an_interruption_leaves_nothing_behind(
    tmp_path: Path, console: list[str], number: signal.Signals, status: int, error: str | None
) -> None:
    for program in ("sfdisk", "mformat", "mmd", "mcopy"):
        require(program)
    fake = local_qemu.install(tmp_path / "bin", *console)
    with _child(tmp_path, fake) as child:
        assert child.stdout is not None
        if error is None:
            assert any(line == "Ctrl-C ends it.\n" for line in child.stdout)
        else:
            _wait_for(fake)
        machine = fake.pid
        assert machine is not None
        os.kill(machine, 0)
        child.send_signal(number)
        out, err = child.communicate(timeout=600)
    assert child.returncode == status, err
    assert out == ""
    assert error is None or error in err
    assert "Traceback" not in err
    assert list((tmp_path / "t").iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(machine, 0)


def _wait_for(fake: LocalQemu, seconds: float = 600) -> None:
    until = time.monotonic() + seconds
    while fake.pid is None:
        assert time.monotonic() < until, "QEMU was not started"
        time.sleep(0.02)


def test_the_document_names_options_and_ports_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    """docs/image.md, section "Local run", against --help and the program's constants."""
    text = (docs.DOCS / "image.md").read_text(encoding="utf-8")
    section = text.split("\n## Local run\n")[1].split("\n## ")[0]
    main(["local", "--help"])
    shown = capsys.readouterr().out
    named = set(re.findall(r"(?<![-\w])--[a-z]+", section))
    assert named >= {"--app", "--manifest", "--hostname", "--timeout"}
    assert {option for option in named if option not in shown} == set()
    ports = {int(port) for port in re.findall(r"localhost:(\d+)", section)}
    assert ports == {KETTLE_PORT, ATTESTATION_PORT, METADATA_PORT, QUOTE_PORT}
    assert "DUMMY-NOT-A-TD-QUOTE" in section
