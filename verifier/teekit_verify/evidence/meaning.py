"""What the first divergence of two event logs means: the table of what this program understands of firmware events.

Causes only: which of two values is right, or whether a difference is acceptable, nobody says here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from teekit_verify.core.errors import printable
from teekit_verify.evidence.describe import DSTACK_RUNTIME_EVENT
from teekit_verify.evidence.loadoption import LoadOption, boot_order, load_option, variable_of
from teekit_verify.registers.align import Divergence, DivergenceKind
from teekit_verify.registers.events import Event, EventType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_FW_CFG = b"QEMU FW CFG\0"
_ACPI = b"ACPI DATA"
_ACPI_BLOBS = {3: ("table loader", "RSDP", "tables"), 4: ("table loader", "RSDP", "TPM log", "tables")}
"""In the order in which edk2's OvmfPkg/AcpiPlatformDxe/QemuFwCfgAcpi.c reads and measures them."""
_COUNTS = ("no NVMe disk", "one NVMe disk", "two NVMe disks", "three NVMe disks", "four NVMe disks")
_MAX_ENTRIES = 64
_KEYS = {
    "PK": "another platform key is enrolled",
    "KEK": "other key exchange keys are enrolled",
    "db": "other signers or images are allowed",
    "dbx": "other signers or images are forbidden",
    "dbt": "other timestamp signers are enrolled",
}


def explain(divergence: Divergence, observed: Sequence[Event] = ()) -> str:
    """What the divergence means, in words safe for a terminal; empty if its event is not understood.

    `observed` is the whole observed log: the events after the divergent one say more (how many disks there are).
    """
    predicted, found = divergence.predicted, divergence.observed
    event = found if predicted is None else predicted
    if event is None:
        return ""
    if predicted is not None and found is not None and predicted.event_type != found.event_type:
        return "the boots took different paths here: what is measured is of another kind"
    explanation = _EXPLANATIONS.get(event.event_type)
    return printable(explanation(divergence, event, observed)) if explanation else ""


def _td_hob(_divergence: Divergence, event: Event, _observed: Sequence[Event]) -> str:
    if event.data and b"TdxTable" not in event.data:
        return "a hand-off table of the firmware differs"
    return "the TD HOB differs: another memory size, or firmware with other sections"


def _firmware_volume(_divergence: Divergence, _event: Event, _observed: Sequence[Event]) -> str:
    return "the firmware's configuration volume (CFV) differs: another firmware build or variable store"


def _driver_config(divergence: Divergence, event: Event, _observed: Sequence[Event]) -> str:
    variable = variable_of(event)
    if variable is None:
        return "a Secure Boot variable differs"
    if variable.name != "SecureBoot":
        what = _KEYS.get(variable.name)
        return f"Secure Boot variable {variable.name} differs" + (f": {what}" if what else "")
    state = variable_of(divergence.observed) if divergence.observed else None
    if state is None or state.content is None:
        return "Secure Boot variable SecureBoot differs"
    words = "on" if state.content == b"\x01" else "off"
    return f"Secure Boot variable SecureBoot differs: Secure Boot is {words} in the VM"


def _config_flags(divergence: Divergence, event: Event, observed: Sequence[Event]) -> str:
    if event.data.startswith(_FW_CFG):
        name = event.data[len(_FW_CFG) :].split(b"\0")[0].decode("ascii", "replace")
        if divergence.kind is DivergenceKind.DIFFERENT:
            return f"QEMU's fw_cfg item {name} differs: other machine options"
        return f"QEMU's fw_cfg item {name} is measured in one boot only: edk2 measures such items from stable202505 on"
    if event.data.startswith(_ACPI) or "ACPI" in event.description:
        return f"ACPI tables differ{_acpi_blob(divergence, observed)}: another machine shape or firmware"
    return ""


def _acpi_blob(divergence: Divergence, observed: Sequence[Event]) -> str:
    blobs = [event for event in observed if event.register == divergence.register and event.data.startswith(_ACPI)]
    names = _ACPI_BLOBS.get(len(blobs), ())
    position = next((number for number, blob in enumerate(blobs) if blob is divergence.observed), None)
    return f" ({names[position]})" if names and position is not None else ""


def _boot_variable(divergence: Divergence, event: Event, observed: Sequence[Event]) -> str:
    variable = variable_of(event)
    if variable is None:
        return "a boot variable differs"
    options = _load_options(observed)
    disks = _disks(options)
    if variable.name == "BootOrder":
        return f"the boot order differs{_order(divergence)}{disks}"
    words = f"boot entry {_entry_number(variable.name, observed)} differs"
    there = options.get(variable.name) if divergence.observed is not None else None
    return words + (f": {variable.name} is {there.description} at {there.path}" if there else "") + disks


def _order(divergence: Divergence) -> str:
    orders = []
    for event in (divergence.observed, divergence.predicted):
        variable = variable_of(event) if event else None
        if variable is None or variable.content is None:
            return ""
        orders.append(", ".join(f"{number:04X}" for number in boot_order(variable.content)[:_MAX_ENTRIES]) or "empty")
    return f": it is {orders[0]}, predicted was {orders[1]}"


def _load_options(events: Sequence[Event]) -> dict[str, LoadOption]:
    """The boot entries of a log, by name."""
    options: dict[str, LoadOption] = {}
    for event in events:
        variable = variable_of(event) if event.event_type == EventType.EV_EFI_VARIABLE_BOOT else None
        if variable is None or variable.content is None or not re.fullmatch(r"Boot[0-9A-F]{4}", variable.name):
            continue
        option = load_option(variable.content)
        if option is not None and len(options) < _MAX_ENTRIES:
            options[variable.name] = option
    return options


def _disks(options: dict[str, LoadOption]) -> str:
    count = sum("NVMe(" in option.path for option in options.values())
    words = _COUNTS[count] if count < len(_COUNTS) else f"{count} NVMe disks"
    return f"; the VM has {words}" if count else ""


def _entry_number(name: str, observed: Sequence[Event]) -> str:
    """Counted from 1 in the order in which the log has them; the variable's name where the log does not have it."""
    names = list(_load_options(observed))
    return str(names.index(name) + 1) if name in names else name


def _separator(divergence: Divergence, _event: Event, _observed: Sequence[Event]) -> str:
    if divergence.kind is DivergenceKind.DIFFERENT:
        return "a separator differs: the firmware met an error"
    return (
        "a separator is measured in one boot only: firmware before edk2-stable202411 measures a second one into RTMR0 "
        "and none into RTMR1"
    )


def _authority(_divergence: Divergence, event: Event, _observed: Sequence[Event]) -> str:
    variable = variable_of(event)
    if variable is not None and variable.name.startswith(("Sbat", "Mok")):
        return f"{variable.name} is measured by shim: what the firmware starts is shim"
    return "the db entry that allowed an image is measured: Secure Boot is on, and another key or image was used"


def _gpt(divergence: Divergence, _event: Event, _observed: Sequence[Event]) -> str:
    words = [event.description for event in (divergence.observed, divergence.predicted) if event and event.data]
    if len(words) == 2 and words[0] != words[1]:  # noqa: PLR2004
        return f"the partition table differs: {words[0]} instead of {words[1]}"
    return "the partition table differs: another disk GUID, size, or partition"


def _image(divergence: Divergence, event: Event, _observed: Sequence[Event]) -> str:
    if divergence.observed is None:
        return f"a file was not started or loaded: {event.description}"
    there = divergence.observed
    return f"another file was started or loaded: {there.description}"


def _tagged(_divergence: Divergence, event: Event, _observed: Sequence[Event]) -> str:
    if "LoadOptions" in event.description or "command line" in event.description:
        return "the kernel command line differs"
    return "the initrd differs" if "initrd" in event.description else ""


def _ipl(_divergence: Divergence, event: Event, _observed: Sequence[Event]) -> str:
    section = re.search(r"\.[a-z]+", event.description)
    return f"UKI section {section.group()} differs" if section else ""


def _runtime(_divergence: Divergence, event: Event, _observed: Sequence[Event]) -> str:
    return f"another application, configuration or instance: {event.description}"


_EXPLANATIONS: dict[int, Callable[[Divergence, Event, Sequence[Event]], str]] = {
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
