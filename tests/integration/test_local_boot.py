"""The image with kettles, built by the seed's own command and run as scripts/test_local.sh runs it: seen from outside, end to end.

Profile devtools, because only that image asks the host for quotes where there is no TDX; its services are the others'.
"""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import urllib.request
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from builders import npm
from builders.tools import require
from teekit_verify.artifacts.uki import open_uki
from teekit_verify.boot.artifact import bootable
from teekit_verify.cli.app import main
from teekit_verify.core.digest import Algorithm
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.evidence.quote import parse_quote
from teekit_verify.local.dummy_quote import MARK
from teekit_verify.prediction.uki import predict_uki
from teekit_verify.registers.registers import rtmr

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parents[2]
KETTLE = CHECKOUT / "mkosi/mkosi.images/tdx-kettle/kettle"
REPORT_DATA = bytes(range(64))
_BOOT_SECONDS, _ANSWER_SECONDS = 900, 60


@pytest.fixture(scope="module")
def running(devtools_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What scripts/test_local.sh prints once the kettle answers. In the end it is interrupted, and leaves nothing."""
    require("qemu-system-x86_64")
    script = CHECKOUT / "scripts" / "test_local.sh"
    # Bundled here: that the kettle starts at all says that the image has the very same bytes.
    bundled = tmp_path_factory.mktemp("bundled")
    subprocess.run([KETTLE / "bundle", KETTLE / "demo", bundled, npm.program("esbuild")], check=True)
    manifest = bundled / "manifest.json"
    command = [str(script), str(devtools_image), "--json", "--timeout", str(_BOOT_SECONDS), "--manifest", str(manifest)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline() or "{}")
        assert ready, "it ended before the kettle answered"
        yield ready
        process.send_signal(signal.SIGINT)
        assert process.wait(_ANSWER_SECONDS) == ExitStatus.HOLDS
    assert not Path(ready["console"]).parent.exists()


def ask(url: str, data: bytes | None = None) -> Any:
    return json.loads(fetched(url, data))


def fetched(url: str, data: bytes | None = None) -> bytes:
    with urllib.request.urlopen(url, data, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310 - a server of this test
        return bytes(answer.read())


@pytest.fixture
def kettle(running: dict[str, Any]) -> str:
    (url,) = running["kettles"]
    assert isinstance(url, str)
    return url


def test_the_demo_app_counts_its_visits(kettle: str) -> None:
    before = ask(kettle)
    assert before["app"] == "demo"
    assert ask(kettle)["visits"] == before["visits"] + 1


def test_its_database_gives_back_what_was_written(kettle: str) -> None:
    note = ask(f"{kettle}/notes", b"kept in the virtual machine")
    assert note["text"] == "kept in the virtual machine"
    assert note in ask(f"{kettle}/notes")["notes"]


def test_the_metadata_service_shows_the_manifest(running: dict[str, Any]) -> None:
    metadata = running["metadata"]
    assert ask(f"{metadata}/health") == {"status": "ok"}
    manifest = ask(f"{metadata}/manifest/decoded")
    assert manifest["app"] == "file:///usr/lib/kettle/app.js"
    assert json.loads(b64decode(fetched(f"{metadata}/manifest"))) == manifest


def test_a_quote_from_the_machine_says_that_it_is_a_dummy_and_has_the_predicted_registers(
    kettle: str, running: dict[str, Any], devtools_image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = ask(f"{kettle}/quote?report_data={REPORT_DATA.hex()}")
    assert answer["tee_type"] == "dummy"
    raw = b64decode(answer["quote"])
    quote = parse_quote(raw)
    assert quote.user_data == MARK
    # What docs/guest.md says: of the app that asked, and of what it asked for.
    app = bytes.fromhex(ask(f"{running['metadata']}/manifest/decoded")["sha256"])
    bound = hashlib.sha512(b"teekit kettle report data v1\0" + app + REPORT_DATA).digest()
    assert (quote.report.report_data, answer["asked"]) == (bound, REPORT_DATA.hex())
    for index, value in enumerate(predicted(devtools_image), start=1):
        assert quote.report.value(rtmr(index)).hex == value

    path = tmp_path / "quote.bin"
    path.write_bytes(raw)
    assert main(["quote", str(path)]) is ExitStatus.DOES_NOT_HOLD
    assert "authentic: NO" in capsys.readouterr().out


def predicted(image: Path) -> list[str]:
    """RTMR1 and RTMR2 of a machine without vTPM, on the disk that is made for a UKI."""
    with bootable(image) as booted, open_uki(booted.uki) as uki:
        values = {item.register: item for item in predict_uki(uki, booted.gpt, vtpm=False)}
    return [values[rtmr(index)].value(Algorithm.SHA384).hex for index in (1, 2)]
