"""The public API, by its own documentation: every example runs, and says what the command says."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from builders import given, guests, live_guest, quotes, rebuilds, released
from builders.uki import build_uki
from teekit_verify import api
from teekit_verify.cli.app import main
from teekit_verify.documents.create import dump_reference
from teekit_verify.report.progress import StderrProgress

DOCUMENT = Path(__file__).parents[2] / "docs" / "api.md"
AT = datetime(2026, 2, 3, 1, tzinfo=UTC)


def examples() -> list[str]:
    return re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the examples name."""
    (tmp_path / "image.efi").write_bytes(build_uki())
    reference = released.write_report(tmp_path / "report")
    (tmp_path / "ref.json").write_bytes(dump_reference(reference))
    (tmp_path / "quote.bin").write_bytes(guests.COS_QUOTE.read_bytes())
    (tmp_path / "ccel.bin").write_bytes(guests.COS_LOG.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_guest_of_the_document(place: Path) -> None:
    """It is another image: the example ends with the reasons. Its time, nonce and collateral are this test's."""
    code = (
        examples()[0]
        .replace("datetime.now(UTC)", "at")
        .replace('collateral=Path("collateral")', "collateral=api.NOT_REQUIRED")
    )
    scope: dict[str, Any] = {
        "nonce": (quotes.ASSETS / "quotes" / "gcp-cos113-nonce.bin").read_bytes().ljust(64, b"\0"),
        "at": AT,
    }
    with pytest.raises(SystemExit) as ended:
        exec(code, scope)  # noqa: S102 - the document's own example
    assert ended.value.code
    guest = scope["guest"]
    assert guest.status is api.ExitStatus.DOES_NOT_HOLD
    (asked,) = (check for check in guest.checks if getattr(check.subject, "fact", None) is api.Fact.REPORT_DATA)
    assert asked.outcome is api.Outcome.MATCH
    assert api.describe(asked)[0] == "REPORTDATA"


def test_the_artifact_of_the_document(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scope: dict[str, Any] = {"Path": Path, "api": api}
    exec(examples()[1], scope)  # noqa: S102 - the document's own example
    assert scope["appraised"].status is api.ExitStatus.HOLDS
    assert scope["appraised"].reasons == ()
    shown = capsys.readouterr().out.strip().removeprefix("sha384:")
    assert main(["measure", "image.efi", "--machine", "c3-standard-4", "--json"]) == 0
    assert f'"{shown}"' in capsys.readouterr().out


def test_an_artifact_that_is_another_one(place: Path) -> None:
    (place / "image.efi").write_bytes(build_uki().replace(b"quiet", b"noisy"))
    appraised = api.appraise_artifact(Path("ref.json"), Path("image.efi"))
    assert appraised.status is api.ExitStatus.DOES_NOT_HOLD
    assert any(check.outcome is api.Outcome.MISMATCH for check in appraised.checks)


def test_a_policy_is_told_everything() -> None:
    with pytest.raises(TypeError, match="report_data"):
        api.policy(at=AT, collateral=api.NOT_REQUIRED)  # type: ignore[call-arg]
    with pytest.raises(api.TeekitError, match="expected 64 bytes, found 3"):
        api.policy(at=AT, report_data=b"abc", collateral=api.NOT_REQUIRED)
    with pytest.raises(api.TeekitError, match="the time has no time zone"):
        api.policy(at=datetime(2026, 2, 3), report_data=bytes(64), collateral=api.NOT_REQUIRED)  # noqa: DTZ001


def test_a_quote_by_itself(place: Path) -> None:
    asked = api.policy(at=AT, report_data=api.NOT_REQUIRED, collateral=api.NOT_REQUIRED)
    verified = api.verify_quote(Path("quote.bin"), asked)
    assert verified.status is api.ExitStatus.HOLDS
    assert verified.registers[api.MRTD] == verified.quote.report.mrtd


def test_why_files_differ(place: Path) -> None:
    (place / "other.efi").write_bytes(build_uki().replace(b"quiet", b"noisy"))
    found = api.explain(Path("image.efi"), Path("other.efi"), folder=place)
    assert found.differences
    assert not api.explain(Path("image.efi"), Path("image.efi"), folder=place).differences


def test_a_rebuild_in_five_lines(tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the document has it; the mirror is the miniature's own."""
    miniature = rebuilds.isolated(tmp_path, tree, monkeypatch)
    request = api.rebuild_request(
        miniature.project.root,
        tmp_path / "made",
        workspace=tmp_path / "work",
        cache=tmp_path / "cache",
        progress=StderrProgress(),
        snapshot_archive="http://127.0.0.1:9/nothing",
        mirror=(miniature.folder / "mirror").as_uri(),
    )
    done = api.rebuild(request)
    assert done.report.verdict.exit_status is api.ExitStatus.DOES_NOT_HOLD  # nothing was published
    assert (tmp_path / "made" / "report.json").is_file()
    assert not (tmp_path / "made" / "report.html").exists()


def test_the_live_machine_of_the_document(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As the document has it; address, time and root are this test's."""
    (place / "ref.json").write_bytes(live_guest.reference())
    (place / "manifest.json").write_bytes(given.manifest())
    (code,) = (example for example in examples() if "ask_guest" in example)
    with live_guest.machine(place, tls=live_guest.tls_key(place)) as made:
        made.trust()
        code = (
            code.replace("https://app.example.org", made.address())
            .replace("datetime.now(UTC)", "at")
            .replace('collateral=Path("collateral")', 'collateral=Path("collateral"), trusted_root=Path("root.pem")')
        )
        scope: dict[str, Any] = {"Path": Path, "api": api, "at": AT}
        exec(code, scope)  # noqa: S102 - the document's own example
    guest = scope["guest"]
    assert (guest.status, guest.reasons) == (api.ExitStatus.HOLDS, ())
    assert [manifest.app for manifest in guest.appraisal.runs.manifests] == [given.URL]
    with pytest.raises(api.TeekitError, match="expected 32 bytes, found 3"):
        api.ask_guest("https://app.example.org", nonce=b"abc")


def test_all_that_is_promised_is_there() -> None:
    assert all(hasattr(api, name) for name in api.__all__)
    assert list(api.__all__) == sorted(api.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name))


def test_all_that_its_functions_take_and_return_is_promised_too() -> None:
    """Who calls one can name the types of its arguments and of its result: else no caller's annotations were possible."""
    missing = set()
    for name in api.__all__:
        value = getattr(api, name)
        if not inspect.isfunction(value):
            continue
        tree = ast.parse(Path(inspect.getfile(value)).read_text(encoding="utf-8"))
        ours = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("teekit_verify")
            for alias in node.names
        } | {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
        words = {word for text in value.__annotations__.values() for word in re.findall(r"[A-Za-z_]\w*", str(text))}
        missing |= {f"{word} of {name}" for word in words & ours if word not in api.__all__}
    assert missing == set()


def test_a_verifier_of_quotes_loads_nothing_of_the_rebuild() -> None:
    """In a process of its own: what this one has loaded is not known."""
    code = (
        "import sys; from teekit_verify import api; api.verify_quote; "
        "print(*[name for name in sys.modules if name.startswith(('teekit_verify.rebuild', 'teekit_verify.record'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, cwd=DOCUMENT.parents[1] / "verifier"
    )
    assert done.stdout.split() == []
