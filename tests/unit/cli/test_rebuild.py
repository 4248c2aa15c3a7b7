"""`teekit-verify rebuild` as a user runs it, with a miniature of everything: every verdict, and every way to have none."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from builders import rebuilds
from builders.rebuilds import Miniature
from teekit_verify.cli.app import main
from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild import host, run
from teekit_verify.rebuild.workspace import Workspace
from teekit_verify.record import judging

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def miniature(tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> Miniature:
    return rebuilds.isolated(tmp_path, tree, monkeypatch)


def rebuild(miniature: Miniature, *arguments: str) -> int:
    return int(main(miniature.argv(*arguments)))


def report(miniature: Miniature) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((miniature.report / "report.json").read_text())
    return content


def publish(miniature: Miniature) -> Path:
    """What an honest publisher does: rebuild, and make a reference of the report."""
    reference = miniature.project.references / f"{rebuilds.TARGET}.json"
    assert rebuild(miniature) == 1
    assert main(["reference", "create", str(miniature.report), "--release", "r1", "--output", str(reference)]) == 0
    return reference


@pytest.fixture
def closed_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_unreferenced(miniature: Miniature) -> None:
    assert rebuild(miniature) == 1
    content = report(miniature)
    assert (content["verdict"], content["reasons"]) == ("UNREFERENCED", ["no reference was given"])
    assert [artifact["a"] == artifact["b"] for artifact in content["artifacts"]] == [True, True]
    assert files(miniature.report) == [
        "artifacts/tdx-debian-base.efi",
        "artifacts/tdx-debian-base.manifest",
        "inputs.json",
        "logs/build-A.log",
        "logs/build-B.log",
        "measurements.json",
        "report.html",
        "report.json",
    ]
    assert files(miniature.workspace) == [".teekit-workspace"]  # cleared, because there is a verdict


def test_reproduced(miniature: Miniature, capsys: pytest.CaptureFixture[str]) -> None:
    reference = publish(miniature)
    capsys.readouterr()
    assert rebuild(miniature) == 0
    assert report(miniature)["verdict"] == "REPRODUCED"
    command = report(miniature)["command"]
    assert command[:2] == ["teekit-verify", "rebuild"]
    assert sorted(command[2:]) == sorted(miniature.argv()[1:])  # in the order of --help
    assert report(miniature)["published"] == json.loads(reference.read_text())
    assert report(miniature)["reference"]["sha256"] == hashlib.sha256(reference.read_bytes()).hexdigest()
    shown = capsys.readouterr()
    assert "REPRODUCED" in shown.out
    assert "build A: done in" in shown.err


def test_machine_types_that_the_reference_names_are_measured_too(miniature: Miniature) -> None:
    reference, machine = publish(miniature), miniature.report.with_name("machine.json")
    uki = miniature.report / "artifacts/tdx-debian-base.efi"
    assert main(["measure", str(uki), "--machine", "c3-standard-4", "--output", str(machine)]) == 0
    create = ["reference", "create", str(miniature.report), "--release", "r1", "--output", str(reference)]
    assert main([*create, "--measurements", str(machine)]) == 0
    assert rebuild(miniature) == 0
    content = report(miniature)
    assert (content["verdict"], content["reasons"]) == ("REPRODUCED", [])
    names = {check["name"].split()[0] for check in content["checklist"]["checks"]}
    assert "gcp/c3-standard-4" in names


def test_measurements_of_another_image_make_no_reference(
    miniature: Miniature, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reference, machine = publish(miniature), tmp_path / "machine.json"
    (tmp_path / "other.efi").write_bytes(rebuilds.other_image())
    assert main(["measure", str(tmp_path / "other.efi"), "--output", str(machine)]) == 0
    create = ["reference", "create", str(miniature.report), "--release", "r1", "--output", str(reference)]
    assert main([*create, "--measurements", str(machine)]) == 2
    assert "the measurements of other.efi are not of a file that the rebuild made" in capsys.readouterr().err


def test_json_is_the_report_and_nothing_else(miniature: Miniature, capsys: pytest.CaptureFixture[str]) -> None:
    assert rebuild(miniature, "--json") == 1
    assert capsys.readouterr().out.encode() == (miniature.report / "report.json").read_bytes()


@pytest.mark.usefixtures("closed_umask")
def test_files_that_the_umask_closes_to_others(miniature: Miniature) -> None:
    """A build's root is another user of the host, and reads its packages, also those that were fetched long ago."""
    miniature.build_with("cat /packages/*.deb >/dev/null\n")
    assert rebuild(miniature) == 1
    assert report(miniature)["verdict"] == "UNREFERENCED"
    for stored in filter(Path.is_file, (miniature.folder / "cache").rglob("*")):
        stored.chmod(0o600)
    assert rebuild(miniature, "--clean") == 1
    assert report(miniature)["verdict"] == "UNREFERENCED"


def test_nondeterministic(miniature: Miniature) -> None:
    publish(miniature)
    miniature.build_with('hostname >>"$output/tdx-debian-base.manifest"')
    assert rebuild(miniature) == 1
    (miniature.project.references / f"{rebuilds.TARGET}.json").unlink()
    assert report(miniature)["verdict"] == "INPUT_DRIFT"  # build.sh is not the published one
    assert rebuild(miniature) == 1
    content = report(miniature)
    assert content["verdict"] == "NONDETERMINISTIC"
    (difference,) = content["explanations"][0]["differences"]
    assert (difference["name"], difference["what"]) == ("tdx-debian-base.manifest", "text, 1 different line")
    assert difference["excerpt"] == ["-first", "+second.example.org"]
    assert [cause["name"] for cause in difference["causes"]] == ["host name"]
    both = [miniature.report / "artifacts" / folder / "tdx-debian-base.manifest" for folder in (".", "B")]
    assert [path.read_text().splitlines()[1] for path in both] == ["first", "second.example.org"]
    assert not (miniature.report / "artifacts/B/tdx-debian-base.efi").exists()  # that one is the same


def test_a_difference_in_a_uki_is_named_by_its_section(miniature: Miniature) -> None:
    miniature.write("other.efi", rebuilds.other_image())
    miniature.build_with('[ "$(hostname)" = first ] || cp other.efi "$output/tdx-debian-base.efi"\n')
    assert rebuild(miniature) == 1
    assert report(miniature)["verdict"] == "NONDETERMINISTIC"
    (difference,) = report(miniature)["explanations"][0]["differences"]
    assert difference["name"] == "tdx-debian-base.efi"
    assert [section["name"] for section in difference["children"]] == ["section .initrd"]


def test_mismatch(miniature: Miniature) -> None:
    """The publisher's inputs, but not the publisher's bytes: the environment is not what it says."""
    reference = publish(miniature)
    published = json.loads(reference.read_text())
    published["artifacts"][1]["sha256"] = hashlib.sha256(b"the publisher's own").hexdigest()
    reference.write_text(json.dumps(published))
    assert rebuild(miniature) == 1
    content = report(miniature)
    assert content["verdict"] == "MISMATCH"
    assert content["reasons"] == ["artifact tdx-debian-base.manifest: mismatch: same size, other bytes"]


@pytest.mark.parametrize("what", ["source", "package"])
def test_input_drift(miniature: Miniature, what: str) -> None:
    publish(miniature)
    if what == "source":
        miniature.write("new.conf", b"")
    else:
        package = rebuilds.locked_package(b"another package")
        miniature.serve(package, b"another package")
        miniature.write_lock(package)
    assert rebuild(miniature) == 1
    content = report(miniature)
    assert content["verdict"] == "INPUT_DRIFT"
    named = "mkosi/new.conf" if what == "source" else "hello"
    assert any(named in reason for reason in content["reasons"])


def test_failed(miniature: Miniature, capsys: pytest.CaptureFixture[str]) -> None:
    assert rebuild(miniature) == 1
    miniature.build_with("echo the reason >&2; exit 9")
    assert rebuild(miniature) == 2
    content = report(miniature)
    assert content["verdict"] == "FAILED"
    assert "the reason" in content["reasons"][0]
    assert content["environment"]["store_path"] == rebuilds.IDENTITY.store_path
    assert content["variations"]
    assert files(miniature.report) == [
        "logs/build-A.log",
        "report.html",
        "report.json",
    ]  # nothing of the older report is left
    assert "the reason" in (miniature.report / "logs/build-A.log").read_text()
    shown = capsys.readouterr().err
    assert "build A: failed in" in shown
    assert "hint: Look at its last lines; with --debug, the command is printed" in shown
    assert "To run just this step again" not in shown
    assert rebuild(miniature, "--debug") == 2
    assert "To run just this step again: bwrap " in capsys.readouterr().err


def test_what_failed_is_said_even_if_its_report_cannot_be_made(
    miniature: Miniature, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(*_: object) -> None:
        raise ValueError("a defect of the report")

    monkeypatch.setattr(judging, "write_failure", defect)
    miniature.build_with("echo the reason >&2; exit 9")
    assert rebuild(miniature) == 2
    assert "the reason" in capsys.readouterr().err
    assert not miniature.report.exists()


def test_an_image_that_cannot_be_measured_is_no_verdict(
    miniature: Miniature, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rebuild(miniature) == 1
    miniature.write("image.efi", b"MZ but no UKI" * 100)
    assert rebuild(miniature) == 2
    assert "tdx-debian-base.efi" in capsys.readouterr().err
    assert report(miniature)["verdict"] == "FAILED"  # not the older report
    assert files(miniature.report) == ["logs/build-A.log", "logs/build-B.log", "report.html", "report.json"]


def test_the_workspace_is_kept_when_asked(miniature: Miniature) -> None:
    assert rebuild(miniature, "--keep") == 1
    assert (miniature.workspace / "B/output/tdx-debian-base.efi").exists()


def test_finished_builds_are_taken_and_half_finished_ones_are_not(
    miniature: Miniature, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rebuild(miniature, "--keep") == 1
    (miniature.workspace / "B/finished.json").unlink()
    (miniature.workspace / "B/output/tdx-debian-base.efi").write_bytes(rebuilds.other_image())
    capsys.readouterr()
    assert rebuild(miniature) == 1
    assert report(miniature)["verdict"] == "UNREFERENCED"
    shown = capsys.readouterr().err
    assert "build A of an earlier run, reused as it is" in shown
    assert "build B: done in" in shown
    assert [step["name"] for step in report(miniature)["steps"] if step["name"].startswith("build ")] == [
        "build A of an earlier run, reused as it is",
        "build B",
    ]


def test_control_c_in_the_middle(miniature: Miniature, tree: Path) -> None:
    """Build B is interrupted with its artifacts already there; the next run takes A and makes B anew."""
    miniature.build_with(
        '[ "$(hostname)" = first ] || { echo x >>"$output/tdx-debian-base.efi"; touch $output/go; sleep 600; }'
    )
    argv = miniature.script(tree)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as started:
        rebuilds.wait_for(miniature.workspace / "B/work/output/go", started)
        started.send_signal(signal.SIGINT)
        out, err = started.communicate(timeout=600)
    assert started.returncode == 2
    assert out == b""
    lines = err.decode().splitlines()
    assert lines[-2:] == ["error: interrupted", "hint: Run the same command again to continue."]
    assert "build B: interrupted in" in lines[-3]
    rebuilds.no_processes_of(miniature.workspace)
    assert not miniature.report.exists()
    assert (miniature.workspace / "A/finished.json").exists()
    assert not (miniature.workspace / "B/finished.json").exists()
    (miniature.workspace / "B/work/output/go").unlink()
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as again:
        rebuilds.wait_for(miniature.workspace / "B/work/output/go", again)
        again.send_signal(signal.SIGINT)
        _, err = again.communicate(timeout=600)
    assert "build A of an earlier run, reused as it is" in err.decode()
    miniature.build_with("")
    assert rebuild(miniature) == 1
    assert report(miniature)["verdict"] == "UNREFERENCED"


def test_a_workspace_that_was_not_made_here_is_built_again(
    miniature: Miniature, capsys: pytest.CaptureFixture[str]
) -> None:
    """Artifacts and records that fit each other can come with a repository or an archive, and would be believed."""
    assert rebuild(miniature, "--keep") == 1
    shutil.copytree(miniature.workspace, miniature.folder / "copy")
    shutil.rmtree(miniature.workspace)
    (miniature.folder / "copy").rename(miniature.workspace)
    capsys.readouterr()
    assert rebuild(miniature) == 1
    shown = capsys.readouterr().err
    assert "taken as it is" not in shown
    assert "build A: done in" in shown


def test_a_workspace_may_be_moved(miniature: Miniature, capsys: pytest.CaptureFixture[str]) -> None:
    assert rebuild(miniature, "--keep") == 1
    miniature.workspace.rename(miniature.folder / "elsewhere")
    capsys.readouterr()
    assert rebuild(miniature, "--workspace", str(miniature.folder / "elsewhere")) == 1
    assert "build A of an earlier run, reused as it is" in capsys.readouterr().err


def test_clean_takes_nothing_from_an_earlier_run(miniature: Miniature, capsys: pytest.CaptureFixture[str]) -> None:
    assert rebuild(miniature, "--keep") == 1
    capsys.readouterr()
    assert rebuild(miniature, "--clean") == 1
    shown = capsys.readouterr().err
    assert "taken as it is" not in shown
    assert "build A: done in" in shown


def test_side_by_side(miniature: Miniature, capsys: pytest.CaptureFixture[str]) -> None:
    assert rebuild(miniature, "--parallel") == 1
    assert report(miniature)["verdict"] == "UNREFERENCED"
    assert "build A and B side by side: done in" in capsys.readouterr().err
    assert {step["name"] for step in report(miniature)["steps"]} >= {"build A and B side by side"}


@pytest.mark.parametrize("name", ["first", "second.example.org"])
def test_side_by_side_one_that_fails_ends_both(
    miniature: Miniature, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    miniature.build_with(f'if [ "$(hostname)" = {name} ]; then echo the reason; exit 9; fi; sleep 1')
    assert rebuild(miniature, "--parallel") == 2
    assert report(miniature)["verdict"] == "FAILED"
    assert "the reason" in capsys.readouterr().err
    rebuilds.no_processes_of(miniature.workspace)


def test_what_was_not_varied_is_said(miniature: Miniature) -> None:
    assert rebuild(miniature, "--vary", "none,+umask") == 1
    rows = {row["name"]: row for row in report(miniature)["variations"]}
    assert (rows["umask"]["value_a"], rows["umask"]["value_b"], rows["umask"]["reason"]) == ("0022", "0002", "")
    assert rows["home"]["value_a"] == rows["home"]["value_b"]
    assert rows["home"]["reason"] == "not asked for"
    assert "no safe means" in rows["time"]["reason"]


def test_all_that_the_builds_see_is_said(miniature: Miniature) -> None:
    """The places a build sees, from the kernel's list of its mounts, are those of the report."""
    miniature.build_with('cat /proc/self/mountinfo >"$output/mounts"; env >"$output/variables"')
    assert rebuild(miniature, "--keep") == 1
    for build in "AB":
        said = {row["place"]: row["what"] for row in report(miniature)[f"seen_by_{build.lower()}"]}
        output = miniature.workspace / build / "output"
        places = {line.split()[4] for line in (output / "mounts").read_text().splitlines()}
        assert {place for place in places if not place.startswith("/dev/")} - {"/"} <= said.keys()
        assert {place for place in said if place.startswith("/")} - places == {"/source"}  # gone before the build
        variables = (output / "variables").read_text().splitlines()
        assert set(said["environment"].split()) == {
            line for line in variables if not line.startswith(("PWD=", "OLDPWD="))
        }
        assert said["network"] == "none but a loopback device of its own; no sockets to a hypervisor"
        assert str(miniature.folder) not in said["/work"]


def test_an_older_report_is_not_taken_for_this_runs(
    miniature: Miniature, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rebuild(miniature) == 1
    (miniature.report / "mark").touch()
    monkeypatch.setattr(run, "NEEDED_BYTES", 1 << 60)
    assert rebuild(miniature) == 2
    assert (miniature.report / "mark").exists()
    said = capsys.readouterr().err
    assert f"{miniature.report} keeps the report of an earlier run until this run has one" in said
    assert f"{miniature.report} still has the report of an earlier run: this run made none" in said
    monkeypatch.setattr(run, "NEEDED_BYTES", 1)
    assert rebuild(miniature) == 1
    assert not (miniature.report / "mark").exists()
    assert "still has the report of an earlier run" not in capsys.readouterr().err


def refused(miniature: Miniature, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """A rebuild that ends before it begins; its message and hint."""
    assert rebuild(miniature, *arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "build A" not in shown.err
    return "\n".join(line for line in shown.err.splitlines() if not line.startswith("["))


def test_no_disk_space(
    miniature: Miniature, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 - what shutil returns
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 10, 0))
    assert refused(miniature, capsys) == (
        f"error: {miniature.workspace} has 0.0 GB free, the builds need 0.0 GB\n"
        "hint: Free some space, or build in a folder elsewhere."
    )


def test_no_memory(miniature: Miniature, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (miniature.folder / "meminfo").write_text("MemTotal: 4000000 kB\nMemAvailable: 1048576 kB\n")
    monkeypatch.setattr(host, "MEMINFO", miniature.folder / "meminfo")
    assert refused(miniature, capsys) == (
        "error: 1.0 GiB of memory are available, expected 1.5 GiB\nhint: End other programs, or use a larger machine."
    )


def test_a_workspace_in_use(miniature: Miniature, capsys: pytest.CaptureFixture[str]) -> None:
    with Workspace(miniature.workspace).locked():
        assert refused(miniature, capsys) == (
            f"error: another run is using {miniature.workspace}\nhint: Wait for it, or build in another folder."
        )


def test_a_foreign_report_folder(miniature: Miniature, capsys: pytest.CaptureFixture[str]) -> None:
    miniature.report.mkdir()
    (miniature.report / "thesis.tex").touch()
    assert refused(miniature, capsys) == (
        f"error: {miniature.report} has other files in it\nhint: Name a new folder with --output DIR."
    )
    shutil.rmtree(miniature.report)
    miniature.report.touch()
    assert refused(miniature, capsys).startswith(f"error: {miniature.report} is not a folder\n")


@pytest.mark.parametrize(
    ("output", "workspace"),
    [
        ("w", "w"),
        ("w/report", "w"),
        ("r", "r/w"),
        ("checkout/mkosi/r", "w"),
        ("r", "checkout/mkosi/w"),
        ("r", "checkout"),
    ],
)
def test_places_that_are_in_each_others_way(
    miniature: Miniature, capsys: pytest.CaptureFixture[str], output: str, workspace: str
) -> None:
    """A workspace is cleared and a report replaced: neither may be in the other, or change the source."""
    arguments = ("--output", f"{miniature.folder}/{output}", "--workspace", f"{miniature.folder}/{workspace}")
    message = refused(miniature, capsys, *arguments)
    assert message.endswith("\nhint: Name two separate folders with --output and --workspace.")
    assert " overlap\n" in message


@pytest.mark.parametrize("option", ["--output", "--workspace"])
@pytest.mark.parametrize("below", ["", "/report"])
def test_a_link_that_leads_back_to_itself(
    miniature: Miniature, capsys: pytest.CaptureFixture[str], option: str, below: str
) -> None:
    (miniature.folder / "loop").symlink_to("loop")
    assert refused(miniature, capsys, option, f"{miniature.folder}/loop{below}") == (
        f"error: {miniature.folder}/loop{below} is a link that leads back to itself\nhint: Name another folder."
    )


def test_a_reference_in_the_folder_that_will_be_replaced(
    miniature: Miniature, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rebuild(miniature) == 1
    capsys.readouterr()
    assert " overlap\n" in refused(miniature, capsys, "--reference", str(miniature.report / "ref.json"))
    assert miniature.report.exists()


def test_the_lock_of_the_older_report_is_read_before_that_is_moved(miniature: Miniature) -> None:
    """Where a lock was made for a run, its report has it for the next one."""
    assert rebuild(miniature) == 1
    lock = miniature.report / "packages.lock.json"
    shutil.copy(miniature.project.image_lock, lock)
    assert rebuild(miniature, "--lock", str(lock)) == 1


def test_a_package_no_source_has(miniature: Miniature, capsys: pytest.CaptureFixture[str]) -> None:
    package = rebuilds.locked_package(b"gone", "gone")
    miniature.write_lock(rebuilds.locked_package(), package)
    address = f"{miniature.mirror}/debian/pool/main/h/gone/gone_2.10-3_amd64.deb"
    snapshot = "file:///none/debian/20261121T081046Z/pool/main/h/gone/gone_2.10-3_amd64.deb"
    message = refused(miniature, capsys, "--locked")
    assert message == (
        f"error: package gone 2.10-3 (sha256:{package.sha256}) could not be downloaded\n"
        f"  gone: {address}: there is no such file\n"
        f"  gone: {snapshot}: there is no such file\n"
        "hint: Ask the publisher for its inputs, and name them with --inputs DIR or URL."
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--image", "nonsense"], "error: there is no image 'nonsense'\nhint: Choose one of: base"),
        (["--reference", "/none.json"], "error: /none.json: cannot be read: No such file or directory"),
        (["--lock", "/none.json"], "error: there is no lock file /none.json"),
        (["--mirror", "gopher://x"], "error: a mirror is an http, https or file address, found 'gopher://x'"),
        (["--snapshot-archive", "x"], "error: a snapshot archive is an http, https or file address, found 'x'"),
        (["--source", "/usr"], "error: /usr is not inside a checkout of this repository"),
    ],
)
def test_wrong_arguments(
    miniature: Miniature, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert refused(miniature, capsys, *arguments).startswith(message)


def test_the_current_folder_cannot_be_replaced(
    miniature: Miniature, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (miniature.folder / "here" / "below").mkdir(parents=True)
    monkeypatch.chdir(miniature.folder / "here" / "below")
    for output in (".", ".."):
        assert refused(miniature, capsys, "--output", output).startswith(f"error: {output} is the folder you are in\n")


def test_without_nix(miniature: Miniature, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The real way to the environment, with nothing on the PATH, and room for builds whatever this host has."""
    code = (
        "import sys; from teekit_verify.cli.app import main; from teekit_verify.rebuild import host, run; "
        "run.NEEDED_BYTES = host.BUILD_MEMORY_BYTES = 1; sys.exit(main(sys.argv[1:]))"
    )
    (tmp_path / "empty").mkdir()
    completed = subprocess.run(
        [sys.executable, "-c", code, *miniature.argv()],
        env={"PATH": str(tmp_path / "empty"), "HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 2
    assert completed.stderr.splitlines()[-2:] == [
        "error: the program 'nix' is not installed",
        "hint: Run scripts/setup_deps.sh, which installs nix.",
    ]


def test_what_the_host_lacks_is_known_before_anything_is_fetched(
    miniature: Miniature, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def probe(_folders: object) -> str:
        raise TeekitError("no overlay can be mounted", hint="Use another disk.")

    monkeypatch.setattr(host, "NEEDS", (host.Need("overlay", host.Purpose.REBUILD, probe),))
    assert rebuild(miniature) == 2
    assert capsys.readouterr().err == "error: no overlay can be mounted\nhint: Use another disk.\n"
    assert not (miniature.cache / "downloads").exists()
