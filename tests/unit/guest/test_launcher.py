"""The launcher where things go wrong. tests/integration/guest/test_guest_kettles.py has it start real kettles."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from builders import measuring
from builders.http import serve
from builders.metadata import always
from teekit_guest import app, launcher, layout, log, measure, tpm, wait_for_port
from teekit_guest.refusal import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

CONTENT = b"export default {}"


@pytest.fixture
def unused_port() -> Iterator[int]:
    """Taken, and nobody listens: whoever runs on this host, it refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unused_port: int) -> Path:
    """Folders of a machine with one app in it."""
    monkeypatch.setattr(layout, "FIRST_PORT", unused_port)
    app = tmp_path / "app.js"
    app.write_bytes(CONTENT)
    manifest = json.dumps({"app": app.as_uri(), "sha256": hashlib.sha256(CONTENT).hexdigest()})
    (tmp_path / "manifest.json").write_text(manifest)
    monkeypatch.setattr(layout, "ENVIRONMENT_FILE", tmp_path / "cloud-config.env")
    told(f"MANIFEST={base64.b64encode(manifest.encode()).decode()}\n")
    monkeypatch.setattr(layout, "IMAGE_APPS", tmp_path)
    monkeypatch.setattr(layout, "STATE_FOLDERS", tmp_path / "state")
    monkeypatch.setattr(layout, "DEFAULT_MANIFEST", tmp_path / "manifest.json")
    measuring.places(tmp_path, monkeypatch)
    hand_over = launcher.hand_over

    def handed_over(manifests: Sequence[bytes], names: bytes) -> None:
        """And what teekit-measure.path does then."""
        hand_over(manifests, names)
        assert (layout.GIVEN / layout.COMPLETE).exists()
        measure.main()

    monkeypatch.setattr(launcher, "hand_over", handed_over)
    monkeypatch.setattr(layout, "KETTLE_LOG", tmp_path / "kettle.log")
    monkeypatch.setattr(layout, "KETTLE_ERROR_LOG", tmp_path / "kettle-error.log")
    monkeypatch.setattr(launcher, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(launcher, "PAUSE_SECONDS", 0.01)
    return tmp_path


def told(lines: str) -> None:
    layout.ENVIRONMENT_FILE.write_text(f"CLOUD_PROVIDER=qemu\n{lines}")


def errors(machine: Path) -> list[str]:
    return [line.split("kettle-launcher: ")[1] for line in (machine / "kettle-error.log").read_text().splitlines()]


@pytest.mark.parametrize("answer", [200, 500])
def test_a_kettle_counts_when_its_answer_is_good(machine: Path, monkeypatch: pytest.MonkeyPatch, answer: int) -> None:
    with serve() as server:
        monkeypatch.setattr(layout, "FIRST_PORT", server.server_address[1])
        server.answers[launcher.HEALTH] = always(answer)
        if answer == 200:
            monkeypatch.setattr(launcher, "ANSWER_SECONDS", 600)
        assert launcher.main() == (0 if answer == 200 else 1)
        port = server.server_address[1]
    folder = machine / "run/kettle/0"
    assert (folder / "app/app.js").read_bytes() == CONTENT
    assert not (layout.GIVEN / "app-0").exists()  # its place is wanted
    # Nothing for others; the group is the kettle's (tmpfiles.d).
    assert [path.stat().st_mode & 0o7777 for path in (folder / "app/app.js", folder / "ready")] == [0o640, 0o640]
    text = f"no good answer on port {port} in 0.05 s, see {machine}/state/0/kettle-error.log"
    assert errors(machine) == ([] if answer == 200 else [f"kettle 0 is not started: {text}"])


def test_nobody_answers(machine: Path) -> None:
    assert launcher.main() == 1
    assert "no good answer on port" in errors(machine)[0]


def test_a_service_that_fails(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "ANSWER_SECONDS", 600)
    (layout.FAILED_FOLDER / "0").touch()
    assert launcher.main() == 1
    assert errors(machine) == [
        f"kettle 0 is not started: its service has failed, see {machine}/state/0/kettle-error.log"
    ]


def test_what_does_not_belong_into_the_settings_starts_nothing(
    machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the service that reads the metadata writes is data, and never the launcher's environment."""
    for lines, why in (
        ("LD_PRELOAD=/dev/vdb\n", "has a line that does not belong there: 'LD_PRELOAD=/dev/vdb'"),
        ("MANIFEST=\nMANIFEST=\n", "has a line that does not belong there: 'MANIFEST='"),
        ("MANIFEST\n", "has a line that does not belong there: 'MANIFEST'"),
        ("MANIFEST=" + "A" * 131072, "is larger than 131072 bytes"),
    ):
        told(lines)
        assert launcher.main() == 1
        assert f"teekit: no kettle is started: {machine}/cloud-config.env {why}" in capsys.readouterr().out
    layout.ENVIRONMENT_FILE.unlink()
    assert launcher.main() == 1
    assert "cloud-config.env cannot be read: No such file" in capsys.readouterr().out
    assert list(layout.GIVEN.iterdir()) == []


def test_metadata_that_is_refused_starts_nothing(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told(f"MANIFEST={',' * 16}\n")
    assert launcher.main() == 1
    why = "manifest holds 17 manifests, and there are 16 kettles"
    assert errors(machine) == [f"refused: {why}; no kettle is started"]
    assert capsys.readouterr().out == f"\nteekit: no kettle is started: {why}\n"
    assert list(layout.GIVEN.iterdir()) == []
    told("MANIFEST=\n")
    assert launcher.main() == 1
    assert errors(machine)[1] == "no kettle is started: what the metadata has as manifest was refused"
    assert capsys.readouterr().out == "\nteekit: no kettle is started: what the metadata has as manifest was refused\n"
    # Measured all the same: nginx and attestation are there, and say that nothing runs.
    assert sorted(path.name for path in layout.GIVEN.iterdir()) == ["complete", "hostnames"]
    assert list((machine / "run/kettle/0").iterdir()) == []


def test_what_nobody_thought_of_is_one_kettles_trouble(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(app, "load", lambda _: {"one": b""}["nobody"])
    assert launcher.main() == 1
    assert errors_with_traceback(machine).startswith("kettle 0 is not started\nTraceback")
    assert capsys.readouterr().out == "\nteekit: kettle 0 is not started: KeyError\n"
    assert sorted(path.name for path in layout.GIVEN.iterdir()) == ["complete", "hostnames", "manifest-0"]


def test_an_image_without_its_own_manifest_starts_nothing(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told("")
    (machine / "manifest.json").unlink()
    assert launcher.main() == 1
    assert "manifest.json cannot be read: No such file or directory" in capsys.readouterr().out


def test_what_is_given_is_what_is_measured(machine: Path) -> None:
    """Every byte of every manifest, whatever it is, and the hostnames as nginx will have them."""
    odd = b'{"app": 1}\n '
    values = [base64.b64encode(odd).decode(), "", base64.b64encode(b"not base64!").decode()]
    told(f"MANIFEST={','.join(values)}\nHOSTNAME_CONFIG=b.example,a.example,b.example\n")
    assert launcher.main() == 1
    given = [(layout.GIVEN / f"manifest-{number}").read_bytes() for number in range(3)]
    assert given == [odd, b"", b"not base64!"]
    assert (layout.GIVEN / "hostnames").read_bytes() == b"b.example,a.example"
    assert layout.MEASURED.exists()


def test_no_kettle_is_waited_for_where_nothing_could_be_measured(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(launcher, "wait_until_it_answers", lambda _: pytest.fail("it cannot answer"))
    tpm.VERSION.write_text("2\n")  # and there is no device
    assert launcher.main() == 1
    assert errors(machine) == ["no kettle is started: nothing was measured, see the journal of teekit-measure.service"]
    assert not (machine / "run/kettle/0/ready").exists()


def test_measuring_that_never_ends_is_said_on_the_console(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As where a TPM takes a command and does not answer."""
    monkeypatch.setattr(launcher, "hand_over", lambda *_: None)
    monkeypatch.setattr(launcher, "MEASURING_SECONDS", 0)
    assert launcher.main() == 1
    assert errors(machine) == ["no kettle is started: nothing was measured, see the journal of teekit-measure.service"]
    assert capsys.readouterr().out == "\nteekit: no kettle is started: nothing was measured in time\n"


def test_a_second_start_of_the_launcher_changes_nothing_that_runs(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert launcher.main() == 1  # nobody answers here
    before = layout.app(0).stat()
    (machine / "app.js").write_bytes(b"export default 7")
    other = json.dumps(
        {"app": (machine / "app.js").as_uri(), "sha256": hashlib.sha256(b"export default 7").hexdigest()}
    )
    told(f"MANIFEST={base64.b64encode(other.encode()).decode()}\n")
    assert launcher.main() == 1
    assert (layout.app(0).read_bytes(), layout.app(0).stat().st_ino) == (CONTENT, before.st_ino)
    assert layout.given_manifest(0).read_bytes() != other.encode()


def errors_with_traceback(machine: Path) -> str:
    return (machine / "kettle-error.log").read_text().split("kettle-launcher: ", 1)[1]


def test_a_log_that_cannot_be_opened_is_done_without(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with log.opened("test", (tmp_path / "missing/log", 0)) as logger:
        logger.info("all the same")
    assert (
        capsys.readouterr().err
        == f"{tmp_path}/missing/log cannot be written: No such file or directory\nall the same\n"
    )


def test_waiting_for_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who listens and says nothing is no server yet: `nginx -t` does, before nginx itself."""
    monkeypatch.setattr(wait_for_port, "SECONDS", 0.02)
    monkeypatch.setattr(wait_for_port, "PAUSE_SECONDS", 0.01)
    with serve() as server:
        port = server.address("").rpartition(":")[2]
        assert wait_for_port.main([port]) == 0
    assert wait_for_port.main([port]) == 1
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = str(silent.getsockname()[1])
        closing = threading.Thread(target=close_each, args=(silent,))
        closing.start()
        assert wait_for_port.listens(int(port))
        assert wait_for_port.main([port]) == 1
        silent.shutdown(socket.SHUT_RDWR)
        closing.join()


def close_each(listening: socket.socket) -> None:
    while True:
        try:
            listening.accept()[0].close()
        except OSError:
            return


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\nb", r"'a\nb'"),
        (b"\xff\x1b[31m", r"'\ufffd\x1b[31m'"),
        ("é" * 61, "'" + r"\xe9" * 60 + "'..."),
        (ValueError("x"), "'x'"),
    ],
)
def test_foreign_values_in_messages(value: object, expected: str) -> None:
    assert shown(value) == expected
