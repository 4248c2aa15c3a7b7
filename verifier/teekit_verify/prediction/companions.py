r"""What systemd-stub makes of the files beside a UKI: archives for the initrd, and addons (src/boot/cpio.c, stub.c).

Files of one folder are taken in the order of their names (strcmp16), those in `\loader` for all UKIs before or after the UKI's own,
as it stands in each list. Each archive is measured as a whole into PCR 12 or 13. Addons are loaded with
LoadImage(), so that the firmware measures each of them into PCR 4, whether the stub uses it afterwards or not; with Secure Boot on it has to
accept its signature, which is assumed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.artifacts.companions import Companion, CompanionKind, require_different_names
from teekit_verify.artifacts.pe import MACHINE_X86_64, parse_pe
from teekit_verify.artifacts.uki import UnifiedKernelImage
from teekit_verify.core.errors import UnsupportedInputError, printable
from teekit_verify.core.frozen import frozen
from teekit_verify.prediction.stub_cmdline import ascii_text, cleaned, joined
from teekit_verify.prediction.stub_cpio import extra_folder
from teekit_verify.prediction.stub_releases import Addons
from teekit_verify.prediction.stub_sections import PROFILE, by_first_name, by_last_prefix, refuse_changed_memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.prediction.hashing import Message
    from teekit_verify.prediction.stub_releases import StubBehaviour

CONFIG_PCR, EXTENSIONS_PCR = 12, 13
_UNCLEAR = (".dtb", ".dtbauto", ".hwids", ".efifw", PROFILE, ".linux")


@frozen
class _Folder:
    """An archive that the stub makes: of what, and where it goes."""

    kind: CompanionKind
    shared: bool
    path: str
    mode: int
    file_mode: int
    pcr_index: int
    description: str


_SECRET = (0o500, 0o400, CONFIG_PCR)
_FOLDERS = (
    _Folder(CompanionKind.CREDENTIAL, False, "credentials", *_SECRET, "Credentials initrd"),
    _Folder(CompanionKind.CREDENTIAL, True, "global_credentials", *_SECRET, "Global credentials initrd"),
    _Folder(CompanionKind.EXTENSION, False, "sysext", 0o555, 0o444, EXTENSIONS_PCR, "System extension initrd"),
    _Folder(
        CompanionKind.EXTENSION, True, "global_sysext", 0o555, 0o444, EXTENSIONS_PCR, "Global system extension initrd"
    ),
    _Folder(CompanionKind.CONFEXT, False, "confext", 0o555, 0o444, CONFIG_PCR, "Configuration extension initrd"),
    _Folder(
        CompanionKind.CONFEXT,
        True,
        "global_confext",
        0o555,
        0o444,
        CONFIG_PCR,
        "Global configuration extension initrd",
    ),
)
"""generate_sidecar_initrds(), in its order."""


@frozen
class Archive:
    """One generated cpio archive, and into which PCR it is measured under which name."""

    pcr_index: int
    description: str
    content: bytes


@frozen
class Addon:
    """One addon, as far as the stub uses it: `image` is what its Authenticode digest covers."""

    name: str
    shared: bool
    image: Message
    cmdline: str | None = None
    initrd: bytes = b""
    ucode: bytes = b""


@frozen
class Beside:
    """What lies beside the UKI, as its stub takes it up; addons in the order in which they are loaded."""

    archives: tuple[Archive, ...] = ()
    addons: tuple[Addon, ...] = ()
    cmdlines: tuple[str, ...] = ()
    """What addons add to the command line: one text for each measurement."""


NOTHING = Beside()


def beside(files: Sequence[Companion], uki: UnifiedKernelImage, behaviour: StubBehaviour, uname: str | None) -> Beside:
    """`uname` is the content of the UKI's own .uname. Raises TeekitError for addons whose use the machine decides."""
    for shared in (False, True):
        require_different_names([file.name for file in files if file.shared is shared])
    ordered = sorted(files, key=lambda file: file.name)
    addons = _addons([file for file in ordered if file.kind is CompanionKind.ADDON], uki, behaviour, uname)
    return Beside(_archives(ordered, behaviour), addons, _cmdlines(addons, behaviour))


def _archives(files: Sequence[Companion], behaviour: StubBehaviour) -> tuple[Archive, ...]:
    found = []
    for folder in _FOLDERS:
        inside = [
            (file.name, file.content)
            for file in files
            if file.shared is folder.shared and _kind(file, behaviour) is folder.kind and _is_taken(file, behaviour)
        ]
        if inside:
            content = extra_folder(folder.path, folder.mode, folder.file_mode, inside)
            found.append(Archive(folder.pcr_index, folder.description, content))
    return tuple(found)


def _kind(file: Companion, behaviour: StubBehaviour) -> CompanionKind:
    """Before 256 every .raw is a system extension."""
    if file.kind is CompanionKind.CONFEXT and not behaviour.confexts:
        return CompanionKind.EXTENSION
    return file.kind


def _is_taken(file: Companion, behaviour: StubBehaviour) -> bool:
    return not file.shared or file.kind is CompanionKind.CREDENTIAL or behaviour.shared_extensions


def _addons(
    files: Sequence[Companion], uki: UnifiedKernelImage, behaviour: StubBehaviour, uname: str | None
) -> tuple[Addon, ...]:
    if behaviour.addons is Addons.IGNORED:
        return ()
    in_order = sorted(files, key=lambda file: not file.shared)
    return tuple(_addon(file, uki, behaviour, uname) for file in in_order)


def _addon(file: Companion, uki: UnifiedKernelImage, behaviour: StubBehaviour, uname: str | None) -> Addon:
    what, view = f"addon {printable(file.name)}", memoryview(file.content)
    image = parse_pe(view, what=what)
    if image.machine != MACHINE_X86_64:
        raise UnsupportedInputError(f"{what}: machine type {image.machine:#x} is not x86-64")
    as_uki = UnifiedKernelImage(view, image, uki.stub_version)
    for name in _UNCLEAR:
        if as_uki.named(name):
            raise UnsupportedInputError(
                f"{what} has a section {name}: how it is used is not known", hint="Build the addon without it."
            )
    choose = by_first_name if behaviour.profiles else by_last_prefix
    chosen = choose(image.sections, behaviour.sections)
    refuse_changed_memory(chosen, as_uki)
    content = {name: bytes(as_uki.content(section)) for name, section in chosen.items()}
    measured = tuple(file.content[span.start : span.stop] for span in image.authenticode_spans())
    if ".uname" in content and uname is not None and not _is_same(uname.encode(), content[".uname"]):
        return Addon(file.name, file.shared, measured)
    own = content.get(".cmdline")
    text = None if own is None else ascii_text(memoryview(own), f"the .cmdline of {what}")
    initrds = {name: content.get(name, b"") if behaviour.initrd_addons else b"" for name in (".initrd", ".ucode")}
    return Addon(file.name, file.shared, measured, text, initrds[".initrd"], initrds[".ucode"])


def _is_same(uname: bytes, of_addon: bytes) -> bool:
    """strneq8(uname, of_addon, size of .uname): as far as the addon's goes, or to the NUL of both."""
    return uname[: len(of_addon)] == of_addon.split(b"\0", 1)[0]


def _cmdlines(addons: Sequence[Addon], behaviour: StubBehaviour) -> tuple[str, ...]:
    """cmdline_append_and_measure_addons() of that release."""
    texts = [(addon.shared, addon.cmdline) for addon in addons if addon.cmdline is not None]
    if behaviour.addons is Addons.EACH_STRIPPED:
        texts = [(shared, cleaned(text, behaviour.whitespace)) for shared, text in texts]
    groups = [[text for _, text in texts]]
    if behaviour.addons is Addons.BY_FOLDER:
        groups = [[text for shared, text in texts if shared is wanted] for wanted in (True, False)]
    merged = (cleaned(joined(group), behaviour.whitespace) for group in groups)
    return tuple(text for text in merged if text)
