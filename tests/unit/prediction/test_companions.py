"""Files beside the UKI against the logs of real boots (tests/assets/companions), digest by digest."""

from __future__ import annotations

import base64
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builders.pe import Row, build_pe
from builders.tools import require
from builders.uki import build_uki, kernel
from teekit_verify.artifacts.companions import Companion, kind_of, read_companions
from teekit_verify.artifacts.uki import parse_uki
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError, UnsupportedInputError
from teekit_verify.evidence.eventlog import parse_event_log
from teekit_verify.prediction.stub import StubView, stub_view
from teekit_verify.prediction.uki import Prediction, predict_uki
from teekit_verify.registers.events import EventType
from teekit_verify.registers.registers import Register, pcr, rtmr

if TYPE_CHECKING:
    from teekit_verify.artifacts.uki import UnifiedKernelImage
    from teekit_verify.registers.events import Event

ASSETS = Path(__file__).parents[2] / "assets" / "companions"
BOOTS = sorted(path.stem for path in ASSETS.glob("*.json"))
LINUX = (".linux", kernel())


@dataclass(frozen=True)
class Boot:
    uki: UnifiedKernelImage
    companions: tuple[Companion, ...]
    profile: int
    through_boot_loader: bool
    events: tuple[Event, ...]

    def of(self, register: Register) -> list[Event]:
        return [event for event in self.events if event.register == register]


def load(name: str) -> Boot:
    described = json.loads((ASSETS / f"{name}.json").read_text())
    sections = [
        (key, kernel(described["kernel"]) if value is None else value.encode()) for key, value in described["sections"]
    ]
    files = tuple(
        Companion(Path(path).name, base64.b64decode(content), shared=path.startswith("loader/"))
        for path, content in described["files"].items()
        if kind_of(Path(path).name)
    )
    log = parse_event_log((ASSETS / f"{name}.bin").read_bytes())
    uki = parse_uki(build_uki(described["stub"], sections))
    return Boot(uki, files, described["profile"], "started_by" in described, log.events)


def predicted(boot: Boot) -> dict[Register, Prediction]:
    found = predict_uki(boot.uki, vtpm=True, profile=boot.profile, companions=boot.companions)
    return {prediction.register: prediction for prediction in found}


def digests(events: list[Event]) -> list[tuple[Digest, ...]]:
    return [event.digests for event in events]


@pytest.mark.parametrize("name", BOOTS)
def test_each_event_of_what_lies_beside(name: str) -> None:
    """PCR 11, 12 and 13; systemd-boot measures the options that it passes on into PCR 12 first."""
    boot = load(name)
    for index in (11, 12, 13):
        observed = boot.of(pcr(index))
        if index == 12 and boot.through_boot_loader:
            observed = observed[-1:]
        events = list(predicted(boot)[pcr(index)].events)
        kept = [number for number, event in enumerate(events) if event.description != "content of section .linux"]
        assert len(events) == len(observed)
        assert digests([events[number] for number in kept]) == digests([observed[number] for number in kept])
        assert [event.data for event in events] == [event.data for event in observed]
        assert [event.event_type for event in events] == [event.event_type for event in observed]


@pytest.mark.parametrize("name", ["257-profile-1", "262-profile-1"])
def test_the_profile_that_was_not_started_has_other_events(name: str) -> None:
    boot = load(name)
    first = {item.register: item for item in predict_uki(boot.uki, vtpm=True)}
    command_line, initrd = digests(list(_likely(first[pcr(9)])))
    assert not {command_line, initrd} & set(digests(boot.of(pcr(9)))), "the initrd has the profile's own section"
    differs = [
        have.data.decode("utf-16-le").rstrip("\0")
        for want, have in zip(first[pcr(11)].events, boot.of(pcr(11)), strict=True)
        if want.digests != have.digests and want.description != "content of section .linux"
    ]
    assert differs == [".cmdline", ".profile"]
    assert not first[pcr(12)].events
    assert [event.data[8:] for event in boot.of(pcr(12))] == ["1\0".encode("utf-16-le")]


def _likely(prediction: Prediction) -> tuple[Event, ...]:
    return prediction.alternatives[0].events if prediction.alternatives else prediction.events


@pytest.mark.parametrize("name", BOOTS)
def test_the_command_line_and_the_initrd_of_the_kernel(name: str) -> None:
    boot = load(name)
    prediction = predicted(boot)[pcr(9)]
    possible = [item.events for item in prediction.alternatives] or [prediction.events]
    observed = digests(boot.of(pcr(9)))
    assert [list(events) for events in possible if digests(list(events)) == observed]


@pytest.mark.parametrize("name", [name for name in BOOTS if "sidecars" in name])
def test_addons_are_images_that_the_firmware_measures(name: str) -> None:
    """Between the UKI and the kernel, those of \\loader first, used or not."""
    boot = load(name)
    kind = EventType.EV_EFI_BOOT_SERVICES_APPLICATION
    observed, expected = (
        [event for event in events if event.event_type == kind]
        for events in (boot.of(pcr(4)), predicted(boot)[pcr(4)].events)
    )
    addons = [number for number, event in enumerate(expected) if event.description.startswith("addon ")]
    assert len(expected) == len(observed)
    assert digests([expected[number] for number in addons]) == digests([observed[number] for number in addons])


def test_rtmr2_has_what_pcr_11_12_13_and_9_have() -> None:
    """TDVF maps PCR 8 to 15 to RTMR2. Events with a tag of the stub's reach it from 261 on."""
    boot = load("257-sidecars")
    found = predict_uki(boot.uki, vtpm=False, companions=boot.companions)
    (events,) = (item.events for item in found if item.register == rtmr(2))
    stub_tags = [event for event in boot.of(pcr(12)) if event.event_type == EventType.EV_EVENT_TAG]
    assert len(stub_tags) == 4
    wanted = [
        event.digest(Algorithm.SHA384)
        for event in boot.events
        if event.register in {pcr(9), pcr(11), pcr(12), pcr(13)} and event not in stub_tags
    ]
    content_of_linux = 1
    assert len(events) == len(wanted)
    differs = [number for number, event in enumerate(events) if event.digest(Algorithm.SHA384) != wanted[number]]
    assert differs == [content_of_linux]


def view(version: str, files: list[Companion], *sections: tuple[str, bytes]) -> StubView:
    rows = [LINUX, (".cmdline", b"quiet"), *sections]
    return stub_view(parse_uki(build_uki(version, rows)), files=files)


def addon(name: str, *rows: Row, shared: bool = False) -> Companion:
    return Companion(name, build_pe([Row(".text", b"stub"), *rows]), shared=shared)


ADDONS = [
    addon("b.addon.efi", Row(".cmdline", b" b\t")),
    addon("a.ADDON.EFI", Row(".cmdline", b"a\0x")),
    addon("g.addon.efi", Row(".cmdline", b" g\n"), shared=True),
]


@pytest.mark.parametrize(
    ("version", "texts"),
    [
        ("252.39", ()),
        ("253.1", ()),
        ("252-27.el9", ()),
        ("252-28.el9", (" g ", "a  b ")),
        ("254.26", (" g", "a  b")),
        ("255.4", ("g  a  b",)),
        ("256", ("g  a  b",)),
        ("257-9.el10", ("g a b",)),
        ("260.1", ("g a b",)),
    ],
)
def test_how_command_lines_of_addons_are_joined(version: str, texts: tuple[str, ...]) -> None:
    """stub.c of each: one event for each folder in 254, one for all from 255 on, each stripped by itself from 257 on."""
    seen = view(version, ADDONS)
    assert seen.beside.cmdlines == texts
    options = seen.load_options()
    assert options is not None
    assert options.decode("utf-16-le") == " ".join(["quiet", *texts]) + "\0"


@pytest.mark.parametrize(
    ("version", "folders"),
    [
        ("254.26", ["System extension initrd"]),
        ("256.1", ["System extension initrd", "Configuration extension initrd"]),
        (
            "258.1",
            [
                *("System extension initrd", "Global system extension initrd"),
                *("Configuration extension initrd", "Global configuration extension initrd"),
            ],
        ),
    ],
)
def test_which_extensions_are_taken(version: str, folders: list[str]) -> None:
    """Before 256 every .raw is a system extension; those in \\loader\\extensions are taken from 258 on."""
    names = ["x.sysext.raw", "y.confext.raw"]
    files = [Companion(name, b"x", shared=shared) for name in names for shared in (False, True)]
    assert [archive.description for archive in view(version, files).beside.archives] == folders


def test_an_archive_is_read_back_by_cpio() -> None:
    files = [Companion("b.cred", b"second"), Companion("a.cred", b"first!!"), Companion("c.txt.cred", b"")]
    (archive,) = view("257", files).beside.archives
    listed = subprocess.run(
        [require("cpio"), "--list", "--verbose", "--numeric-uid-gid", "--quiet"],
        input=archive.content,
        capture_output=True,
        check=True,
    ).stdout.decode()
    assert [(line.split()[0], int(line.split()[4]), line.split()[-1]) for line in listed.splitlines()] == [
        ("dr-xr-xr-x", 0, ".extra"),
        ("dr-x------", 0, ".extra/credentials"),
        ("-r--------", 7, ".extra/credentials/a.cred"),
        ("-r--------", 6, ".extra/credentials/b.cred"),
        ("-r--------", 0, ".extra/credentials/c.txt.cred"),
    ]


@pytest.mark.parametrize(
    ("own", "of_addon", "is_used"),
    [
        (b"6.1.0", b"6.1.0", True),
        (b"6.1.0", b"6.1", True),
        (b"6.1", b"6.1\0", True),
        (b"6.1.0", b"6.1\0", False),
        (b"6.1.0", b"6.2", False),
        (None, b"6.2", True),
    ],
)
def test_an_addon_for_another_kernel_is_measured_and_not_used(
    own: bytes | None, of_addon: bytes, *, is_used: bool
) -> None:
    """strneq8() over the size of the addon's .uname."""
    file = addon("x.addon.efi", Row(".uname", of_addon), Row(".cmdline", b"x"))
    seen = view("257", [file], *([] if own is None else [(".uname", own)]))
    assert (len(seen.beside.addons), seen.beside.cmdlines) == (1, ("x",) if is_used else ())


@pytest.mark.parametrize("name", [".dtb", ".dtbauto", ".hwids", ".profile", ".linux"])
def test_addons_that_are_not_understood_are_refused(name: str) -> None:
    with pytest.raises(UnsupportedInputError, match=rf"addon x\.addon\.efi has a section \{name}"):
        view("257", [addon("x.addon.efi", Row(name, b"x"))])


def test_an_addon_that_is_no_image_is_refused() -> None:
    with pytest.raises(TeekitError, match=r"addon x\.addon\.efi: DOS signature"):
        view("257", [Companion("x.addon.efi", b"not PE")])


def test_the_number_of_a_profile_is_measured() -> None:
    """measure_profile(): the number in UTF-16 with its NUL, for all but the first."""
    uki = parse_uki(build_uki("257", [LINUX, (".cmdline", b"q"), (".profile", b"ID=a"), (".profile", b"ID=b")]))
    first, second = (
        next(item for item in predict_uki(uki, vtpm=True, profile=number) if item.register == pcr(12)).events
        for number in (0, 1)
    )
    assert first == ()
    assert [event.digest(Algorithm.SHA256) for event in second] == [Digest.of(Algorithm.SHA256, b"1\0\0\0")]


def test_files_and_folders(tmp_path: Path) -> None:
    folder = tmp_path / "uki.efi.extra.d"
    folder.mkdir()
    for name in ("a.cred", "notes.txt", ".hidden.cred", "X.RAW"):
        (folder / name).write_bytes(name.encode())
    assert [file.name for file in read_companions([folder])] == ["X.RAW", "a.cred"]
    with pytest.raises(UnsupportedInputError, match=r"notes\.txt: systemd-stub does not load a file of this name"):
        read_companions([folder / "notes.txt"])
    (tmp_path / "A.CRED").write_bytes(b"")
    with pytest.raises(TeekitError, match=r"two files called a\.cred beside the UKI"):
        read_companions([tmp_path / "A.CRED", folder])
