"""What each systemd-stub measures, and what it hands to the kernel: one table, read from systemd's sources.

Read in 252.39, 253, 254.26, 255.4, 256, 257.13, 258.10, 259.5, 260.4 and the sources between 261 and 262: src/fundamental/tpm-pcr.h or uki.h (order of
the sections), src/boot/stub.c (initrds, profiles), pe.c (which section wins), cpio.c, linux.c, measure.c, util.c
(src/boot/efi/ up to 256). 252, 254, 255, 257 and 259 were also booted under OVMF with a software TPM (tests/assets/boots).
A version that is not in the table is refused: the next release may measure something else.

261 and 262 add what the machine decides (src/boot/console.c, boot-secret.c, smbios-measure.c): a console= argument where the
command line has none, a secret from a firmware variable in the initrd, and SMBIOS structures in PCR 1. What of it is in
which of the two was not told apart, so either is taken to do all of it, and what follows from it is open. 262.1-1 (Debian) was
booted under OVMF 2022.11: PCR 4 and 11 as predicted, console=uart,io,0x3f8 appended, SMBIOS type 1 in PCR 1, and no secret, for lack
of random numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from teekit_verify.artifacts.uki import kernel_release
from teekit_verify.core.errors import TeekitError, UnsupportedInputError, printable
from teekit_verify.prediction.stub_cpio import extra_file
from teekit_verify.prediction.stub_sections import by_first_name, by_last_prefix, profile_starts, refuse_changed_memory

if TYPE_CHECKING:
    from teekit_verify.artifacts.pe import PeSection
    from teekit_verify.artifacts.uki import StubVersion, UnifiedKernelImage
    from teekit_verify.prediction.hashing import Message

_UNMEASURED = ".pcrsig"
"""unified_section_measure(): "Don't include the PCR signature in the PCR measurements"."""
_MAX_CMDLINE_BYTES = 1 << 16
"""Linux uses the first 2,047 characters on x86 (COMMAND_LINE_SIZE), but measures all of them."""
_MAX_PROFILE_BYTES = 1 << 16
_HARDWARE_DEPENDENT = (".dtbauto", ".efifw")


@dataclass(frozen=True, slots=True)
class StubBehaviour:
    """One row of the table: what a series of systemd-stub releases does.

    `sections` are the sections it knows, in the order it measures them. `packed` are the sections it wraps into cpio
    archives, in the order it appends them to the initrd. `profiles`: `.profile` starts a profile; how sections are chosen
    with and without is stub_sections'.
    `measures_to_cc`: sections are also measured with the CC protocol. `firmware_loads_kernel`: `.linux` goes through
    LoadImage(), and so the firmware measures it; else the stub loads it itself ("stub: call inner kernel directly",
    systemd pull request 37372, in 258) and nothing measures it a second time.
    """

    sections: tuple[str, ...]
    packed: tuple[tuple[str, str], ...]
    profiles: bool
    measures_to_cc: bool
    firmware_loads_kernel: bool
    skips_leading_space: bool
    adds_of_the_machine: bool = False
    """A console, a boot secret, and SMBIOS events (261 and 262)."""


_SIGNATURE_FILES = ((".pcrsig", "tpm2-pcr-signature.json"), (".pcrpkey", "tpm2-pcr-public-key.pem"))

_V252 = StubBehaviour(
    sections=(".linux", ".osrel", ".cmdline", ".initrd", ".splash", ".dtb", ".pcrsig", ".pcrpkey"),
    packed=_SIGNATURE_FILES,
    profiles=False,
    measures_to_cc=False,
    firmware_loads_kernel=True,
    skips_leading_space=False,
)
_V254 = replace(
    _V252,
    sections=(".linux", ".osrel", ".cmdline", ".initrd", ".splash", ".dtb", ".uname", ".sbat", ".pcrsig", ".pcrpkey"),
)
_V255 = replace(_V254, skips_leading_space=True)
_V256 = replace(
    _V255,
    sections=(
        *(".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname", ".sbat"),
        *(".pcrsig", ".pcrpkey"),
    ),
    measures_to_cc=True,
)
_V257 = StubBehaviour(
    sections=(*_V256.sections, ".profile", ".dtbauto", ".hwids"),
    packed=(*_SIGNATURE_FILES, (".osrel", "os-release"), (".profile", "profile")),
    profiles=True,
    measures_to_cc=True,
    firmware_loads_kernel=True,
    skips_leading_space=True,
)
_V258 = replace(_V257, sections=(*_V257.sections, ".efifw"), firmware_loads_kernel=False)
_V261 = replace(_V258, adds_of_the_machine=True)

_CHANGED_BUILDS = re.compile(r"rc[0-9]|\.el[0-9]")
"""Release candidates, and Red Hat Enterprise Linux: its 252 measures .uname and .sbat, which upstream's does not."""

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


@dataclass(frozen=True, slots=True)
class StubView:
    """A UKI as its own stub sees it at boot, with the profile of this number and nothing beside it on the ESP."""

    uki: UnifiedKernelImage
    behaviour: StubBehaviour
    chosen: tuple[PeSection, ...]
    """The sections it uses, one for each name, in the order of `behaviour.sections`."""
    profile: int = 0

    def get(self, name: str) -> PeSection | None:
        """The section of this name that the stub uses, None if there is none."""
        return next((section for section in self.chosen if section.name == name), None)

    @property
    def measured(self) -> tuple[PeSection, ...]:
        """The sections that it measures, in its order."""
        return tuple(section for section in self.chosen if section.name != _UNMEASURED)

    @property
    def linux(self) -> PeSection:
        """The kernel. Raises UnsupportedInputError if there is none."""
        section = self.get(".linux")
        if section is None:
            raise UnsupportedInputError(f"the UKI has no .linux section for its profile {self.profile}")
        return section

    def open_console(self) -> bool:
        """Whether the stub may append a console= of the machine: cmdline_append_console(), where there is none yet."""
        options = self.load_options()
        words = [] if options is None else options.decode("utf-16-le").rstrip("\0").split(" ")
        return self.behaviour.adds_of_the_machine and not any(word.startswith("console=") for word in words)

    def kernel_release(self) -> str | None:
        """`uname -r` of the kernel that is started, as far as the sections in use tell."""
        uname = self.get(".uname")
        return kernel_release(self.uki.content(self.linux), None if uname is None else self.uki.content(uname))

    def initrd(self) -> Message | None:
        """The initrd as the kernel receives it; None if there is none.

        "If there is more then 1 initrd we need to combine them" (stub.c): each part is padded with zeros to 4 bytes;
        a single part is handed over as it is (256 pads a lone .ucode as well). Order: .ucode, .initrd, then the
        generated cpio archives.
        """
        parts: list[Message] = [
            (section.content,) for name in (".ucode", ".initrd") if (section := self.get(name)) is not None
        ]
        for name, filename in self.behaviour.packed:
            if (section := self.get(name)) is not None:
                before, after = extra_file(filename, section.virtual_size)
                parts.append((before, section.content, after))
        pads_one = self.behaviour is _V256 and self.get(".ucode") is not None
        if len(parts) < 2 and not pads_one:  # noqa: PLR2004 - see above
            return parts[0] if parts else None
        return tuple(piece for part in parts for piece in _padded(part))

    def load_options(self) -> bytes | None:
        """The kernel's LoadOptions: `.cmdline` in UTF-16LE with its NUL; None if the UKI has no command line.

        xstrn8_to_16() stops at the first NUL byte; mangle_stub_cmdline() turns control characters into spaces and
        drops white space at the end, from 255 also at the start and for DEL.
        """
        section = self.get(".cmdline")
        if section is None:
            return None
        raw = bytes(self.uki.content(section)[: _MAX_CMDLINE_BYTES + 1]).split(b"\0", 1)[0]
        if not raw.isascii() or len(raw) > _MAX_CMDLINE_BYTES:
            raise UnsupportedInputError(
                f"the UKI's .cmdline is not plain ASCII of at most {_MAX_CMDLINE_BYTES} bytes",
                hint="Use only ASCII characters on the kernel command line.",
            )
        blanks = {*range(0x20), 0x7F} if self.behaviour.skips_leading_space else set(range(0x20))
        text = raw.decode("ascii").translate(dict.fromkeys(blanks, " ")).rstrip(" ")
        if self.behaviour.skips_leading_space:
            text = text.lstrip(" ")
        if not text:
            raise UnsupportedInputError("the UKI's .cmdline holds only white space", hint="Give it a command line.")
        return f"{text}\0".encode("utf-16-le")


def behaviour_of(version: StubVersion) -> StubBehaviour:
    """The row for this version. Raises UnsupportedInputError for one whose source was not read."""
    known = BEHAVIOURS.get(version.major)
    if known is None or _CHANGED_BUILDS.search(version.text):
        raise UnsupportedInputError(
            f"systemd-stub {version.text}: what this version measures is not known; "
            f"known are {', '.join(map(str, BEHAVIOURS))}",
            hint="Build the UKI with one of these, or update teekit-verify.",
        )
    return known


def stub_view(uki: UnifiedKernelImage, profile: int = 0) -> StubView:
    """Choose sections as the stub does when it is started with the profile of this number.

    Raises UnsupportedInputError where the choice depends on the machine, TeekitError if there is no such profile.
    """
    behaviour = behaviour_of(uki.stub_version)
    for name in _HARDWARE_DEPENDENT:
        if name in behaviour.sections and uki.named(name):
            raise UnsupportedInputError(
                f"the UKI has a {name} section: whether it is used and measured depends on the machine",
                hint=f"Build the UKI without {name}.",
            )
    if profile and behaviour.adds_of_the_machine:
        raise UnsupportedInputError(
            f"systemd-stub {uki.stub_version.text}: where it measures the number of a profile is not known",
            hint="Measure the first profile, or build the UKI with an older systemd-stub.",
        )
    if behaviour.profiles:
        chosen = by_first_name(uki.sections, behaviour.sections, profile)
    elif profile:
        raise TeekitError(
            f"systemd-stub {uki.stub_version.text} knows no profiles", hint="Leave out the profile: they came with 257."
        )
    else:
        chosen = by_last_prefix(uki.sections, behaviour.sections)
    refuse_changed_memory(chosen, uki)
    used = tuple(chosen[name] for name in behaviour.sections if name in chosen)
    return StubView(uki, behaviour, used, profile)


def profiles(uki: UnifiedKernelImage) -> tuple[str, ...]:
    """The ID of each profile by number, empty where it has none. Stubs before 257 know one, and so does a UKI without any."""
    starts = profile_starts(uki.sections) if behaviour_of(uki.stub_version).profiles else []
    return tuple(_profile_id(uki, uki.sections[start]) for start in starts) or ("",)


def profile_number(uki: UnifiedKernelImage, text: str) -> int:
    """Of a number, or of a profile's ID. Raises TeekitError for what names none, or more than one."""
    names = profiles(uki)
    if re.fullmatch(r"[0-9]{1,4}", text):
        found = [int(text)] if int(text) < len(names) else []
    else:
        found = [number for number, name in enumerate(names) if text and name == text]
    if len(found) != 1:
        listed = ", ".join(
            f"{number} ({printable(name)})" if name else str(number) for number, name in enumerate(names)
        )
        raise TeekitError(
            f"the UKI has {'no' if not found else 'more than one'} profile {printable(text[:40])}: there are {listed}",
            hint="Name one of them, by its number or ID.",
        )
    return found[0]


def _profile_id(uki: UnifiedKernelImage, section: PeSection) -> str:
    """UAPI group specification "Unified Kernel Image", .profile: lines as in os-release, with ID= and TITLE=."""
    text = bytes(uki.content(section)[:_MAX_PROFILE_BYTES]).decode("utf-8", "replace")
    match = re.search(r"^ID=[\"']?([^\"'\n\r\0]*)", text, re.MULTILINE)
    return match[1].strip() if match else ""


def _padded(part: Message) -> Message:
    size_bytes = sum(len(piece) if isinstance(piece, bytes) else piece.size_bytes for piece in part)
    padding = bytes(-size_bytes % 4)
    return (*part, padding) if padding else part
