"""Archives of inputs: made, checked, pruned, and rebuilt from when nobody else has anything any more."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from builders import debian_archive, documents, rebuilds
from builders.faults import status
from builders.http import Server, serve
from builders.rebuilds import Miniature
from builders.repositories import Repository
from teekit_verify.cli.app import main
from teekit_verify.documents.create import dump_reference
from teekit_verify.rebuild import apt_root
from teekit_verify.rebuild.lock import IndexEvidence
from teekit_verify.rebuild.provision import Provision

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE_HEX = hashlib.sha256(rebuilds.PACKAGE).hexdigest()
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture
def miniature(tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> Miniature:
    return rebuilds.isolated(tmp_path, tree, monkeypatch)


@pytest.fixture
def commit(miniature: Miniature) -> str:
    """A release r1 of the miniature, reproduced and published."""
    repository = Repository.make(miniature.project.root)
    repository.commit("before it")
    made = repository.commit()
    folder = miniature.project.references / "releases" / "r1"
    folder.mkdir(parents=True)
    release = {
        "schema": "teekit-verify/release/v1",
        "repository": None,
        "commit": made,
        "tag": None,
        "image": "base",
        "profiles": ["debian-kernel"],
        "reference": "image.json",
    }
    (folder / "release.json").write_text(json.dumps(release))
    assert main(miniature.argv()) == 1
    create = ["reference", "create", str(miniature.report), "--release", "r1", "--output", str(folder / "image.json")]
    assert main(create) == 0
    return made


def inputs(miniature: Miniature, command: str, *arguments: str) -> int:
    places = ["--source", str(miniature.project.root)]
    if command == "create":
        places += ["--mirror", miniature.mirror, "--snapshot-archive", "file:///none"]
    return int(main(["inputs", command, *places, *arguments]))


def created(miniature: Miniature, name: str = "archive") -> Path:
    folder = miniature.folder / name
    assert inputs(miniature, "create", "--release", "r1", "--output", str(folder)) == 0
    return folder


def lose_everything(miniature: Miniature) -> None:
    """The mirror, the cache, and the history of the checkout: what is left are the release's files and the archive."""
    shutil.rmtree(miniature.folder / "mirror")
    shutil.rmtree(miniature.cache)
    shutil.rmtree(miniature.project.root / ".git")
    Repository.make(miniature.project.root)


def documents_of(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    index = json.loads((folder / "index.json").read_text())
    hexadecimal = index["manifests"][0]["digest"].removeprefix("sha256:")
    return index, json.loads((folder / "blobs/sha256" / hexadecimal).read_text())


def test_an_archive_is_an_oci_image_layout(miniature: Miniature, commit: str) -> None:
    """As image-spec v1.1 has it: image-layout.md, and manifest.md on artifacts."""
    folder = created(miniature)
    assert json.loads((folder / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    for blob in (folder / "blobs/sha256").iterdir():
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    index, manifest = documents_of(folder)
    assert index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"] == "r1"
    assert (manifest["schemaVersion"], manifest["mediaType"]) == (2, MANIFEST_TYPE)
    assert manifest["artifactType"] == "application/vnd.teekit-verify.inputs.v1"
    empty = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"  # of the specification
    assert (manifest["config"]["digest"], manifest["config"]["size"]) == (empty, 2)
    titles = [layer["annotations"]["org.opencontainers.image.title"] for layer in manifest["layers"]]
    assert titles == [
        "nix/build-env.lock.json",
        "mkosi/packages.lock.json",
        "source.bundle",
        "hello_2.10-3_amd64.deb",
    ]
    for layer in (manifest["config"], *manifest["layers"]):
        path = folder / "blobs/sha256" / layer["digest"].removeprefix("sha256:")
        assert path.stat().st_size == layer["size"]


@pytest.fixture
def evidence(miniature: Miniature) -> list[bytes]:
    """Two files that the image's lock names as its signed index, in the cache of whoever made the lock."""
    files = [b"InRelease of a day", b"Packages of a day"]
    digests = [hashlib.sha256(data).hexdigest() for data in files]
    named = IndexEvidence(archive="debian", suite="trixie", inrelease_sha256=digests[0], packages_sha256=digests[1])
    rebuilds.lock_of(rebuilds.locked_package()).with_evidence((named,)).write(miniature.project.image_lock)
    store = miniature.cache / "downloads/sha256"
    store.mkdir(parents=True)
    for digest, data in zip(digests, files, strict=True):
        (store / digest).write_bytes(data)
    return files


def test_the_signed_index_comes_along(
    miniature: Miniature, evidence: list[bytes], commit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commit
    folder = created(miniature)
    _, manifest = documents_of(folder)
    found = [one for one in manifest["layers"] if one["mediaType"].endswith("signed-index")]
    assert [one["annotations"]["org.opencontainers.image.title"] for one in found] == [
        "debian trixie InRelease",
        "debian trixie Packages",
    ]
    blobs = [folder / "blobs/sha256" / one["digest"].removeprefix("sha256:") for one in found]
    assert [blob.read_bytes() for blob in blobs] == evidence
    assert inputs(miniature, "check", str(folder), "--release", "r1") == 0
    blobs[1].unlink()
    assert inputs(miniature, "check", str(folder)) == 1
    assert "debian trixie Packages: missing" in capsys.readouterr().out


def test_a_release_without_its_signed_index_is_named_as_such(
    miniature: Miniature, evidence: list[bytes], commit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rebuild goes without it, so an archive can be made; that something is missing in it is said."""
    assert evidence
    assert commit
    shutil.rmtree(miniature.cache)
    folder = created(miniature)
    assert "nobody has these files of the locks' signed index any more: debian trixie InRelease" in (
        capsys.readouterr().err
    )
    assert inputs(miniature, "check", str(folder)) == 1
    assert "debian trixie Packages: not in the manifest" in capsys.readouterr().out
    lose_everything(miniature)
    assert main(miniature.argv("--release", "r1", "--inputs", str(folder))) == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("inputs-created-v1", ("inputs", "create", "--release", "r1", "--output", "archive")),
        ("inputs-check-v1", ("inputs", "check", "archive")),
        ("inputs-pruned-v1", ("inputs", "prune", "archive")),
        ("fetched-v1", ("fetch", "--release", "r1")),
    ],
)
@pytest.mark.usefixtures("commit")
def test_what_is_printed_fits_its_schema(
    miniature: Miniature,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    words: tuple[str, ...],
) -> None:
    created(miniature)
    monkeypatch.chdir(miniature.folder)
    monkeypatch.setenv("TEEKIT_DEBIAN_MIRROR", miniature.mirror)
    source = [] if words[1] == "prune" else ["--source", str(miniature.project.root)]
    capsys.readouterr()
    assert main([*words, *source, "--json"]) == 0
    schema = json.loads((Path(__file__).parents[3] / f"reference/schema/{name}.schema.json").read_text())
    jsonschema.validate(json.loads(capsys.readouterr().out), schema)


def test_the_same_release_is_the_same_bytes(miniature: Miniature, commit: str) -> None:
    first = created(miniature)
    shutil.rmtree(miniature.cache)
    second = created(miniature, "other")
    assert created(miniature, "other") == second  # and again into the same one
    for folder in (first, second):
        assert sorted(path.name for path in folder.iterdir()) == ["blobs", "index.json", "oci-layout"]
    subprocess.run(["diff", "-r", first, second], check=True)


def test_git_itself_reads_the_source(miniature: Miniature, commit: str, tmp_path: Path) -> None:
    folder = created(miniature)
    _, manifest = documents_of(folder)
    (layer,) = [one for one in manifest["layers"] if one["mediaType"] == "application/vnd.git.bundle"]
    bundle = folder / "blobs/sha256" / layer["digest"].removeprefix("sha256:")
    parent = Repository(miniature.project.root).git("rev-parse", "HEAD^")
    head, pack = bundle.read_bytes().split(b"\n\n", 1)
    assert head.decode().splitlines() == ["# v2 git bundle", f"-{parent}", f"{commit} HEAD"]
    verified = Repository(miniature.project.root).git("bundle", "verify", str(bundle))  # the history is here
    assert commit in verified
    clone = Repository.make(tmp_path / "clone")  # as docs/inputs.md has it, where it is not
    clone.git("index-pack", "--stdin", stdin=pack)
    (clone.folder / ".git/shallow").write_text(f"{commit}\n")
    clone.git("checkout", "--quiet", commit)
    clone.git("fsck", "--strict")
    assert (clone.folder / "mkosi/build.sh").read_text() == rebuilds.BUILD


@pytest.fixture
def served(miniature: Miniature, commit: str) -> Iterator[tuple[Server, Path]]:
    folder = created(miniature)
    with serve() as server:
        for path in folder.rglob("*"):
            if path.is_file():
                server.files[f"/static/{path.relative_to(folder).as_posix()}"] = path.read_bytes()
        for blob in (folder / "blobs/sha256").iterdir():
            server.files[f"/v2/images/inputs/blobs/sha256:{blob.name}"] = blob.read_bytes()
        digest = json.loads((folder / "index.json").read_text())["manifests"][0]["digest"].removeprefix("sha256:")
        server.files["/v2/images/inputs/manifests/r1"] = (folder / "blobs/sha256" / digest).read_bytes()
        yield server, folder


def place_of(served: tuple[Server, Path], kind: str) -> str:
    server, folder = served
    host = server.address().removeprefix("http://")
    return {"folder": str(folder), "static": server.address("/static"), "registry": f"oci://{host}/images/inputs"}[kind]


@pytest.mark.parametrize("kind", ["folder", "static", "registry"])
def test_a_release_is_rebuilt_from_its_archive_alone(
    miniature: Miniature, served: tuple[Server, Path], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_everything(miniature)
    place = place_of(served, kind)
    monkeypatch.setenv("TEEKIT_INPUTS", place)
    assert main(miniature.argv("--release", "r1")) == 0
    assert json.loads((miniature.report / "report.json").read_text())["verdict"] == "REPRODUCED"
    sources = json.loads((miniature.report / "inputs.json").read_text())["served"]
    (source,) = [one["source"] for one in sources if one["sha256"] == PACKAGE_HEX]
    assert source.startswith({"folder": f"file://{served[1]}"}.get(kind, served[0].address()))
    assert main(miniature.argv("--release", "r1", "--offline")) == 0


@pytest.mark.parametrize("kind", ["folder", "static", "registry"])
def test_an_archive_is_checked_wherever_it_is(
    miniature: Miniature, served: tuple[Server, Path], kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert inputs(miniature, "check", place_of(served, kind), "--release", "r1") == 0
    assert capsys.readouterr().out.startswith("1 releases, 5 files, ")


def test_a_folder_is_enough_without_a_network(miniature: Miniature, served: tuple[Server, Path]) -> None:
    lose_everything(miniature)
    assert main(miniature.argv("--release", "r1", "--offline", "--inputs", str(served[1]))) == 0
    shutil.rmtree(miniature.cache)
    assert main(miniature.argv("--release", "r1", "--offline", "--inputs", served[0].address("/static"))) == 2


@pytest.mark.parametrize("kind", ["static", "registry"])
def test_a_release_may_say_where_its_inputs_are(miniature: Miniature, served: tuple[Server, Path], kind: str) -> None:
    """The manifest is asked for by its digest, so neither a name nor a tag is needed."""
    server, folder = served
    digest = json.loads((folder / "index.json").read_text())["manifests"][0]["digest"]
    blob = server.files.pop("/v2/images/inputs/manifests/r1")
    server.files[f"/v2/images/inputs/manifests/{digest}"] = blob
    del server.files["/static/index.json"]
    path = miniature.project.references / "releases/r1/release.json"
    inputs = {"manifest_sha256": digest.removeprefix("sha256:"), "locations": [place_of(served, kind)]}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"inputs": inputs}))
    lose_everything(miniature)
    assert main(miniature.argv("--release", "r1")) == 0


def test_fetch_brings_all_that_a_release_needs(miniature: Miniature, served: tuple[Server, Path]) -> None:
    lose_everything(miniature)
    fetch = ["fetch", "--source", str(miniature.project.root), "--snapshot-archive", "file:///none", "--release", "r1"]
    assert main([*fetch, "--inputs", str(served[1])]) == 0
    shutil.rmtree(served[1])
    assert main(miniature.argv("--release", "r1", "--offline")) == 0


@pytest.mark.parametrize("damage", ["flipped", "missing", "another"])
def test_each_damaged_file_is_named(
    miniature: Miniature, served: tuple[Server, Path], damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = served[1]
    blob = folder / "blobs/sha256" / PACKAGE_HEX
    if damage == "missing":
        blob.unlink()
    else:
        blob.write_bytes(rebuilds.PACKAGE[:-1] + b"X" if damage == "flipped" else b"another valid package")
    reason = "missing" if damage == "missing" else "other bytes"
    capsys.readouterr()
    assert inputs(miniature, "check", str(folder)) == 1
    assert f"r1: hello_2.10-3_amd64.deb: {reason} sha256:{PACKAGE_HEX}\n" in capsys.readouterr().out
    lose_everything(miniature)
    earlier = (miniature.report / "report.json").read_bytes()
    assert main([*miniature.argv("--release", "r1", "--inputs", str(folder)), "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "inputs_unavailable"
    (file,) = error["files"]
    assert (file["name"], file["digest"]) == ("package hello 2.10-3", f"sha256:{PACKAGE_HEX}")
    expected = "gone" if damage == "missing" else "other bytes"
    assert [one["reason"] for one in file["sources"]] == [expected, "gone", "gone"]  # the archive, --mirror, snapshots
    assert "--inputs" in error["hint"]
    assert (miniature.report / "report.json").read_bytes() == earlier


def edit(folder: Path, change: Any) -> None:
    """Change the manifest, and name it in the index as if that were honest."""
    index, manifest = documents_of(folder)
    change(manifest)
    data = json.dumps(manifest).encode()
    digest = hashlib.sha256(data).hexdigest()
    (folder / "blobs/sha256" / digest).write_bytes(data)
    index["manifests"][0] |= {"digest": f"sha256:{digest}", "size": len(data)}
    (folder / "index.json").write_text(json.dumps(index))


def test_a_manifest_must_have_what_its_commit_needs(
    miniature: Miniature, served: tuple[Server, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = served[1]
    edit(folder, lambda manifest: manifest["layers"].pop())
    capsys.readouterr()
    assert inputs(miniature, "check", str(folder)) == 1
    assert f"r1: hello 2.10-3: not in the manifest sha256:{PACKAGE_HEX}\n" in capsys.readouterr().out
    assert sorted(path.name for path in (folder / "blobs/sha256").iterdir() if path.name == PACKAGE_HEX)
    assert main(["inputs", "prune", str(folder)]) == 0
    assert not (folder / "blobs/sha256" / PACKAGE_HEX).exists()


def test_a_lock_must_be_that_of_the_commit(
    miniature: Miniature, served: tuple[Server, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = served[1]
    other = rebuilds.lock_of(rebuilds.locked_package(), rebuilds.locked_package(b"more", "more")).dump()
    digest = hashlib.sha256(other).hexdigest()
    (folder / "blobs/sha256" / digest).write_bytes(other)
    edit(folder, lambda manifest: manifest["layers"][1].update(digest=f"sha256:{digest}", size=len(other)))
    capsys.readouterr()
    assert inputs(miniature, "check", str(folder)) == 1
    assert f"r1: mkosi/packages.lock.json: not of the commit sha256:{digest}\n" in capsys.readouterr().out


def test_prune_keeps_what_a_manifest_names(
    miniature: Miniature, served: tuple[Server, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = served[1]
    before = sorted(path.name for path in (folder / "blobs/sha256").iterdir())
    (folder / "blobs/sha256" / ("0" * 64)).write_bytes(b"left over")
    (folder / "blobs/sha256" / "README").write_bytes(b"somebody's")
    capsys.readouterr()
    assert main(["inputs", "prune", str(folder)]) == 0
    assert capsys.readouterr().out == "1 files removed, 9 bytes\n"
    (folder / "blobs/sha256" / "README").unlink()
    assert sorted(path.name for path in (folder / "blobs/sha256").iterdir()) == before


def test_prune_removes_nothing_where_it_does_not_know(miniature: Miniature, served: tuple[Server, Path]) -> None:
    folder = served[1]
    index, _ = documents_of(folder)
    other = {"mediaType": "application/vnd.example", "digest": f"sha256:{'1' * 64}", "size": 1}
    index["manifests"].append(other)
    (folder / "index.json").write_text(json.dumps(index))
    (folder / "blobs/sha256" / ("0" * 64)).write_bytes(b"left over")
    assert main(["inputs", "prune", str(folder)]) == 2
    assert (folder / "blobs/sha256" / ("0" * 64)).exists()


@pytest.mark.parametrize(
    "index",
    [
        b"",
        b"[]",
        b"{}",
        b'{"schemaVersion": 2}',
        b'{"schemaVersion": 2, "manifests": [{}]}',
        b'{"schemaVersion": 2, "manifests": 1}',
        b'{"schemaVersion": 2, "manifests": [], "manifests": []}',
        b"[" * 100_000,
        b'{"schemaVersion": 2, "manifests": [' + b"1," * 300_000 + b"1]}",
        b" " * (9 << 20),
        b'{"schemaVersion": 2, "manifests": [{"mediaType": "a", "digest": "sha256:../../etc/passwd", "size": 1}]}',
        b'{"schemaVersion": 2, "manifests": [{"mediaType": "a", "digest": "sha256:' + b"0" * 64 + b'", "size": -1}]}',
    ],
)
def test_an_index_of_an_enemy_is_refused(
    miniature: Miniature, commit: str, index: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = created(miniature)
    (folder / "index.json").write_bytes(index)
    capsys.readouterr()
    assert inputs(miniature, "check", str(folder)) == 2
    assert "internal error" not in capsys.readouterr().err
    assert main(["inputs", "prune", str(folder)]) == 2
    assert "internal error" not in capsys.readouterr().err


@pytest.mark.parametrize("bundle", [b"", b"rubbish", b"# v2 git bundle\n", b"# v2 git bundle\n\nPACKrubbish"])
def test_a_bundle_of_an_enemy_is_refused(
    miniature: Miniature, commit: str, bundle: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = created(miniature)
    digest = hashlib.sha256(bundle).hexdigest()
    (folder / "blobs/sha256" / digest).write_bytes(bundle)
    edit(folder, lambda manifest: manifest["layers"][2].update(digest=f"sha256:{digest}", size=len(bundle)))
    capsys.readouterr()
    assert inputs(miniature, "check", str(folder)) == 1
    assert f"source.bundle: not of the commit sha256:{digest}" in capsys.readouterr().out
    lose_everything(miniature)
    assert main(miniature.argv("--release", "r1", "--inputs", str(folder))) == 2
    assert "internal error" not in capsys.readouterr().err


@pytest.mark.parametrize("place", ["/none", "oci://host", "oci://UPPER/x y", "http://h/?q", "oci://me:pw@host/x"])
def test_a_place_that_is_none(miniature: Miniature, place: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(miniature.argv("--inputs", place)) == 2
    assert "pw" not in capsys.readouterr().err


def test_a_folder_with_other_things_is_not_made_an_archive(miniature: Miniature, commit: str) -> None:
    (miniature.folder / "mine").mkdir()
    (miniature.folder / "mine/letter").touch()
    assert inputs(miniature, "create", "--release", "r1", "--output", str(miniature.folder / "mine")) == 2
    assert [path.name for path in (miniature.folder / "mine").iterdir()] == ["letter"]


def test_wheels_that_the_release_names_are_put_in(miniature: Miniature, commit: str) -> None:
    wheels = miniature.folder / "wheels"
    wheels.mkdir()
    (wheels / "named-1.0-py3-none-any.whl").write_bytes(b"named")
    (wheels / "other-1.0-py3-none-any.whl").write_bytes(b"other")
    digest = hashlib.sha256(b"named").hexdigest()
    git = Repository(miniature.project.root)
    git.write("requirements.lock", f"named==1.0 \\\n    --hash=sha256:{digest}\n".encode())
    later = git.commit()
    path = miniature.project.references / "releases/r1/release.json"
    path.write_text(path.read_text().replace(commit, later))
    folder = miniature.folder / "archive"
    create = ("--release", "r1", "--output", str(folder), "--wheels", str(wheels))
    assert inputs(miniature, "create", *create) == 0
    _, manifest = documents_of(folder)
    assert manifest["layers"][-1]["annotations"] == {"org.opencontainers.image.title": "named-1.0-py3-none-any.whl"}
    assert manifest["layers"][-1]["digest"] == f"sha256:{digest}"


@pytest.fixture
def later(miniature: Miniature, monkeypatch: pytest.MonkeyPatch) -> Iterator[Miniature]:
    """A later day: the index has newer versions, the mirror has no old ones, and neither has the snapshot archive."""
    reference = miniature.project.references / f"{rebuilds.TARGET}.json"
    reference.write_bytes(dump_reference(documents.reference()))
    shutil.rmtree(miniature.folder / "mirror")
    newer = rebuilds.locked_package()
    environment = rebuilds.lock_of(newer, identity=rebuilds.IDENTITY)
    monkeypatch.setattr(Provision, "new_environment_lock", lambda _: environment)
    stages = [{"Image": None, "BaseTrees": [], "Packages": ["hello"], "BuildPackages": [], "VolatilePackages": []}]
    miniature.write("summary.json", json.dumps({"Images": stages}).encode())
    (miniature.folder / "later").mkdir()
    for made in debian_archive.served(miniature.folder / "later"):
        made.add("base-files", "13.9")
        made.publish()
        monkeypatch.setattr(apt_root, "KEYRING", made.keyring)
        made.root.rename(miniature.folder / "mirror")
        yield miniature


def test_a_checkout_is_built_from_todays_packages_where_locked_ones_are_gone(
    later: Miniature, capsys: pytest.CaptureFixture[str]
) -> None:
    committed = later.project.image_lock.read_bytes()
    assert main(later.argv()) == 1
    shown = capsys.readouterr()
    assert "1 locked packages are gone from every source: package hello 2.10-3; building from today's" in shown.err
    report = json.loads((later.report / "report.json").read_text())
    assert report["verdict"] == "INPUT_DRIFT"
    assert report["reasons"][0] == "built from today's packages: deterministic; says nothing about the published bytes"
    assert report["todays_packages"] == {"gone": ["package hello 2.10-3"]}
    assert "rebuild --release NAME --inputs DIR" in shown.out
    assert later.project.image_lock.read_bytes() == committed
    made = json.loads((later.report / "packages.lock.json").read_text())
    assert "1:2.10~rc1+dfsg-3" in {package["version"] for package in made["packages"]}
    assert (later.report / "build-env.lock.json").exists()
    folder = str(later.report)
    assert main(["reference", "create", folder, "--release", "r", "--output", str(later.folder / "r.json")]) == 2
    assert "was built from today's packages" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--locked", "--offline", "--lock"])
def test_a_promise_is_kept(later: Miniature, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [option, str(later.project.image_lock)] if option == "--lock" else [option]
    assert main(later.argv(*arguments)) == 2
    assert "today" not in capsys.readouterr().err


def test_a_source_that_may_have_them_later_is_waited_for(
    later: Miniature, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve() as server:
        package = rebuilds.locked_package()
        server.answers[f"/debian/20261121T081046Z/{package.path}"] = status(503, Retry_After="0")
        assert main([*later.argv("--snapshot-archive", server.address()), "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "inputs_unavailable"
    assert [one["reason"] for one in error["files"][0]["sources"]] == ["gone", "unreachable"]


def test_todays_packages_can_be_asked_for(miniature: Miniature, later: Miniature) -> None:
    assert main(later.argv("--todays-packages")) == 1
    report = json.loads((later.report / "report.json").read_text())
    assert (report["verdict"], report["todays_packages"]) == ("INPUT_DRIFT", {"gone": []})
    (later.project.references / f"{rebuilds.TARGET}.json").unlink()
    assert main(later.argv("--todays-packages")) == 1
    assert json.loads((later.report / "report.json").read_text())["verdict"] == "INPUT_DRIFT"  # not UNREFERENCED
    assert main(later.argv("--todays-packages", "--locked")) == 2
