"""A UKI as its systemd-stub sees it: which sections it uses, and what it hands to the kernel. What differs between its
releases is in `stub_releases`, which names the sources.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from teekit_verify.artifacts.uki import kernel_release
from teekit_verify.core.errors import TeekitError, UnsupportedInputError, printable
from teekit_verify.core.frozen import frozen
from teekit_verify.prediction.companions import NOTHING, Beside, beside
from teekit_verify.prediction.stub_cmdline import ascii_text, cleaned, joined, utf16
from teekit_verify.prediction.stub_cpio import extra_file
from teekit_verify.prediction.stub_releases import Whitespace, behaviour_of
from teekit_verify.prediction.stub_sections import by_first_name, by_last_prefix, profile_starts, refuse_changed_memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.artifacts.companions import Companion
    from teekit_verify.artifacts.pe import PeSection
    from teekit_verify.artifacts.uki import UnifiedKernelImage
    from teekit_verify.prediction.hashing import Message
    from teekit_verify.prediction.stub_releases import StubBehaviour

_UNMEASURED = ".pcrsig"
"""unified_section_measure(): "Don't include the PCR signature in the PCR measurements"."""
_MAX_PROFILE_BYTES = 1 << 16
_PAGE_BYTES = 4096
_HARDWARE_DEPENDENT = (".dtbauto", ".efifw")


@frozen
class StubView:
    """A UKI as its own stub sees it at boot, with the profile of this number and what lies beside it on the ESP."""

    uki: UnifiedKernelImage
    behaviour: StubBehaviour
    chosen: tuple[PeSection, ...]
    """The sections it uses, one for each name, in the order of `behaviour.sections`."""
    profile: int = 0
    beside: Beside = NOTHING

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

    def kernel_release(self) -> str | None:
        """`uname -r` of the kernel that is started, as far as the sections in use tell."""
        uname = self.get(".uname")
        return kernel_release(self.uki.content(self.linux), None if uname is None else self.uki.content(uname))

    def initrd(self) -> Message | None:
        """The initrd as the kernel receives it; None if there is none.

        "If there is more then 1 initrd we need to combine them" (stub.c): each part is padded with zeros to 4 bytes;
        a single part is handed over as it is (256 pads a lone .ucode as well). Order: .ucode, .initrd, the archives of what lies
        beside the UKI, then those of sections; .ucode of addons before all of it, with the last one first, and their .initrd behind it.
        """
        parts: list[Message] = [(addon.ucode,) for addon in reversed(self.beside.addons) if addon.ucode]
        parts += [(section.content,) for name in (".ucode", ".initrd") if (section := self.get(name)) is not None]
        parts += [(archive.content,) for archive in self.beside.archives]
        for name, filename in self.behaviour.packed:
            if (section := self.get(name)) is not None:
                before, after = extra_file(filename, section.virtual_size)
                parts.append((before, section.content, after))
        parts += [(addon.initrd,) for addon in self.beside.addons if addon.initrd]
        pads_one = self.behaviour.pads_lone_ucode and self.get(".ucode") is not None
        if len(parts) < 2 and not pads_one:  # noqa: PLR2004 - see above
            return parts[0] if parts else None
        return tuple(piece for part in parts for piece in _padded(part))

    def load_options(self, console: str = "") -> bytes | None:
        """The kernel's LoadOptions: `.cmdline` and what addons add, in UTF-16LE with its NUL; None if the UKI has no command line.

        `console`: what the stub adds behind console= where there is none.
        """
        section = self.get(".cmdline")
        if section is None:
            return None
        whitespace = self.behaviour.whitespace
        text = ascii_text(self.uki.content(section), "the UKI's .cmdline")
        if whitespace is Whitespace.UNTOUCHED and b"\0" not in bytes(self.uki.content(section)):
            self._require_end(section)
        own = cleaned(text, whitespace)
        if not own:
            raise UnsupportedInputError("the UKI's .cmdline holds only white space", hint="Give it a command line.")
        added = [f"console={console}"] if console else []
        return utf16(joined([own, *self.beside.cmdlines, *added]))

    def open_console(self) -> bool:
        """Whether the stub may append a console= of the machine: cmdline_append_console(), where there is none yet."""
        options = self.load_options()
        words = [] if options is None else options.decode("utf-16-le").rstrip("\0").split(" ")
        return self.behaviour.adds_of_the_machine and not any(word.startswith("console=") for word in words)

    def _require_end(self, section: PeSection) -> None:
        """252 reads on to the next NUL byte, which the rest of the page has."""
        if section.virtual_size % _PAGE_BYTES == 0:
            raise UnsupportedInputError(
                "the UKI's .cmdline fills its page: systemd-stub reads past its end", hint="Build the UKI with ukify."
            )


def uname_of(uki: UnifiedKernelImage, section: PeSection | None) -> str | None:
    """The content of .uname up to its first NUL, with which addons have to agree."""
    if section is None:
        return None
    return bytes(uki.content(section)[:_MAX_PROFILE_BYTES]).split(b"\0", 1)[0].decode("latin-1")


def stub_view(uki: UnifiedKernelImage, profile: int = 0, files: Sequence[Companion] = ()) -> StubView:
    """Choose sections as the stub does when it is started with the profile of this number; `files` lie beside the UKI.

    Raises UnsupportedInputError where the choice depends on the machine, TeekitError if there is no such profile.
    """
    behaviour = behaviour_of(uki.stub_version)
    for name in _HARDWARE_DEPENDENT:
        if name in behaviour.sections and uki.named(name):
            raise UnsupportedInputError(
                f"the UKI has a {name} section: whether it is used and measured depends on the machine",
                hint=f"Build the UKI without {name}.",
            )
    if behaviour.profiles:
        chosen = by_first_name(uki.sections, behaviour.sections, profile)
    elif profile:
        raise TeekitError(
            f"systemd-stub {uki.stub_version.text} does not support profiles",
            hint="Leave out the profile: systemd-stub has them from 257 on.",
        )
    else:
        chosen = by_last_prefix(uki.sections, behaviour.sections)
    refuse_changed_memory(chosen, uki)
    used = tuple(chosen[name] for name in behaviour.sections if name in chosen)
    uname = uname_of(uki, chosen.get(".uname"))
    return StubView(uki, behaviour, used, profile, beside(files, uki, behaviour, uname) if files else NOTHING)


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
        there = "there are" if len(names) > 1 else "its only one is"
        raise TeekitError(
            f"the UKI has {'no' if not found else 'more than one'} profile {printable(text[:40])}: {there} {listed}",
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
