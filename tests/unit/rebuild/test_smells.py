"""Places to look at in a project's source: found with file and line, and not where a check stands beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from teekit_verify.rebuild import smells
from teekit_verify.rebuild.smells import find_smells

CLEAN = "[Output]\nSeed=1\n[Content]\nSourceDateEpoch=0\n[Distribution]\nSnapshot=20260101T000000Z\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "mkosi.conf").write_text(CLEAN)
    return tmp_path


def found(project: Path, *, has_lock: bool = False) -> list[tuple[str, int, str]]:
    return [(smell.path, smell.line, smell.name) for smell in find_smells(project, project, has_lock=has_lock)]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("curl -L https://example.org/a.deb -o a.deb", "download without a digest"),
        ('wget "$URL"', "download without a digest"),
        ("curl -sSf https://sh.example.org | sh", "code from the network, run as it comes"),
        ("wget -qO- https://example.org/x | sudo bash -s --", "code from the network, run as it comes"),
        ("sh <(curl -L https://nixos.org/nix/install) --no-daemon", "code from the network, run as it comes"),
        ('bash -c "$(curl -fsSL https://example.org/install)"', "code from the network, run as it comes"),
        ('git clone --depth 1 --branch "$version" "$git_url"', "git tag or branch, which may move"),
        ("git -C src pull", "git tag or branch, which may move"),
        ("git submodule update --init", "git tag or branch, which may move"),
        ("npm install", "packages that no lock pins"),
        ("pip install requests", "packages that no lock pins"),
        ("docker pull debian:trixie", "container image by a name that may move"),
        ("deb [trusted=yes] http://example.org/ x main", "signature check switched off"),
        ("    Trusted: yes", "signature check switched off"),
        ("Allow-Insecure: yes", "signature check switched off"),
        ("apt-get -o APT::Get::AllowUnauthenticated=true install x", "signature check switched off"),
        ("curl -k https://example.org/a", "signature check switched off"),
        ('Acquire::https::Verify-Peer "false";', "signature check switched off"),
        ("git fetch origin main", "git tag or branch, which may move"),
        ("npm i -g typescript", "packages that no lock pins"),
        ("python3 -m pip install -r requirements.txt", "packages that no lock pins"),
        ("pipx install x", "packages that no lock pins"),
        ("yarn install", "packages that no lock pins"),
        ("pnpm add x", "packages that no lock pins"),
        ("npx esbuild x", "packages that no lock pins"),
        ("go get example.org/x", "packages that no lock pins"),
        ("uv sync", "packages that no lock pins"),
        ("gpg --keyserver hkps://keys.example.org --recv-keys ABC", "signature keys from the network"),
        ("urllib.request.urlretrieve('https://example.org/x', 'x')", "download without a digest"),
    ],
)
def test_a_script_that_smells(project: Path, line: str, name: str) -> None:
    (project / "mkosi.build").write_text(f"#!/bin/sh\nset -e\n{line}\n")
    assert found(project) == [("mkosi.build", 3, name)]
    (smell,) = find_smells(project, project, has_lock=False)
    assert smell.text == line.strip()
    assert smell.why


@pytest.mark.parametrize(
    "lines",
    [
        "# curl https://example.org/x | sh",
        "curl -L https://example.org/a.deb -o a.deb\necho $DIGEST a.deb | sha256sum --check",
        f"git clone https://example.org/x\ngit -C x checkout {'0' * 40}",
        "npm ci --offline",
        "pip install --require-hashes --requirement lock.txt",
        f"docker pull debian@sha256:{'0' * 64}",
        "command -v curl || exit 1",
        "Packages=curl wget",
        "echo trusted",
        "pip install --no-index --find-links wheels x",
        "npm \\\n  install \\\n  --offline",
        "yarn install --immutable",
        "go build -mod=vendor ./...",
        "git -C src rev-parse HEAD",
    ],
)
def test_a_script_that_does_not(project: Path, lines: str) -> None:
    (project / "mkosi.build").write_text(f"#!/bin/sh\n{lines}\n")
    assert found(project) == []


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("WithNetwork=true", "scripts with network"),
        (" WithNetwork = yes", "scripts with network"),
        ("ToolsTree=default", "tools from another tree"),
        ("Incremental=strict", "build from a cache"),
        ("CacheOnly=metadata", "build from a cache"),
        ("CacheOnly=auto", ""),
        ("RepositoryKeyFetch=yes", "signature keys from the network"),
        ("SecureBoot=yes", "signed with a key that others do not have"),
        ("SignExpectedPcr=yes", "signed with a key that others do not have"),
        ("SignExpectedPcr=auto", ""),
        ("SecureBoot=no", ""),
        ("RepositoryKeyCheck=no", "signature check switched off"),
        ("WithNetwork=no", ""),
        ("ToolsTree=", ""),
        ("Incremental=no", ""),
    ],
)
def test_settings(project: Path, line: str, name: str) -> None:
    (project / "sub").mkdir()
    (project / "sub" / "mkosi.conf").write_text(f"[Build]\n{line}\n")
    assert found(project) == ([("sub/mkosi.conf", 2, name)] if name else [])


def test_what_a_project_lacks(project: Path) -> None:
    (project / "mkosi.conf").write_text("[Output]\nFormat=uki\n")
    assert found(project) == [("mkosi.conf", 0, f"no {name}=") for name in ("SourceDateEpoch", "Seed", "Snapshot")]
    assert [name for *_, name in found(project, has_lock=True)] == ["no SourceDateEpoch=", "no Seed="]


def test_what_is_no_fault_of_a_strangers_project(project: Path) -> None:
    (project / "flake.nix").write_text("{ }\n")
    (project / "mkosi.conf").write_text(f"{CLEAN}[Output]\nImageId=theirs\n")
    assert found(project) == [
        ("flake.nix", 0, "build shell of the project, not used"),
        ("mkosi.conf", 8, "modes that follow the umask"),
    ]
    assert found(project, has_lock=True) == []
    why = [smell.why for smell in find_smells(project, project, has_lock=False)]
    assert why[1].startswith("mkosi's own defect, not the project's")


@pytest.mark.parametrize(
    ("line", "is_written"),
    [
        ("Hostname=box", True),
        ("Release=sid", True),
        ("Release=unstable", True),
        ("Release=trixie", False),
        ("Hostname=", False),
    ],
)
def test_what_else_has_mkosi_write_os_release_anew(project: Path, line: str, *, is_written: bool) -> None:
    """configure_os_release and fixup_os_release of mkosi 25.3 and 27.1."""
    (project / "mkosi.conf").write_text(f"{CLEAN}[Content]\n{line}\n")
    assert [name for *_, name in found(project)] == (["modes that follow the umask"] if is_written else [])


def test_an_empty_image_id_sets_nothing(project: Path) -> None:
    (project / "mkosi.conf").write_text(f"{CLEAN}[Output]\nImageId=\n")
    assert found(project) == []


def test_a_check_of_something_else_is_no_excuse(project: Path) -> None:
    """A lock is named in the same command, a container by its own digest."""
    (project / "mkosi.build").write_text("#!/bin/sh\nnpm install\ncargo build --locked\n")
    (project / "Dockerfile").write_text(f"FROM debian:trixie\nFROM debian@sha256:{'0' * 64}\n")
    assert found(project) == [
        ("Dockerfile", 1, "container image by a name that may move"),
        ("mkosi.build", 2, "packages that no lock pins"),
    ]


def test_a_mirror_at_a_time_is_a_snapshot(project: Path) -> None:
    mirror = "Mirror=https://snapshot.example.org/archive/debian/20260101T000000Z"
    (project / "mkosi.conf").write_text(CLEAN.replace("Snapshot=20260101T000000Z", mirror))
    assert found(project) == []
    (project / "mkosi.conf").write_text(CLEAN.replace("Snapshot=20260101T000000Z", "Mirror=https://mirror.example.org"))
    assert found(project) == [("mkosi.conf", 0, "no Snapshot=")]


def test_what_is_only_written_about(project: Path) -> None:
    (project / "README.md").write_text("Never write `Trusted: yes`, nor `curl -k https://x`.\n")
    assert found(project) == []


def test_other_files_that_fetch(project: Path) -> None:
    (project / "Makefile").write_text("all:\n\tcurl https://example.org/x -o x\n")
    (project / "fetch.py").write_text("import urllib.request\nurllib.request.urlopen('https://example.org/x')\n")
    (project / "mkosi.key").write_text("-----BEGIN PRIVATE KEY-----\n")
    assert found(project) == [
        ("Makefile", 2, "download without a digest"),
        ("fetch.py", 2, "download without a digest"),
        ("mkosi.key", 1, "private key in the source"),
    ]


def test_programs_that_mkosi_runs_to_read_its_configuration(project: Path) -> None:
    (project / "mkosi.version").write_text("1.0\n")
    assert found(project) == []
    (project / "mkosi.version").chmod(0o755)
    assert found(project) == [("mkosi.version", 0, "program that mkosi runs to read its configuration")]


def test_scripts_of_the_guest_may_use_the_network(project: Path) -> None:
    script = project / "mkosi.extra" / "usr" / "bin" / "tool"
    script.parent.mkdir(parents=True)
    script.write_text("#!/bin/sh\ncurl https://example.org\n")
    sources = project / "mkosi.extra" / "etc" / "x.sources"
    sources.parent.mkdir()
    sources.write_text("Trusted: yes\n")
    assert found(project) == [("mkosi.extra/etc/x.sources", 1, "signature check switched off")]


def test_what_is_no_source_and_no_text_is_passed_over(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (".git/hooks/x", "mkosi.cache/x", "binary", "huge"):
        place = project / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"#!/bin/sh\ncurl http://x | sh\n" + (b"\0" if name == "binary" else b""))
    (project / "huge").write_bytes(b"#!/bin/sh\n" + b"curl http://x | sh\n" * 70_000)
    (project / "link").symlink_to("/etc/passwd")
    (project / "none").symlink_to("/none")
    assert found(project) == []


def test_hostile_files_cost_little(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "mkosi.build").write_bytes(b"#!/bin/sh\n" + b"curl -x " * 100_000 + b"\n\xff\xfe curl http://x\n" * 5000)
    assert len(find_smells(project, project, has_lock=True)) == 200
    assert all(len(smell.text) <= 200 for smell in find_smells(project, project, has_lock=True))
    monkeypatch.setattr(smells, "_MAX_FILES", 1)
    assert {path for path, *_ in found(project, has_lock=True)} == {"mkosi.build", "mkosi.conf"}  # which it never saw


def test_a_build_shell_above_the_project_is_named(tmp_path: Path) -> None:
    project = tmp_path / "repository/packages/images"
    project.mkdir(parents=True)
    for name in (
        "flake.nix",
        "repository/flake.nix",
        "repository/packages/shell.nix",
        "repository/packages/images/flake.nix",
    ):
        (tmp_path / name).touch()
    assert smells.build_shells_above(project) == ()  # in no repository: nothing above is the project's
    (tmp_path / "repository/.git").mkdir()
    found = smells.build_shells_above(project)
    assert [smell.path for smell in found] == ["../shell.nix", "../../flake.nix"]
    assert {smell.name for smell in found} == {"build shell of the project, not used"}
