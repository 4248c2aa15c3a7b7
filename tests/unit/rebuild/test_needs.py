"""What a stranger's project needs that a rebuild does not give, told by its text."""

from __future__ import annotations

from pathlib import Path

import pytest

from teekit_verify.core.errors import TeekitError, UnsupportedInputError
from teekit_verify.rebuild import apt_sources, needs, openpgp, requests, versions
from teekit_verify.rebuild.suites import Suite

TIME = "20260430T025253Z"


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def refusal(root: Path, *arguments: str) -> str | None:
    try:
        needs.require_no_network(root, arguments)
    except UnsupportedInputError as error:
        return error.message
    return None


WITH_NETWORK = "[Build]\nWithNetwork=yes\n"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("mkosi.sync", "git clone https://example.org/x"),
        ("mkosi.prepare.chroot", "curl -sSf https://example.org/x"),
        ("mkosi.sync.d/10-x.sh", 'wget "$URL"'),
        ("mkosi.prepare", "npm ci"),
    ],
)
def test_scripts_that_mkosi_gives_a_network_always(tmp_path: Path, name: str, line: str) -> None:
    write(tmp_path, {"mkosi.conf": "[Output]\n", name: f"#!/bin/sh\n# {line}\n{line}\n"})
    assert refusal(tmp_path) == (
        f"the project fetches from the network while it is built ({name}:3: {line}), and builds here have none"
    )


@pytest.mark.parametrize("name", ["mkosi.build", "mkosi.postinst.chroot", "mkosi.finalize.d/x"])
def test_others_only_where_the_configuration_says_so(tmp_path: Path, name: str) -> None:
    write(tmp_path, {"mkosi.conf": "[Output]\n", name: "cargo install x\n"})
    assert refusal(tmp_path) is None
    write(tmp_path, {"mkosi.conf": WITH_NETWORK})
    assert str(refusal(tmp_path)).startswith(f"the project fetches from the network while it is built ({name}:1: cargo")


def test_scripts_by_the_name_of_a_setting_and_what_they_source(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "mkosi.conf": f"{WITH_NETWORK}[Include]\nInclude=modules/app/mkosi.conf\n",
            "modules/app/mkosi.conf": "[Content]\nBuildScripts=one/*.sh\n    modules/app/two\n",
            "one/x.sh": "make\n",
            "modules/app/two": "source scripts/git.sh\n",
            "scripts/git.sh": "git -c a=b clone --depth 1 $URL\n",
        },
    )
    assert "(scripts/git.sh:1: git" in str(refusal(tmp_path))


def test_what_this_image_does_not_use_says_nothing_of_it(tmp_path: Path) -> None:
    """Several images lie in one project; what is conditional may not apply; what runs in the guest is not of the build."""
    fetch = "curl https://example.org\n"
    write(
        tmp_path,
        {
            "mkosi.conf": WITH_NETWORK,
            "images/one.conf": "[Include]\nInclude=modules/one/mkosi.conf\n",
            "images/two.conf": "[Content]\nPackages=x\n",
            "modules/one/mkosi.conf": "[Content]\nBuildScripts=modules/one/mkosi.build\n",
            "modules/one/mkosi.build": fetch,
            "mkosi.profiles/p/mkosi.conf": "[Output]\n",
            "mkosi.profiles/p/mkosi.prepare": fetch,
            "mkosi.conf.d/arch/mkosi.conf": "[Match]\nDistribution=arch\n",
            "mkosi.conf.d/arch/mkosi.sync": fetch,
            "mkosi.extra/usr/bin/mkosi.sync": fetch,
            "mkosi.build": "cargo install --offline x\npip install --no-index x\n# curl -x\n",
        },
    )
    assert refusal(tmp_path) is None
    assert refusal(tmp_path, "--include=images/two.conf") is None
    assert "(modules/one/mkosi.build:1" in str(refusal(tmp_path, "--include=images/one.conf"))
    assert "(mkosi.profiles/p/mkosi.prepare:1" in str(refusal(tmp_path, "--profile=q,p"))


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ('echo "Running pip install for vLLM (this may take a while)..."', False),
        ("printf 'curl -x'  >&2", False),
        ('echo "$(curl -s https://example.org)"', True),
        ('echo "x" && curl -s https://example.org', True),
        ('echo "curl -s https://example.org" | sh', True),
        ("echo `curl -s https://example.org`", True),
    ],
)
def test_what_a_script_only_says_it_does(tmp_path: Path, line: str, *, refused: bool) -> None:
    """As ConferLabs/confer-image has it at faac5d0."""
    write(tmp_path, {"mkosi.conf": "", "mkosi.prepare": f"{line}\n"})
    assert (refusal(tmp_path) is not None) is refused


SOURCE = "Types: deb\nURIs: {}\nSuites: trixie\nComponents: main\n"


@pytest.mark.parametrize("name", ["sources.list.d/x.sources", "sources.list", "sources.list.d/x.list"])
def test_sources_of_debian_are_taken_out_and_their_time_is_honoured(tmp_path: Path, name: str) -> None:
    place = f"mkosi.images/app/mkosi.sandbox/etc/apt/{name}"
    write(tmp_path, {place: f"deb http://snapshot.debian.org/archive/debian/{TIME}/ trixie main\n# http://x.org/y\n"})
    assert [pin.time for pin in needs.take_sources(tmp_path).pins] == [TIME]
    assert (tmp_path / place).read_text().startswith("# No source:")
    write(tmp_path, {place: SOURCE.format("https://mirror.example.org/debian-security")})
    assert needs.take_sources(tmp_path) == needs.Sources()


@pytest.mark.parametrize(
    "address", ["https://pkgs.example.org/stable", "http://archive.ubuntu.com/ubuntu", "file:/srv/packages"]
)
def test_a_source_of_somebody_else_is_refused_by_its_name(tmp_path: Path, address: str) -> None:
    name = "mkosi.sandbox/etc/apt/sources.list.d/x.sources"
    write(tmp_path, {name: SOURCE.format(address)})
    with pytest.raises(UnsupportedInputError) as caught:
        needs.take_sources(tmp_path)
    assert caught.value.message == (
        f"the project takes packages from {address} ({name}), and only Debian's archive is locked unless you allow another"
    )
    assert (tmp_path / name).read_text() == SOURCE.format(address)


OTHERS = "https://ppa.example.org/ubuntu"


@pytest.mark.parametrize(
    ("folder", "configuration", "arguments", "asked"),
    [
        ("mkosi.conf.d/20-ubuntu", "[Match]\nDistribution=ubuntu\n\n[Distribution]\nRelease=noble\n", (), False),
        ("mkosi.conf.d/20-both", "[Match]\nDistribution=ubuntu\nDistribution=debian\n", (), True),
        ("mkosi.conf.d/20-not", "[Match]\nDistribution=!ubuntu\n", (), True),
        ("mkosi.conf.d/20-or", "[Match]\nDistribution=|ubuntu\nRelease=|trixie\n", (), True),
        ("mkosi.conf.d/20-two", "[Match]\nDistribution=ubuntu\n[Match]\nDistribution=debian\n", (), True),
        ("mkosi.conf.d/20-any", "[TriggerMatch]\nDistribution=ubuntu\n[TriggerMatch]\nRelease=sid\n", (), True),
        ("mkosi.conf.d/20-release", "[Match]\nRelease=noble\n", (), True),
        ("mkosi.conf.d/20-always", "[Output]\n", (), True),
        ("mkosi.profiles/vendor", "[Output]\n", (), False),
        ("mkosi.profiles/vendor", "[Output]\n", ("--profile=vendor",), True),
        ("mkosi.profiles/vendor", "[Match]\nDistribution=debian\n", ("--profile=vendor",), True),
    ],
)
def test_sources_of_what_is_not_built(
    tmp_path: Path, folder: str, configuration: str, arguments: tuple[str, ...], *, asked: bool
) -> None:
    """As systemd/mkosi has a PPA for Ubuntu; conditions as mkosi(1) has them in [Match]. None is left to apt in any case."""
    place = f"{folder}/mkosi.sandbox/etc/apt/sources.list.d/x.sources"
    write(tmp_path, {"mkosi.conf": "", f"{folder}/mkosi.conf": configuration, place: SOURCE.format(OTHERS)})
    if asked:
        with pytest.raises(UnsupportedInputError, match=r"takes packages from https://ppa\.example\.org"):
            needs.take_sources(tmp_path, (), arguments)
    else:
        assert needs.take_sources(tmp_path, (), arguments) == needs.Sources()
        assert (tmp_path / place).read_text().startswith("# No source:")


@pytest.mark.parametrize(
    ("setting", "place"),
    [
        ("SandboxTrees=apt", "apt/etc/apt/sources.list.d/x.sources"),
        ("PackageManagerTrees=a,\n    apt:/etc/apt # theirs", "apt/sources.list.d/x.sources"),
        ("SandboxTrees=vendor:/etc/apt/sources.list.d/x.list", "vendor"),
        ("SandboxTrees=vendor:/etc/apt/sources.list", "vendor"),
    ],
)
def test_sources_in_trees_that_a_setting_names(tmp_path: Path, setting: str, place: str) -> None:
    """mkosi(1), SandboxTrees=: what is laid over the `/` that apt sees, at the place after the colon."""
    write(tmp_path, {"mkosi.conf": f"[Build]\n{setting}\n", place: f"deb {OTHERS} noble main\n"})
    with pytest.raises(UnsupportedInputError, match=r"takes packages from https://ppa\.example\.org"):
        needs.take_sources(tmp_path)
    write(tmp_path, {place: "deb https://mirror.example.org/debian trixie main\n"})
    assert needs.take_sources(tmp_path) == needs.Sources()
    assert (tmp_path / place).read_text().startswith("# No source:")


def test_sources_of_the_guest_are_its_own(tmp_path: Path) -> None:
    write(tmp_path, {"mkosi.extra/etc/apt/sources.list": "deb https://pkgs.example.org x main\n"})
    assert needs.take_sources(tmp_path) == needs.Sources()


def test_no_source_is_written_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("theirs")
    place = tmp_path / "project/a/mkosi.sandbox/etc/apt/sources.list"
    place.parent.mkdir(parents=True)
    place.symlink_to(victim)
    with pytest.raises(TeekitError, match="is behind a link"):
        needs.take_sources(tmp_path / "project")
    assert victim.read_text() == "theirs"


def test_packages_by_their_suite(tmp_path: Path) -> None:
    text = (
        "[Content]\nPackages=linux-image-cloud-amd64/trixie-backports, bash\n         aa/trixie\n# bb/trixie-backports\n"
        "   cc/forky\nExtraTrees=x/trixie-backports\n[Build]\nBuildPackages=dd/trixie-backports\n"
    )
    write(tmp_path, {"mkosi.conf": text, "mkosi.extra/etc/x.conf": text})
    names = requests.take_suites(tmp_path, Suite("trixie"))
    assert {"dd", "linux-image-cloud-amd64"} <= set(names) <= {"bb", "dd", "linux-image-cloud-amd64"}
    assert (tmp_path / "mkosi.conf").read_text().replace("# bb/trixie-backports", "# bb") == (
        "[Content]\nPackages=linux-image-cloud-amd64, bash\n         aa\n# bb\n"
        "   cc/forky\nExtraTrees=x/trixie-backports\n[Build]\nBuildPackages=dd\n"
    )
    assert (tmp_path / "mkosi.extra/etc/x.conf").read_text() == text
    assert requests.take_suites(tmp_path, Suite("sid")) == ()


def program(root: Path, name: str) -> Path:
    write(root, {name: "#!/bin/sh\ngit describe\n"})
    (root / name).chmod(0o755)
    return root / name


def test_a_version_that_a_program_says_is_fixed_and_told(tmp_path: Path) -> None:
    places = program(tmp_path, "images/mkosi.version"), program(tmp_path, "mkosi.version")
    found = versions.fix(tmp_path, (), "0123456789abcdef" * 2)
    assert [(smell.path, smell.text) for smell in found] == [
        ("images/mkosi.version", "0123456789ab"),
        ("mkosi.version", "0123456789ab"),
    ]
    for place in places:
        assert (place.read_text(), place.stat().st_mode & 0o777) == ("0123456789ab\n", 0o644)
    assert versions.fix(tmp_path, (), None) == ()


def test_the_version_that_somebody_gives(tmp_path: Path) -> None:
    place = program(tmp_path, "mkosi.version")
    with pytest.raises(TeekitError, match="is not a version of an image"):
        versions.fix(tmp_path, ("--image-version=a b",), None)
    versions.fix(tmp_path, ("--image-version=1", "--image-version=2026-06-29.322227"), "0" * 40)
    assert place.read_text() == "2026-06-29.322227\n"


def test_a_program_that_says_the_version_behind_a_link(tmp_path: Path) -> None:
    place, other = program(tmp_path, "tools/version"), tmp_path / "mkosi.version"
    other.symlink_to("tools/version")
    text = place.read_text()
    assert [smell.path for smell in versions.fix(tmp_path, (), "0123456789abcdef")] == ["mkosi.version"]
    assert other.read_text() == "0123456789ab\n"
    assert not other.is_symlink()
    assert place.read_text() == text
    other.unlink()
    other.symlink_to("/bin/sh")
    assert versions.fix(tmp_path, (), None) == ()


def test_a_version_that_is_a_text_stays(tmp_path: Path) -> None:
    write(tmp_path, {"mkosi.version": "7\n"})
    assert versions.fix(tmp_path, (), None) == ()
    assert (tmp_path / "mkosi.version").read_text() == "7\n"


def test_what_a_project_looks_for_in_its_own_output_directory(tmp_path: Path) -> None:
    """As edgelesssys/reproducible-mkosi has it at f7885a4."""
    write(
        tmp_path,
        {
            "mkosi.conf": "[Output]\nOutputDirectory=build\n",
            "mkosi.images/system/mkosi.conf": "[Content]\nInitrds=../../build/initrd\n",
        },
    )
    with pytest.raises(UnsupportedInputError) as caught:
        needs.require_own_places(tmp_path, ())
    assert caught.value.message == (
        "the project takes ../../build/initrd (mkosi.images/system/mkosi.conf) from its own OutputDirectory=, "
        "and builds here write to another"
    )
    write(tmp_path, {"build/initrd": "there"})
    needs.require_own_places(tmp_path, ())
    (tmp_path / "build/initrd").unlink()
    write(tmp_path, {"mkosi.images/system/mkosi.conf": "[Content]\nInitrds=../../other/initrd,%O/initrd\n"})
    needs.require_own_places(tmp_path, ())


SOURCES = "mkosi.sandbox/etc/apt/sources.list.d/x.sources"


def test_a_stanza_that_asks_for_every_suite_everywhere(tmp_path: Path) -> None:
    """Its length does not bound how many that are: 3000 words of it are 2.25 million."""
    stanza = f"Types: deb\nURIs: {'https://a.example/x ' * 1500}\nSuites: {'s ' * 1500}\n"
    write(tmp_path, {SOURCES: stanza})
    with pytest.raises(UnsupportedInputError, match="ask for more than 500 suites"):
        needs.take_sources(tmp_path, {"https://a.example/x"})


def test_armor_without_an_end_is_looked_through_once() -> None:
    """Whoever looked from each beginning for an end that is not there would take minutes."""
    begin = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
    text = f"{begin}\nkey\n-----END PGP PUBLIC KEY BLOCK-----\ndeb https://a.example/x s\n" + f"{begin}\n" * 20_000
    assert apt_sources.without_keys(text) == "\ndeb https://a.example/x s\n" + "\n".join([begin] * 20_000)
    with pytest.raises(TeekitError, match="is not an OpenPGP public key"):
        openpgp.binary_key(f"{begin}\n".encode() * 20_000, "key")


def test_no_pattern_goes_through_the_tree_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = " ".join(["**/x"] * 3 + [f"s{number}" for number in range(2000)])
    write(
        tmp_path, {"mkosi.conf": f"[Build]\nWithNetwork=yes\n[Content]\nPrepareScripts={words}\n", "s1999": "curl -x\n"}
    )
    globbed: list[str] = []

    def globs(_: Path, word: str) -> list[Path]:
        globbed.append(word)
        return []

    monkeypatch.setattr(Path, "glob", globs)
    assert refusal(tmp_path) is None
    assert len(globbed) <= 2000, "two places for each of a thousand words"
    assert "**/x" not in globbed
