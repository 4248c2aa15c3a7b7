"""What each release of systemd-stub measures, and what it hands to the kernel: one table, read from systemd's sources.

Read in 252 to 252.39, 253, 254.26, 255.4, 256, 257 to 257.13, 258.7, 259.5, 260.1 and the sources between 261 and 262:
src/fundamental/tpm-pcr.h or uki.h (order of the sections), src/boot/stub.c (initrds, profiles, addons), pe.c (which section wins), cpio.c,
linux.c, measure.c, util.c and efi-string.c (src/boot/efi/ up to 256). 252, 254, 255, 257, 259 and 262 were also booted under OVMF
with a software TPM (tests/assets/boots, tests/assets/companions). A version that is not in the table is refused: the next
release may measure something else.

Red Hat Enterprise Linux: redhat-plumbers/systemd-rhel9 (tags v252-1 to v252-76, one for each package) and systemd-rhel10, which leaves
257's stub as it is (v257.3 and v257-28 do not differ in src/boot and src/fundamental). Its 252 never strips white space; from 252-20 on it
measures .uname and .sbat; from 252-28 on it takes addons, as 254 does; it takes SMBIOS strings for the command line too, but
not in a confidential VM. The titles of its other changes there, and stub.c of 252-76, tell of none that measures. Red Hat's own binaries were not to be had;
252-76.el9 and 257-28.el10 were built from these sources, and booted (tests/assets/stub_boots).

261 and 262 add what the machine decides (console.c, boot-secret.c, smbios-measure.c): a console= argument where the command
line has none, a secret from a firmware variable in the initrd, and SMBIOS structures in PCR 1. What of it is in which of the
two was not told apart, so either is taken to be able to do all of it. Tagged events reach the CC registers from 261 on
(systemd pull request 41099, merged after 260.1).
"""

from __future__ import annotations

import re
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.core.errors import UnsupportedInputError
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from teekit_verify.artifacts.uki import StubVersion


class Whitespace(Enum):
    """What becomes of white space in a command line: mangle_stub_cmdline()."""

    UNTOUCHED = "there is no such function yet"
    SPACES = "control characters are spaces"
    END = "that, and stripped at the end"
    BOTH = "that, and stripped at both ends; DEL is a space"


class Addons(Enum):
    """How command lines of addons are joined and measured."""

    IGNORED = "there are none"
    BY_FOLDER = "one event for each folder, stripped as a whole"
    TOGETHER = "one event, stripped as a whole"
    EACH_STRIPPED = "one event, each stripped"


@frozen
class StubBehaviour:
    """One row of the table: what a series of systemd-stub releases does.

    `sections` are the sections it knows, in the order it measures them. `packed` are the sections it wraps into cpio
    archives, in the order it appends them to the initrd. `profiles`: `.profile` starts a profile; how sections are chosen
    with and without is stub_sections'.
    `measures_to_cc`: sections are also measured with the CC protocol, and so are other events that have no tag.
    `firmware_loads_kernel`: `.linux` goes through LoadImage(), and so the firmware measures it; else the stub loads it itself
    ("stub: call inner kernel directly", systemd pull request 37372, in 258) and nothing measures it a second time.
    """

    sections: tuple[str, ...]
    packed: tuple[tuple[str, str], ...]
    profiles: bool
    measures_to_cc: bool
    firmware_loads_kernel: bool
    whitespace: Whitespace
    addons: Addons = Addons.IGNORED
    initrd_addons: bool = False
    """Addons may have an `.initrd` and a `.ucode`."""
    confexts: bool = False
    shared_extensions: bool = False
    r"""Extensions in \loader\extensions are taken too."""
    adds_of_the_machine: bool = False
    """A console, a boot secret, and SMBIOS events (261 and 262)."""
    tags_to_cc: bool = False
    """Events with a tag are measured with the CC protocol too."""
    pads_lone_ucode: bool = False


_SIGNATURE_FILES = ((".pcrsig", "tpm2-pcr-signature.json"), (".pcrpkey", "tpm2-pcr-public-key.pem"))

_V252 = StubBehaviour(
    sections=(".linux", ".osrel", ".cmdline", ".initrd", ".splash", ".dtb", ".pcrsig", ".pcrpkey"),
    packed=_SIGNATURE_FILES,
    profiles=False,
    measures_to_cc=False,
    firmware_loads_kernel=True,
    whitespace=Whitespace.END,
)
_V252_EARLY = replace(_V252, whitespace=Whitespace.SPACES)
_V252_FIRST = replace(_V252, whitespace=Whitespace.UNTOUCHED)
_V254 = replace(
    _V252,
    sections=(".linux", ".osrel", ".cmdline", ".initrd", ".splash", ".dtb", ".uname", ".sbat", ".pcrsig", ".pcrpkey"),
    addons=Addons.BY_FOLDER,
)
_V255 = replace(_V254, whitespace=Whitespace.BOTH, addons=Addons.TOGETHER)
_V256 = replace(
    _V255,
    sections=(
        *(".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname", ".sbat"),
        *(".pcrsig", ".pcrpkey"),
    ),
    measures_to_cc=True,
    confexts=True,
    pads_lone_ucode=True,
)
_V257 = replace(
    _V256,
    sections=(*_V256.sections, ".profile", ".dtbauto", ".hwids"),
    packed=(*_SIGNATURE_FILES, (".osrel", "os-release"), (".profile", "profile")),
    profiles=True,
    addons=Addons.EACH_STRIPPED,
    initrd_addons=True,
    pads_lone_ucode=False,
)
_V258 = replace(_V257, sections=(*_V257.sections, ".efifw"), firmware_loads_kernel=False, shared_extensions=True)
_V261 = replace(_V258, adds_of_the_machine=True, tags_to_cc=True)

_RHEL9_UNAME = replace(_V252_EARLY, sections=_V254.sections)
_RHEL9_ADDONS = replace(_RHEL9_UNAME, addons=Addons.BY_FOLDER)

BEHAVIOURS = {
    252: _V252,
    253: _V252,
    254: _V254,
    255: _V255,
    256: _V256,
    257: _V257,
    258: _V258,
    259: _V258,
    260: _V258,
    261: _V261,
    262: _V261,
}
_CANDIDATE = re.compile(r"[~-]?rc[0-9]")
_RED_HAT = re.compile(r"(?P<major>[0-9]+)-(?P<release>[0-9]{1,4})\.el(?P<el>[0-9]+)(?:_[0-9]+)?(?:\.[0-9]+)?")
_ANY_RED_HAT = re.compile(r"\.el[0-9]|\.hs\b|\+fb\b")
"""Whoever builds Red Hat's packages with changes of their own."""
_SPACES_252, _STRIPPED_252 = 3, 6
"""252.3 brought mangle_stub_cmdline(), 252.6 "chomp the trailing whitespaces"."""
_SPACES_RHEL, _UNAME_RHEL, _ADDONS_RHEL = 2, 20, 28


def behaviour_of(version: StubVersion) -> StubBehaviour:
    """The row for this version. Raises UnsupportedInputError for one whose source was not read."""
    known = BEHAVIOURS.get(version.major)
    if _ANY_RED_HAT.search(version.text):
        known = _of_red_hat(version.text)
    elif _CANDIDATE.search(version.text):
        known = None
    elif version.major == 252:  # noqa: PLR2004 - the only series whose stable releases differ
        known = _of_252(version.text)
    if known is None:
        raise UnsupportedInputError(
            f"systemd-stub {version.text}: what this version measures is not known; "
            f"known are {', '.join(map(str, BEHAVIOURS))}, and Red Hat's 252 and 257",
            hint="Build the UKI with one of these, or update teekit-verify.",
        )
    return known


def _of_252(text: str) -> StubBehaviour:
    match = re.match(r"252\.([0-9]{1,3})(?![0-9])", text)
    return _since(int(match[1]) if match else 0, {_STRIPPED_252: _V252, _SPACES_252: _V252_EARLY})


def _of_red_hat(text: str) -> StubBehaviour | None:
    match = _RED_HAT.fullmatch(text)
    if match is None:
        return None
    built = int(match["major"]), int(match["el"])
    if built == (257, 10):
        return _V257
    if built != (252, 9):
        return None
    rows = {_ADDONS_RHEL: _RHEL9_ADDONS, _UNAME_RHEL: _RHEL9_UNAME, _SPACES_RHEL: _V252_EARLY}
    return _since(int(match["release"]), rows)


def _since(release: int, rows: dict[int, StubBehaviour]) -> StubBehaviour:
    """The row of the newest release that is not newer than this one."""
    return next((row for first, row in rows.items() if release >= first), _V252_FIRST)
