"""`lock diff` and `lock check` from the command line, on locks of a signed archive of the test's own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest

from builders import debian_archive, documents, rebuilds, released
from builders.cpio import Entry, build_cpio
from builders.tools import require
from builders.uki import build_uki, kernel
from teekit_verify.cli.app import main
from teekit_verify.core.download import DownloadStore
from teekit_verify.documents.create import dump_reference
from teekit_verify.documents.model import Package
from teekit_verify.rebuild import apt_root, archive, evidence
from teekit_verify.rebuild.archive import Index
from teekit_verify.report.progress import StderrProgress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builders.debian_archive import DebianArchive
    from teekit_verify.rebuild.lock import PackageLock


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianArchive]:
    require("gpgv")
    yield from debian_archive.served(tmp_path_factory.mktemp("archive"))


@pytest.fixture
def new(tmp_path: Path, mirror: DebianArchive, monkeypatch: pytest.MonkeyPatch) -> PackageLock:
    """A lock of today, written to `new.json`, with its evidence in the cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(apt_root, "KEYRING", mirror.keyring)
    monkeypatch.setattr(archive, "host_mirrors", list)
    monkeypatch.chdir(tmp_path)
    index = Index.download(tmp_path / "apt", archive.sources(mirror.address, "file:///none", None))
    store = DownloadStore(tmp_path / "cache/teekit-verify/downloads")
    packages = [item.model_copy(update={"targets": (rebuilds.TARGET,)}) for item in index.resolve(["bash", "hello"])]
    made = archive.make_lock(index, packages).with_evidence(evidence.keep(index, store, StderrProgress()))
    made.write(tmp_path / "new.json")
    return made


@pytest.fixture
def old(tmp_path: Path, new: PackageLock) -> PackageLock:
    """The lock before libc6's security update, made before evidence was kept."""
    before = {
        "version": "2.41-12",
        "archive": "debian",
        "path": "pool/main/trixie/libc6/libc6_2.41-12_amd64.deb",
        "sha256": "1" * 64,
    }
    packages = tuple(item.model_copy(update=before) if item.name == "libc6" else item for item in new.packages)
    made = new.model_copy(update={"packages": packages, "evidence": ()})
    made.write(tmp_path / "old.json")
    return made


def test_a_security_update_is_no_alarm_where_evidence_shows_it(
    old: PackageLock, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["lock", "diff", "old.json", "new.json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        f"1 packages changed, 0 new, 0 gone, 3 the same; {old.snapshot} -> {old.snapshot}, suite trixie"
    )
    assert lines[1] == "signed index: all 4 Debian packages of the new lock are in it"
    assert "  libc6 2.41-12 -> 2.41-12+deb13u1 (debian -> debian-security)" in lines
    assert lines[-1] == "no red flag"


def test_without_evidence_it_is_one(old: PackageLock, new: PackageLock, capsys: pytest.CaptureFixture[str]) -> None:
    assert old.evidence == ()
    new.with_evidence(()).write(Path("bare.json"))
    capsys.readouterr()
    assert main(["lock", "diff", "old.json", "bare.json", "--json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert problems("lock-diff-v1", shown) == []
    assert (shown["schema"], shown["exit_status"]) == ("teekit-verify/lock-diff/v1", 1)
    assert (shown["evidence"], shown["check"]) == ("not_named", None)
    assert shown["red_flags"] == [
        {"alarm": "other_archive", "package": "libc6", "old": "debian", "new": "debian-security"}
    ]
    assert shown["sources"][0]["packages"][0]["old"]["sha256"] == "1" * 64


def test_the_way_back_is_a_downgrade(old: PackageLock, capsys: pytest.CaptureFixture[str]) -> None:
    assert old.packages
    capsys.readouterr()
    assert main(["lock", "diff", "new.json", "old.json", "--markdown"]) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("**2 red flags: this is more than a refresh**\n")
    assert "- :red_circle: `libc6: older than before (2.41-12+deb13u1 -> 2.41-12)`\n" in shown
    assert "| `libc6` | `libc6` | `2.41-12+deb13u1` | `2.41-12` | `debian-security -> debian` |  |\n" in shown


def test_a_package_that_debian_never_had(
    old: PackageLock, new: PackageLock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert old.packages
    planted = rebuilds.locked_package(name="planted")
    new.model_copy(update={"packages": (*new.packages, planted)}).write(tmp_path / "planted.json")
    capsys.readouterr()
    assert main(["lock", "diff", "old.json", "planted.json"]) == 1
    assert "red flag: planted: not in the signed index (2.10-3)\n" in capsys.readouterr().out
    assert main(["lock", "check", "planted.json"]) == 1
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "planted 2.10-3 (amd64): not in the signed index",
        "this lock is not shown to be Debian's: 4 packages are in Debian's signed index, 1 are not",
    ]


def test_a_lock_that_holds(new: PackageLock, capsys: pytest.CaptureFixture[str]) -> None:
    assert new.evidence
    capsys.readouterr()
    assert main(["lock", "check", "new.json"]) == 0
    shown = capsys.readouterr().out
    assert "trixie-security  2026-11-21 02:10 UTC" in shown
    assert shown.endswith("4 packages are in Debian's signed index\n")
    assert main(["lock", "check", "new.json", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert problems("lock-check-v1", printed) == []
    assert (printed["listed"], printed["doubts"], printed["indexes"][0]["date"]) == (4, [], "2026-11-21T02:10:46+00:00")


def test_a_lock_is_checked_offline_from_an_archive_of_inputs(
    new: PackageLock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert new.evidence
    (tmp_path / "archive/blobs").mkdir(parents=True)
    shutil.move(tmp_path / "cache/teekit-verify/downloads/sha256", tmp_path / "archive/blobs/sha256")
    assert main(["lock", "check", "new.json"]) == 2
    assert main(["lock", "check", "new.json", "--inputs", "archive"]) == 0
    assert "4 packages are in Debian's signed index" in capsys.readouterr().out


def test_a_lock_without_evidence_has_no_verdict(old: PackageLock, capsys: pytest.CaptureFixture[str]) -> None:
    assert old.evidence == ()
    assert main(["lock", "check", "old.json", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "evidence"


def test_options_before_the_command_are_refused(new: PackageLock, capsys: pytest.CaptureFixture[str]) -> None:
    assert new.evidence
    assert main(["lock", "--output", "x", "diff", "new.json", "new.json"]) == 2
    assert "--output is not an option of diff" in capsys.readouterr().err
    assert main(["lock", "diff", "new.json", "new.json", "--json", "--markdown"]) == 2


def test_foreign_text_does_not_leave_its_code_block() -> None:
    from teekit_verify.rebuild.lock_diff import (  # noqa: PLC0415
        Change,
        Entry,
        Evidence,
        History,
        LockDiff,
        SourceChange,
    )
    from teekit_verify.report.lock_report import diff_as_markdown  # noqa: PLC0415

    text = "  * x\n```\n</details> @someone ````\n\x1b[31m"
    change = Change("hello", rebuilds.locked_package(), rebuilds.locked_package())
    source = SourceChange("hello", True, (change,), History.READ, (Entry("1", "trixie", (), text),))
    snapshots = ("20261121T081046Z", "20261121T081046Z")
    shown = diff_as_markdown(LockDiff(("trixie", "trixie"), snapshots, 0, (source,), (), Evidence.NOT_NAMED, None))
    before, _, after = shown.partition("\n`````text\n")
    assert "someone" not in before
    assert after.startswith("  * x\n```\n</details> @someone ````\n\\x1b[31m\n`````\n")


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two locks and the reports made with them: of `tool`, one file changed; the second image has a planted one as well."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    for side, planted in (("before", []), ("after", []), ("evil", [Entry("usr/bin/evil", b"x")])):
        text = "one" if side == "before" else "two"
        made = debian_archive.make_deb(tmp_path / side / "pool", "tool", f"1-{text}", {"usr/bin/tool": text})
        package = rebuilds.locked_package(made.read_bytes(), "tool").model_copy(update={"version": f"1-{text}"})
        DownloadStore(tmp_path / "cache/teekit-verify/downloads").path(package.digest).parent.mkdir(
            parents=True, exist_ok=True
        )
        shutil.copy(made, DownloadStore(tmp_path / "cache/teekit-verify/downloads").path(package.digest))
        locked = rebuilds.lock_of(package)
        locked.write(tmp_path / f"{side}.json")
        inputs = documents.inputs(
            lock_sha256=locked.digest_for(rebuilds.TARGET),
            packages=(Package(package.name, package.version, package.architecture, package.digest),),
        )
        initrd = build_cpio([Entry("usr/bin/tool", text.encode()), *planted])
        uki = build_uki(sections=[(".cmdline", b"quiet"), (".linux", kernel()), (".initrd", initrd)])
        reference = released.write_report(tmp_path / side / "report", uki=uki, inputs=inputs)
        (tmp_path / side / "reference.json").write_bytes(dump_reference(reference))
    return tmp_path


def test_the_effect_of_a_refresh(reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["lock", "diff", "before.json", "after.json", "--reports", "before/report", "after/report"]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "base+debian-kernel: all 1 changes in the UKI come from packages that changed" in lines
    assert "  tool: the package's own: usr/bin/tool (content)" in lines
    assert "  uefi-vtpm PCR11: CHANGED: UKI section .initrd" in lines
    assert main([*words, "--markdown"]) == 0
    shown = capsys.readouterr().out
    assert "| `tool` | the package's own | `usr/bin/tool (content)` |\n" in shown
    assert "| `tdx` | `RTMR2` | CHANGED | `UKI section .initrd` |\n" in shown
    assert main([*words, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert problems("lock-diff-v1", printed) == []
    assert printed["effect"]["parts"][0]["packages"] == ["tool"]


def test_a_file_that_nothing_explains_is_a_red_flag(reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["lock", "diff", "before.json", "evil.json", "--reports", "before/report", "evil/report"]
    assert main([*words, "--json"]) == 1
    printed = json.loads(capsys.readouterr().out)
    assert printed["red_flags"] == [{"alarm": "unexplained_file", "package": None, "old": "", "new": "usr/bin/evil"}]
    assert main(words) == 1
    assert "usr/bin/evil" in capsys.readouterr().out


def test_a_reference_has_values_but_no_files(reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert reports
    assert (
        main(["lock", "diff", "before.json", "after.json", "--reports", "before/reference.json", "after/report"]) == 2
    )
    lines = capsys.readouterr().out.splitlines()
    assert "  uefi-vtpm PCR11: CHANGED: UKI section .initrd" in lines
    assert lines[-1] == "no red flag, but the effect on the image is not settled"


def test_reports_that_are_not_of_the_locks(reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert reports
    assert main(["lock", "diff", "before.json", "after.json", "--reports", "after/report", "before/report"]) == 2
    assert "after/report was not made with the lock" in capsys.readouterr().err


def test_packages_come_from_an_archive_of_inputs(reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As files of a folder that is named by digests, which is what an archive of inputs is."""
    blobs = reports / "archive/blobs"
    blobs.mkdir(parents=True)
    shutil.move(reports / "cache/teekit-verify/downloads/sha256", blobs / "sha256")
    words = ["lock", "diff", "before.json", "after.json", "--reports", "before/report", "after/report"]
    assert main(words) == 2
    assert "not in the download cache: tool 1-one, tool 1-two" in capsys.readouterr().out
    assert main([*words, "--inputs", "archive"]) == 0


def problems(name: str, document: object) -> list[str]:
    schema = json.loads((Path(__file__).parents[3] / f"reference/schema/{name}.schema.json").read_text())
    return [f"{one.json_path}: {one.message}" for one in jsonschema.Draft202012Validator(schema).iter_errors(document)]
