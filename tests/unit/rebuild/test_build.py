"""One build, and what of an earlier build is trusted: it must be finished, and every byte of it and its inputs the same."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from builders import rebuilds
from builders.progress import Recorder
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError, ToolFailedError
from teekit_verify.rebuild import limits, record, run
from teekit_verify.rebuild.build import Attempt, BuildError, Plan
from teekit_verify.rebuild.images import Target, find_target
from teekit_verify.rebuild.lock import EnvironmentIdentity
from teekit_verify.rebuild.variation import conditions
from teekit_verify.rebuild.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def miniature(tmp_path: Path) -> rebuilds.Miniature:
    return rebuilds.Miniature.make(tmp_path)


@pytest.fixture
def attempt(miniature: rebuilds.Miniature, tree: Path) -> Attempt:
    package = rebuilds.locked_package()
    packages = miniature.folder / "packages"
    packages.mkdir()
    (packages / package.file_name).write_bytes(rebuilds.PACKAGE)
    plan = Plan(
        miniature.project,
        find_target("base", ["debian-kernel"]),
        rebuilds.environment(tree),
        rebuilds.lock_of(package),
        (package,),
        packages,
    )
    return Attempt(plan, miniature.folder / "A", conditions().first)


def test_a_build_says_what_went_in_and_what_came_out(attempt: Attempt, miniature: rebuilds.Miniature) -> None:
    build = attempt.make()
    image = (miniature.project.mkosi / "image.efi").read_bytes()
    assert [(a.name, a.size_bytes, a.sha256.hex) for a in build.artifacts] == [
        ("tdx-debian-base.efi", len(image), hashlib.sha256(image).hexdigest()),
        ("tdx-debian-base.manifest", 17, hashlib.sha256(b'{"packages": []}\n').hexdigest()),
    ]
    inputs = build.inputs
    assert (inputs.image, inputs.profiles) == ("base", ("debian-kernel",))
    assert inputs.environment.store_path == rebuilds.IDENTITY.store_path
    assert [(p.name, p.sha256.hex) for p in inputs.packages] == [
        ("hello", hashlib.sha256(rebuilds.PACKAGE).hexdigest())
    ]
    assert [file.path for file in inputs.source_files] == ["mkosi/build.sh", "mkosi/image.efi"]  # not the lock
    digest = hashlib.sha256(rebuilds.PACKAGE).hexdigest()
    assert inputs.lock_sha256.hex == hashlib.sha256(f"hello 2.10-3 amd64 {digest}\n".encode()).hexdigest()
    assert sorted(path.name for path in attempt.folder.iterdir()) == ["build.log", "finished.json", "output", "source"]


def test_a_build_sees_its_conditions(attempt: Attempt, miniature: rebuilds.Miniature) -> None:
    miniature.build_with(
        "env; pwd; hostname; umask; nproc; ls /packages; touch $HOME/x; touch ./x 2>/dev/null || echo ro"
    )
    varieties = conditions()
    for varied in (varieties.first, varieties.second):
        replace(attempt, conditions=varied).make()
        lines = attempt.log.read_text().splitlines()
        settings = dict(line.split("=", 1) for line in lines if "=" in line)
        assert {**varied.variables(), "PWD": varied.build_path} == {
            name: value for name, value in settings.items() if name not in {"OLDPWD", "_"}
        }
        assert [line for line in lines if "=" not in line] == [
            varied.build_path,
            varied.domain_host,
            f"{varied.umask:04o}",
            str(len(varied.num_cpus)),
            "hello_2.10-3_amd64.deb",
            "ro",
        ]


def test_a_finished_build_is_found_again(attempt: Attempt) -> None:
    assert attempt.finished() is None
    build = attempt.make()
    assert attempt.finished() == build
    assert Attempt(attempt.plan, attempt.folder, attempt.conditions).finished() == build


def flip(path: Path, position: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "name",
    [
        "A/output/tdx-debian-base.efi",
        "A/output/tdx-debian-base.manifest",
        "checkout/mkosi/build.sh",
        "checkout/mkosi/image.efi",
    ],
)
def test_one_changed_byte_is_not_trusted(attempt: Attempt, miniature: rebuilds.Miniature, name: str) -> None:
    attempt.make()
    flip(miniature.folder / name)
    assert attempt.finished() is None


def test_a_changed_package_is_refused(attempt: Attempt) -> None:
    attempt.make()
    path = attempt.plan.package_folder / "hello_2.10-3_amd64.deb"
    flip(path)
    expected = Digest.of(Algorithm.SHA256, rebuilds.PACKAGE)
    for method in (attempt.finished, attempt.make):
        with pytest.raises(BuildError) as caught:
            method()
        assert caught.value.message.startswith(f"{path} has sha256:")
        assert caught.value.message.endswith(f", its lock says {expected}")
        assert caught.value.hint == "Run it again: packages are fetched anew."


def test_a_changed_byte_of_the_record_changes_nothing_that_is_believed(attempt: Attempt) -> None:
    """Wherever it is: either the record is refused, or it says what it said (white space)."""
    build = attempt.make()
    path = attempt.folder / "finished.json"
    original = path.read_bytes()
    places = record.places(attempt.output, build.artifacts)
    trusted = 0
    for position in range(0, len(original), 11):
        flip(path, position)
        recorded = record.load(attempt.folder)
        if recorded is not None and (recorded.conditions, recorded.build, recorded.places) == (
            attempt.conditions.described(),
            build,
            places,
        ):
            trusted += 1
            assert original[position : position + 1] in b" \n"
        path.write_bytes(original)
    assert trusted < len(original) / 2
    flip(path, original.index(hashlib.sha256(rebuilds.PACKAGE).hexdigest().encode()))
    assert attempt.finished() is None


@pytest.mark.parametrize(
    "change",
    [
        {"build_path": "/other"},
        {"domain_host": "other"},
        {"timezone": "UTC"},
        {"locales": "C"},
        {"umask": 0o077},
        {"home": "/home/other"},
        {"environment": (("X", "y"),)},
    ],
)
def test_other_conditions_are_another_build(attempt: Attempt, change: dict[str, object]) -> None:
    attempt.make()
    assert replace(attempt, conditions=replace(attempt.conditions, **change)).finished() is None  # type: ignore[arg-type]


def test_another_environment_lock_or_image_is_another_build(attempt: Attempt) -> None:
    attempt.make()
    plan = attempt.plan
    identity = EnvironmentIdentity(store_path=rebuilds.IDENTITY.store_path, nar_hash="sha256-" + "B" * 43 + "=")
    for other in (
        replace(plan, environment=replace(plan.environment, identity=identity)),
        replace(plan, environment=replace(plan.environment, lock_sha256=Digest.of(Algorithm.SHA256, b"other"))),
        replace(plan, lock=rebuilds.lock_of(rebuilds.locked_package(), rebuilds.locked_package(b"x", "other"))),
        replace(plan, target=find_target("base", []), lock=rebuilds.lock_of(rebuilds.locked_package(target="base"))),
        replace(plan, packages=()),
    ):
        assert replace(attempt, plan=other).finished() is None


def test_a_record_and_artifacts_that_fit_each_other_are_not_trusted_if_they_were_brought_along(
    attempt: Attempt, miniature: rebuilds.Miniature
) -> None:
    attempt.make()
    brought = miniature.folder / "brought"
    shutil.copytree(attempt.folder, brought)
    assert replace(attempt, folder=brought).finished() is None


def test_a_missing_artifact_is_not_trusted(attempt: Attempt) -> None:
    attempt.make()
    (attempt.output / "tdx-debian-base.manifest").unlink()
    assert attempt.finished() is None


def test_what_an_earlier_build_left_does_not_get_into_the_next(attempt: Attempt, miniature: rebuilds.Miniature) -> None:
    attempt.make()
    (attempt.output / "left-over").touch()
    miniature.build_with("ls $output /work/*")
    attempt.make()
    assert "left-over" not in attempt.log.read_text()
    assert not (attempt.output / "left-over").exists()


class _OfVariables(Target):
    @property
    def unset(self) -> tuple[str, ...]:
        return ("KERNEL_IMAGE", "KERNEL_VERSION")


def test_what_nobody_set_is_told_when_a_build_fails(attempt: Attempt, miniature: rebuilds.Miniature) -> None:
    target = attempt.plan.target
    given = _OfVariables(target.definition, target.profile, target.kernel)
    miniature.build_with("echo the reason >&2; exit 9")
    with pytest.raises(ToolFailedError, match="exit status 9") as caught:
        replace(attempt, plan=replace(attempt.plan, target=given)).make()
    assert caught.value.hint == (
        "The project takes KERNEL_IMAGE, KERNEL_VERSION from its caller's environment, and here nothing is set. If that is why, "
        "give the published image's: --mkosi-args '--environment=KERNEL_IMAGE=VALUE'."
    )


def test_a_failing_build_leaves_nothing_that_is_trusted(attempt: Attempt, miniature: rebuilds.Miniature) -> None:
    attempt.make()
    miniature.build_with("echo the reason >&2; exit 9")
    with pytest.raises(ToolFailedError, match=r"failed with exit status 9; its last lines were:\n  \| the reason"):
        attempt.make()
    assert record.load(attempt.folder) is None


@pytest.mark.parametrize("script", ["rm $output/tdx-debian-base.manifest", ": >$output/tdx-debian-base.manifest"])
def test_a_build_without_its_artifact_is_an_error(attempt: Attempt, miniature: rebuilds.Miniature, script: str) -> None:
    miniature.build_with(script)
    with pytest.raises(BuildError) as caught:
        attempt.make()
    assert caught.value.message == f"the build did not make tdx-debian-base.manifest; its log is {attempt.log}"
    assert caught.value.hint == "Look at the end of the log."
    assert record.load(attempt.folder) is None


@pytest.mark.parametrize(
    "script",
    [
        "rm $output/tdx-debian-base.efi; ln -s {secret} $output/tdx-debian-base.efi",
        "rm -r /work/output; ln -s {folder} /work/output",
    ],
)
def test_a_link_to_the_host_is_no_artifact(attempt: Attempt, miniature: rebuilds.Miniature, script: str) -> None:
    secret = miniature.folder / "secret" / "tdx-debian-base.efi"
    secret.parent.mkdir()
    secret.write_text("of the host")
    (secret.parent / "tdx-debian-base.manifest").write_text("of the host")
    miniature.build_with(script.format(secret=secret, folder=secret.parent))
    with pytest.raises(BuildError, match=r"the build made tdx-debian-base\.efi a link"):
        attempt.make()


def test_an_artifact_that_would_fill_the_disk_when_it_is_copied(
    attempt: Attempt, miniature: rebuilds.Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ARTIFACT_BYTES", 100)
    miniature.build_with('head -c 101 image.efi >"$output/tdx-debian-base.efi"\n')
    with pytest.raises(BuildError, match=r"the build made tdx-debian-base\.efi of 101 bytes, at most 100 are expected"):
        attempt.make()


def test_a_build_that_fills_the_disk_is_ended(
    attempt: Attempt, miniature: rebuilds.Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LEAST_FREE_BYTES", 1 << 60)
    miniature.build_with("sleep 600\n")
    with pytest.raises(ToolFailedError, match=r"left only [0-9]+ bytes free where"):
        attempt.make()


def test_a_build_killed_in_its_middle_leaves_nothing_that_is_trusted(
    attempt: Attempt, miniature: rebuilds.Miniature, tree: Path
) -> None:
    """The artifacts are there, whole, when everything dies at once."""
    miniature.build_with("touch $output/ready; sleep 600")
    with subprocess.Popen(miniature.script(tree), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as started:
        rebuilds.wait_for(miniature.workspace / "A/work/output/ready", started)
        assert (miniature.workspace / "A/work/output/tdx-debian-base.manifest").exists()
        started.send_signal(signal.SIGKILL)
    rebuilds.no_processes_of(miniature.workspace)
    assert record.load(miniature.workspace / "A") is None
    assert replace(attempt, folder=miniature.workspace / "A").finished() is None


def test_a_record_of_another_kind_is_not_trusted(attempt: Attempt) -> None:
    attempt.make()
    path = attempt.folder / "finished.json"
    document = json.loads(path.read_text())
    changes: tuple[object, ...] = (document | {"schema": "other"}, document | {"extra": 1}, [], "x")
    for changed in changes:
        path.write_text(json.dumps(changed))
        assert record.load(attempt.folder) is None
    path.unlink()
    path.mkdir()
    assert record.load(attempt.folder) is None


@pytest.mark.parametrize(("number", "expected"), [(errno.ENOSPC, TeekitError), (errno.EIO, OSError)])
def test_a_full_disk_is_told_in_words(
    attempt: Attempt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, expected: type[Exception]
) -> None:
    def full(path: Path) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr("teekit_verify.rebuild.build.remove", full)
    with pytest.raises(expected) as caught:
        run.build_twice(attempt.plan, conditions(), Workspace(tmp_path / "workspace"), Recorder())
    if isinstance(caught.value, TeekitError):
        assert caught.value.message == f"{tmp_path / 'workspace' / 'A'}: No space left on device"
        assert caught.value.hint == ("Free some space, or build in a folder elsewhere, and run it again.")
