"""`rebuild` of releases, of other commits, of files that are in no commit, of strangers' projects, and without a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from builders import documents, rebuilds
from builders.rebuilds import Miniature
from builders.repositories import Repository
from teekit_verify.cli.app import main
from teekit_verify.documents.create import dump_reference
from teekit_verify.documents.release import schema_text
from teekit_verify.rebuild.project import Project
from teekit_verify.rebuild.provision import Provision

COMMITTED_SCHEMA = Path(__file__).parents[3] / "reference/schema/release-v1.schema.json"


@pytest.fixture
def miniature(tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> Miniature:
    return rebuilds.isolated(tmp_path, tree, monkeypatch)


@pytest.fixture
def repository(miniature: Miniature) -> Repository:
    """The miniature's checkout under git, with everything committed."""
    made = Repository.make(miniature.project.root)
    made.write(".gitignore", b"*.cache\n")
    made.commit()
    return made


def rebuild(miniature: Miniature, *arguments: str) -> int:
    return int(main(miniature.argv(*arguments)))


def report(miniature: Miniature) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((miniature.report / "report.json").read_text())
    return content


def refused(miniature: Miniature, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """A rebuild that ends before it begins; its message and hint."""
    capsys.readouterr()
    assert rebuild(miniature, *arguments) == 2
    shown = capsys.readouterr()
    assert "build A" not in shown.err
    return "\n".join(line for line in shown.err.splitlines() if not line.startswith("["))


def publish(miniature: Miniature, git: Repository) -> str:
    """What an honest publisher does: rebuild a commit, make the reference, tag the commit. The commit."""
    assert rebuild(miniature) == 1
    commit = declare(miniature, git)
    reference = miniature.project.references / "releases" / "r1" / "image.json"
    assert main(["reference", "create", str(miniature.report), "--release", "r1", "--output", str(reference)]) == 0
    return commit


def declare(miniature: Miniature, git: Repository, **changes: Any) -> str:
    """Tag the commit and write release.json, with some reference values. The commit."""
    folder = miniature.project.references / "releases" / "r1"
    folder.mkdir(parents=True)
    commit = git.git("rev-parse", "HEAD")
    git.git("tag", "v1")
    release = {
        "schema": "teekit-verify/release/v1",
        "repository": None,
        "commit": commit,
        "tag": "v1",
        "image": "base",
        "profiles": ["debian-kernel"],
        "reference": "image.json",
    }
    (folder / "release.json").write_text(json.dumps(release | changes))
    (folder / "image.json").write_bytes(dump_reference(documents.reference()))
    return commit


def test_a_checkout_names_its_commit(miniature: Miniature, repository: Repository) -> None:
    assert rebuild(miniature) == 1
    assert report(miniature)["origin"] == {
        "repository": None,
        "commit": repository.git("rev-parse", "HEAD"),
        "tag": None,
        "signed_by": "",
        "changes": [],
    }


def test_changes_that_are_in_no_commit_are_refused_unless_asked_for(
    miniature: Miniature, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    miniature.write("new.cache", b"ignored by git, but seen by a build")
    miniature.write("build.sh", rebuilds.BUILD.encode() + b"# changed\n")
    assert refused(miniature, capsys) == (
        "error: the source has changes that are in no commit: changed mkosi/build.sh (and 1 more)\n"
        "hint: Commit them, or build them as they are with --allow-dirty: the report will say so."
    )
    assert rebuild(miniature, "--allow-dirty") == 1
    assert report(miniature)["origin"]["changes"] == ["changed mkosi/build.sh", "added mkosi/new.cache"]
    shown = capsys.readouterr().out
    assert "with changes that are in no commit: changed mkosi/build.sh and 1 more" in shown
    assert "changed mkosi/build.sh" in (miniature.report / "report.html").read_text()


def test_changes_made_while_packages_are_fetched_are_noticed(
    miniature: Miniature, repository: Repository, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report would say that they are of the commit."""
    fetch = Provision.fetch

    def slow_fetch(*arguments: Any) -> None:
        fetch(*arguments)
        miniature.write("build.sh", rebuilds.BUILD.encode() + b"# changed\n")

    monkeypatch.setattr(Provision, "fetch", slow_fetch)
    assert refused(miniature, capsys) == "error: the source has changed since this run began\nhint: Run it again."


def test_another_commit_is_built_instead_of_the_files_as_they_are(
    miniature: Miniature, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = repository.git("rev-parse", "HEAD")
    repository.git("tag", "before")
    miniature.build_with('echo later >>"$output/tdx-debian-base.manifest"\n')
    repository.commit()
    miniature.build_with("exit 9")  # the files as they are
    for name in (commit, "before"):
        assert rebuild(miniature, "--commit", name) == 1
        assert report(miniature)["origin"]["commit"] == commit
        assert "later" not in (miniature.report / "artifacts/tdx-debian-base.manifest").read_text()
    assert report(miniature)["origin"]["tag"] == "before"
    repository.folder.joinpath(".git").rename(repository.folder / "gone")
    assert rebuild(miniature, "--commit", commit, "--repository", str(repository.folder / "gone"), "--offline") == 2
    assert rebuild(miniature, "--commit", commit, "--repository", str(repository.folder / "gone")) == 1
    assert report(miniature)["origin"]["repository"] == str(repository.folder / "gone")


def test_a_release_is_rebuilt_from_its_commit_and_compared_with_its_reference(
    miniature: Miniature, repository: Repository
) -> None:
    commit = publish(miniature, repository)
    miniature.build_with("exit 9")
    repository.commit("a later state of the repository")
    assert rebuild(miniature, "--release", "r1") == 0
    content = report(miniature)
    assert content["verdict"] == "REPRODUCED"
    assert content["origin"] == {
        "repository": None,
        "commit": commit,
        "tag": "v1",
        "signed_by": "",
        "changes": [],
    }
    assert content["reference"]["release"] == "r1"
    assert content["command"][-2:] != []
    assert "--release" in content["command"]


def test_a_release_whose_tag_has_moved_is_refused(
    miniature: Miniature, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    commit = declare(miniature, repository)
    moved = repository.commit("evil")
    repository.git("tag", "--force", "v1")
    assert refused(miniature, capsys, "--release", "r1") == (
        f"error: the tag v1 has moved: it names {moved}, the release was made from {commit}\n"
        "hint: Ask the publisher, or rebuild the commit itself."
    )


def test_a_release_with_a_tag_that_must_be_signed(
    miniature: Miniature, repository: Repository, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    declare(miniature, repository)
    (tmp_path / "key").write_text("alice ssh-ed25519 AAAA")
    message = refused(miniature, capsys, "--release", "r1", "--tag-key", str(tmp_path / "key"))
    assert message.startswith("error: the tag v1 is not signed\n")
    message = refused(miniature, capsys, "--commit", "0" * 40, "--tag-key", str(tmp_path / "key"))
    assert message.startswith("error: there is no tag whose signature could be checked\n")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"commit": None, "tag": None}, "names neither a commit nor a tag"),
        ({"commit": "HEAD"}, "commit: expected text that matches"),
        ({"reference": "../../x.json"}, "reference: expected text that matches"),
        ({"repository": "ext::sh -c x"}, "a repository is an https, http, git or file address, found 'ext::sh -c x'"),
        ({"image": "none"}, "there is no image 'none'"),
        ({"reference": "none.json"}, "none.json: cannot be read"),
        ({"extra": 1}, "extra: unknown field"),
        ({"tag": "--upload-pack=x", "commit": None}, "tag: expected text that matches"),
    ],
)
def test_releases_that_are_none(
    miniature: Miniature,
    repository: Repository,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    problem: str,
) -> None:
    declare(miniature, repository, **changes)
    assert problem in refused(miniature, capsys, "--release", "r1")


@pytest.mark.parametrize("name", ["r2", "..", "../r1", "", "/etc"])
def test_a_release_that_is_not_there(
    miniature: Miniature, repository: Repository, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    declare(miniature, repository)
    assert refused(miniature, capsys, "--release", name) == (
        f"error: there is no release '{name}' in {miniature.project.references}/releases\nhint: Choose one of: r1."
    )


def test_a_commit_that_is_no_checkout_of_this_repository(
    miniature: Miniature, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    (miniature.project.root / "nix/build-env.lock.json").unlink()
    (miniature.project.root / "nix/build-env.lock.json").symlink_to("/etc/passwd")
    commit = repository.commit()
    miniature.project.environment_lock.unlink()
    rebuilds.lock_of(rebuilds.locked_package(), identity=rebuilds.IDENTITY).write(miniature.project.environment_lock)
    message = refused(miniature, capsys, "--commit", commit)
    assert message.startswith(f"error: the commit {commit} has no nix/build-env.lock.json\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--release", "r1", "--commit", "x"], "--release and --commit cannot be used together"),
        (["--commit", "x", "--mkosi-args", ""], "--commit and --mkosi-args cannot be used together"),
        (["--repository", "/x"], "--repository and --tag-key have no effect without a commit"),
        (["--tag-key", __file__, "--mkosi-args", ""], "--repository and --tag-key have no effect without a commit"),
        (["--release", "r1", "--image", "base"], "--image has no effect here: the release, or --mkosi-args, decides"),
        (
            ["--mkosi-args", "", "--kernel", "source"],
            "--kernel has no effect here: the release, or --mkosi-args, decides",
        ),
        (["--commit", "v1"], " is not in a git repository: there are no commits to fetch from"),
        (["--commit", "a b"], "'a b' is not a name of a tag"),
        (["--snapshot", "20261121T081046Z"], "--snapshot has no effect when a lock pins the packages"),
    ],
)
def test_options_that_do_not_fit(
    miniature: Miniature, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert message in refused(miniature, capsys, *arguments)


def test_a_withdrawn_release_is_rebuilt_and_said_to_be_one(
    miniature: Miniature, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(miniature, repository)
    folder = miniature.project.references / "releases" / "r1"
    fields = json.loads((folder / "release.json").read_text())
    (folder / "release.json").write_text(json.dumps({**fields, "withdrawn": "see advisory 7"}))
    capsys.readouterr()
    assert rebuild(miniature, "--release", "r1") == 0
    assert capsys.readouterr().err.splitlines()[-1] == "warning: this release is withdrawn: see advisory 7"
    artifact = next((miniature.report / "artifacts").glob("*.efi"))
    main(["compare", str(folder / "image.json"), str(artifact)])
    assert "is of a withdrawn release: see advisory 7" in capsys.readouterr().err


def test_offline_needs_what_an_earlier_run_fetched(
    miniature: Miniature, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    commit = publish(miniature, repository)
    assert rebuild(miniature, "--release", "r1", "--offline") == 2
    assert f"error: the tag v1 of {repository.folder}/.git is not in the cache" in capsys.readouterr().err
    assert rebuild(miniature, "--release", "r1") == 0
    assert rebuild(miniature, "--release", "r1", "--offline") == 0
    assert report(miniature)["origin"]["commit"] == commit
    (miniature.cache / "downloads" / "sha256" / rebuilds.locked_package().sha256).unlink()
    assert refused(miniature, capsys, "--offline") == (
        "error: 1 files are not in the download cache: package hello 2.10-3\n"
        "hint: Run the same command once without --offline."
    )


def test_a_strangers_project(
    miniature: Miniature, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No checkout of ours, no lock: the environment is this program's, the lock is given or made."""
    monkeypatch.setattr(Project, "find", classmethod(lambda *_: miniature.project))
    stranger = Repository.make(tmp_path / "stranger")
    for name in ("image.efi", "build.sh"):
        stranger.write(name, (miniature.project.mkosi / name).read_bytes().replace(b"tdx-debian-base", b"theirs"))
    summary = {
        "Architecture": "x86-64",
        "Distribution": "debian",
        "Format": "uki",
        "ManifestFormat": ["json"],
        "Output": "theirs",
        "Release": "trixie",
    }
    stranger.write("summary.json", json.dumps({"Images": [summary]}).encode())
    stranger.write("mkosi.conf", b"[Build]\nWithNetwork=yes\n")
    stranger.write("mkosi.profiles/x.conf", b"")
    commit = stranger.commit()
    lock = tmp_path / "lock.json"
    rebuilds.lock_of(rebuilds.locked_package(target="theirs")).write(lock)
    arguments = ("--source", str(stranger.folder), "--mkosi-args", "--profile=x", "--lock", str(lock))
    assert rebuild(miniature, *arguments) == 1
    content = report(miniature)
    assert (content["verdict"], content["image"], content["origin"]["commit"]) == ("UNREFERENCED", "theirs", commit)
    assert ("mkosi.conf", 2, "scripts with network") in {
        (smell["path"], smell["line"], smell["name"]) for smell in content["smells"]
    }
    assert "mkosi.conf:2: scripts with network" in capsys.readouterr().out
    paths = [file["path"] for file in content["consumed"]["source_files"]]
    assert paths == [
        "build.sh",
        "image.efi",
        "mkosi.conf",
        "mkosi.profiles/x.conf",
        "mkosi.sandbox/etc/apt/sources.list.d/mkosi.sources",
        "summary.json",
    ]
    assert (miniature.report / "packages.lock.json").read_bytes() == lock.read_bytes()
    assert rebuild(miniature, *arguments[:4], "--offline") == 2
    assert "error: a new lock needs today's package index, which no cache has" in capsys.readouterr().err
    inside = refused(miniature, capsys, *arguments, "--output", str(stranger.folder / "report"))
    assert "overlap" in inside


def test_a_strangers_project_has_to_be_named(
    miniature: Miniature, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Project, "find", classmethod(lambda *_: miniature.project))
    argv = ["rebuild", "--mkosi-args", "", "--output", str(miniature.report), "--workspace", str(miniature.workspace)]
    assert main(argv) == 2
    assert "error: --mkosi-args is for other projects\nhint: Name it with --source DIR." in (capsys.readouterr().err)


def test_the_committed_schema_of_releases_is_that_of_the_model() -> None:
    again = "python -m teekit_verify.documents.release > reference/schema/release-v1.schema.json"
    assert COMMITTED_SCHEMA.read_text() == schema_text(), f"write it again: {again}"
