"""What the first divergence of two event logs means, as a value: the table of what this program understands of firmware events.

Rules: the two events are told apart by their types and their data, the other events of the observed log count disks and name entries.

Non-rules: no description is read. Which of two values is right, or whether a difference is acceptable, nobody says here, and no
verdict depends on it. Where a log has no data, as a prediction that was read from a file, less is known.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, ClassVar

from teekit_verify.core.errors import printable
from teekit_verify.core.frozen import frozen
from teekit_verify.core.marks import ConfigDict
from teekit_verify.evidence.describe import DSTACK_RUNTIME_EVENT, text_of
from teekit_verify.evidence.loadoption import LoadOption, boot_order, is_boot_option, load_option, variable_of
from teekit_verify.registers.align import Divergence, DivergenceKind
from teekit_verify.registers.events import Event, EventType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_FW_CFG = b"QEMU FW CFG\0"
_ACPI = b"ACPI DATA"
_ACPI_BLOBS = {3: ("table loader", "RSDP", "tables"), 4: ("table loader", "RSDP", "TPM log", "tables")}
"""In the order in which edk2's OvmfPkg/AcpiPlatformDxe/QemuFwCfgAcpi.c reads and measures them."""
_MAX_ENTRIES = 64


class MeaningKind(Enum):
    """What differs. `Meaning.names` has what is in brackets."""

    OTHER_PATH = "other path"
    HANDOFF_TABLE = "hand-off table"
    TD_HOB = "TD HOB"
    CONFIGURATION_VOLUME = "configuration volume"
    SECURE_BOOT_VARIABLE = "Secure Boot variable"  # [name]
    SECURE_BOOT_IS = "Secure Boot is"  # "on" or "off"
    FW_CFG_DIFFERS = "fw_cfg item differs"  # name
    FW_CFG_ONCE = "fw_cfg item once"  # name
    ACPI = "ACPI"  # [which of the blobs]
    BOOT_VARIABLE = "boot variable"
    BOOT_ORDER = "boot order"  # [as it is, as predicted]
    BOOT_ENTRY = "boot entry"  # its place or name [, variable, description, path]
    SEPARATOR_ERROR = "separator error"
    SEPARATOR_ONCE = "separator once"
    SHIM = "shim"  # variable
    AUTHORITY = "authority"
    PARTITION_TABLE = "partition table"  # [as it is, as predicted]
    IMAGE_MISSING = "image missing"  # description
    IMAGE_OTHER = "image other"  # description
    COMMAND_LINE = "command line"
    INITRD = "initrd"
    UKI_SECTION = "UKI section"  # name
    RUNTIME = "runtime"  # description
    SAID = "said"  # a sentence of an older report


_TAGS = {0x8F3B22ED: MeaningKind.COMMAND_LINE, 0x8F3B22EC: MeaningKind.INITRD}
"""Linux drivers/firmware/efi/libstub/efistub.h: LOAD_OPTIONS_EVENT_TAG_ID, INITRD_EVENT_TAG_ID."""


@frozen
class Meaning:
    """`names` are safe for a terminal. `disks` is how many NVMe disks the observed log has entries for, None where that says nothing."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid", strict=True)
    kind: MeaningKind
    names: tuple[str, ...] = ()
    disks: int | None = None


def explain(divergence: Divergence, observed: Sequence[Event] = ()) -> Meaning | None:
    """What the divergence means; None if its event is not understood.

    `observed` is the whole observed log: the events after the divergent one say more (how many disks there are).
    """
    predicted, found = divergence.predicted, divergence.observed
    if predicted is not None and found is not None and predicted.event_type != found.event_type:
        return Meaning(MeaningKind.OTHER_PATH)
    sides = [event for event in (predicted, found) if event is not None]
    event = next((event for event in sides if event.data), sides[0] if sides else None)
    explanation = None if event is None else _EXPLANATIONS.get(event.event_type)
    if event is None or explanation is None:
        return None
    meaning = explanation(divergence, event, observed)
    return meaning and Meaning(meaning.kind, tuple(map(printable, meaning.names)), meaning.disks)


def _td_hob(_divergence: Divergence, event: Event, _observed: Sequence[Event]) -> Meaning:
    other = event.data and b"TdxTable" not in event.data
    return Meaning(MeaningKind.HANDOFF_TABLE if other else MeaningKind.TD_HOB)


def _firmware_volume(_divergence: Divergence, _event: Event, _observed: Sequence[Event]) -> Meaning:
    return Meaning(MeaningKind.CONFIGURATION_VOLUME)


def _driver_config(divergence: Divergence, event: Event, _observed: Sequence[Event]) -> Meaning:
    variable = variable_of(event)
    if variable is None:
        return Meaning(MeaningKind.SECURE_BOOT_VARIABLE)
    state = variable_of(divergence.observed) if divergence.observed else None
    if variable.name != "SecureBoot" or state is None:
        return Meaning(MeaningKind.SECURE_BOOT_VARIABLE, (variable.name,))
    return Meaning(MeaningKind.SECURE_BOOT_IS, ("on" if state.content == b"\x01" else "off",))


def _config_flags(divergence: Divergence, event: Event, observed: Sequence[Event]) -> Meaning | None:
    if event.data.startswith(_FW_CFG):
        name = event.data[len(_FW_CFG) :].split(b"\0")[0].decode("ascii", "replace")
        differs = divergence.kind is DivergenceKind.DIFFERENT
        return Meaning(MeaningKind.FW_CFG_DIFFERS if differs else MeaningKind.FW_CFG_ONCE, (name,))
    return Meaning(MeaningKind.ACPI, _acpi_blob(divergence, observed)) if event.data.startswith(_ACPI) else None


def _acpi_blob(divergence: Divergence, observed: Sequence[Event]) -> tuple[str, ...]:
    blobs = [event for event in observed if event.register == divergence.register and event.data.startswith(_ACPI)]
    names = _ACPI_BLOBS.get(len(blobs), ())
    position = next((number for number, blob in enumerate(blobs) if blob is divergence.observed), None)
    return (names[position],) if names and position is not None else ()


def _boot_variable(divergence: Divergence, event: Event, observed: Sequence[Event]) -> Meaning:
    variable = variable_of(event)
    if variable is None:
        return Meaning(MeaningKind.BOOT_VARIABLE)
    options = _load_options(observed)
    disks = sum("NVMe(" in option.path for option in options.values()) or None
    if variable.name == "BootOrder":
        return Meaning(MeaningKind.BOOT_ORDER, _orders(divergence), disks)
    names = list(options)
    # Counted from 1 in the order in which the log has them; the variable's name where the log does not have it.
    place = str(names.index(variable.name) + 1) if variable.name in names else variable.name
    there = options.get(variable.name) if divergence.observed is not None else None
    more = (variable.name, there.description, there.path) if there else ()
    return Meaning(MeaningKind.BOOT_ENTRY, (place, *more), disks)


def _orders(divergence: Divergence) -> tuple[str, ...]:
    orders = []
    for event in (divergence.observed, divergence.predicted):
        variable = variable_of(event) if event else None
        if variable is None:
            return ()
        orders.append(", ".join(f"{number:04X}" for number in boot_order(variable.content)[:_MAX_ENTRIES]) or "empty")
    return tuple(orders)


def _load_options(events: Sequence[Event]) -> dict[str, LoadOption]:
    """The boot entries of a log, by name."""
    options: dict[str, LoadOption] = {}
    for event in events:
        variable = variable_of(event) if event.event_type == EventType.EV_EFI_VARIABLE_BOOT else None
        if variable is None or not is_boot_option(variable):
            continue
        option = load_option(variable.content)
        if option is not None and len(options) < _MAX_ENTRIES:
            options[variable.name] = option
    return options


def _separator(divergence: Divergence, _event: Event, _observed: Sequence[Event]) -> Meaning:
    differs = divergence.kind is DivergenceKind.DIFFERENT
    return Meaning(MeaningKind.SEPARATOR_ERROR if differs else MeaningKind.SEPARATOR_ONCE)


def _authority(_divergence: Divergence, event: Event, _observed: Sequence[Event]) -> Meaning:
    variable = variable_of(event)
    if variable is not None and variable.name.startswith(("Sbat", "Mok")):
        return Meaning(MeaningKind.SHIM, (variable.name,))
    return Meaning(MeaningKind.AUTHORITY)


def _gpt(divergence: Divergence, _event: Event, _observed: Sequence[Event]) -> Meaning:
    sides = [event.description for event in (divergence.observed, divergence.predicted) if event and event.data]
    return Meaning(MeaningKind.PARTITION_TABLE, tuple(sides) if len(set(sides)) == 2 else ())  # noqa: PLR2004


def _image(divergence: Divergence, event: Event, _observed: Sequence[Event]) -> Meaning:
    if divergence.observed is None:
        return Meaning(MeaningKind.IMAGE_MISSING, (event.description,))
    return Meaning(MeaningKind.IMAGE_OTHER, (divergence.observed.description,))


def _tagged(_divergence: Divergence, event: Event, _observed: Sequence[Event]) -> Meaning | None:
    """TCG_PCClientTaggedEvent begins with its identifier (PFP 1.06, 10.4.2.1)."""
    kind = _TAGS.get(int.from_bytes(event.data[:4], "little"))
    return None if kind is None else Meaning(kind)


def _ipl(_divergence: Divergence, event: Event, _observed: Sequence[Event]) -> Meaning | None:
    """systemd-stub names the section that it measures."""
    name = text_of(event.data)
    return Meaning(MeaningKind.UKI_SECTION, (name,)) if name is not None and _is_section(name) else None


def _is_section(name: str) -> bool:
    return name.startswith(".") and name[1:].isascii() and name[1:].isalpha() and name.islower()


def _runtime(_divergence: Divergence, event: Event, _observed: Sequence[Event]) -> Meaning:
    return Meaning(MeaningKind.RUNTIME, (event.description,))


_EXPLANATIONS: dict[int, Callable[[Divergence, Event, Sequence[Event]], Meaning | None]] = {
    EventType.EV_SEPARATOR: _separator,
    EventType.EV_EVENT_TAG: _tagged,
    EventType.EV_PLATFORM_CONFIG_FLAGS: _config_flags,
    EventType.EV_IPL: _ipl,
    EventType.EV_EFI_VARIABLE_DRIVER_CONFIG: _driver_config,
    EventType.EV_EFI_VARIABLE_BOOT: _boot_variable,
    EventType.EV_EFI_BOOT_SERVICES_APPLICATION: _image,
    EventType.EV_EFI_BOOT_SERVICES_DRIVER: _image,
    EventType.EV_EFI_GPT_EVENT: _gpt,
    EventType.EV_EFI_PLATFORM_FIRMWARE_BLOB2: _firmware_volume,
    EventType.EV_EFI_HANDOFF_TABLES2: _td_hob,
    EventType.EV_EFI_VARIABLE_AUTHORITY: _authority,
    DSTACK_RUNTIME_EVENT: _runtime,
}
