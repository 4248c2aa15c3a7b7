"""What the first difference of two event logs means, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.evidence.meaning import Meaning, MeaningKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from teekit_verify.appraisal.guest.eventlog import LogDifference

_COUNTS = {1: "one NVMe disk", 2: "two NVMe disks", 3: "three NVMe disks", 4: "four NVMe disks"}
_KEYS = {
    "PK": "another platform key is enrolled",
    "KEK": "other key exchange keys are enrolled",
    "db": "other signers or images are allowed",
    "dbx": "other signers or images are forbidden",
    "dbt": "other timestamp signers are enrolled",
}
_PLAIN = {
    MeaningKind.OTHER_PATH: "the boots took different paths here: what is measured is of another kind",
    MeaningKind.HANDOFF_TABLE: "a hand-off table of the firmware differs",
    MeaningKind.TD_HOB: "the TD HOB differs: another memory size, or firmware with other sections",
    MeaningKind.CONFIGURATION_VOLUME: "the firmware's configuration volume (CFV) differs: another firmware build or variable store",
    MeaningKind.SECURE_BOOT_IS: "Secure Boot variable SecureBoot differs: Secure Boot is {0} in the VM",
    MeaningKind.FW_CFG_DIFFERS: "QEMU's fw_cfg item {0} differs: other machine options",
    MeaningKind.FW_CFG_ONCE: "QEMU's fw_cfg item {0} is measured in one boot only: edk2 measures such items from stable202505 on",
    MeaningKind.BOOT_VARIABLE: "a boot variable differs",
    MeaningKind.SEPARATOR_ERROR: "a separator differs: the firmware met an error",
    MeaningKind.SEPARATOR_ONCE: (
        "a separator is measured in one boot only: firmware before edk2-stable202411 measures a second one into RTMR0 "
        "and none into RTMR1"
    ),
    MeaningKind.SHIM: "{0} is measured by shim: what the firmware starts is shim",
    MeaningKind.AUTHORITY: (
        "the db entry that allowed an image is measured: Secure Boot is on, and another key or image was used"
    ),
    MeaningKind.IMAGE_MISSING: "a file was not started or loaded: {0}",
    MeaningKind.IMAGE_OTHER: "another file was started or loaded: {0}",
    MeaningKind.COMMAND_LINE: "the kernel command line differs",
    MeaningKind.INITRD: "the initrd differs",
    MeaningKind.UKI_SECTION: "UKI section {0} differs",
    MeaningKind.RUNTIME: "another application, configuration or instance: {0}",
    MeaningKind.SAID: "{0}",
}


def more_events(count: int) -> str:
    """Under a list of events that differ, which is not whole."""
    return f"{count:,} more {'event differs' if count == 1 else 'events differ'} and {'is' if count == 1 else 'are'} not listed"


def differences_words(differences: Iterable[LogDifference]) -> tuple[str, ...]:
    """A line for each; those that read the same in two banks are said once."""
    return tuple(dict.fromkeys(map(_difference, differences)))


def _difference(difference: LogDifference) -> str:
    meaning = meaning_words(difference.means)
    return difference.divergence.in_words() + (f" - {meaning}" if meaning else "")


def meaning_words(meaning: Meaning | None) -> str:
    """One line, safe for a terminal; empty for None. What a document of somebody else's leaves out is left out."""
    if meaning is None:
        return ""
    names = (*meaning.names, "?")
    match meaning.kind:
        case MeaningKind.SECURE_BOOT_VARIABLE:
            return _secure_boot_variable(meaning.names)
        case MeaningKind.ACPI:
            blob = f" ({names[0]})" if meaning.names else ""
            return f"ACPI tables differ{blob}: another machine shape or firmware"
        case MeaningKind.BOOT_ORDER:
            known = len(meaning.names) == 2  # noqa: PLR2004 - as it is, as predicted
            orders = f": it is {names[0]}, predicted was {names[1]}" if known else ""
            return f"the boot order differs{orders}{_disks(meaning)}"
        case MeaningKind.BOOT_ENTRY:
            known = len(meaning.names) == 4  # noqa: PLR2004 - its place, its name, what it says
            says = f": {names[1]} is {names[2]} at {names[3]}" if known else ""
            return f"boot entry {names[0]} differs{says}{_disks(meaning)}"
        case MeaningKind.PARTITION_TABLE:
            known = len(meaning.names) == 2  # noqa: PLR2004 - as it is, as predicted
            tables = f"{names[0]} instead of {names[1]}" if known else "another disk GUID, size, or partition"
            return f"the partition table differs: {tables}"
        case kind:
            return _PLAIN[kind].format(*names)


def _secure_boot_variable(names: tuple[str, ...]) -> str:
    if not names:
        return "a Secure Boot variable differs"
    what = _KEYS.get(names[0])
    return f"Secure Boot variable {names[0]} differs" + (f": {what}" if what else "")


def _disks(meaning: Meaning) -> str:
    if not meaning.disks:
        return ""
    return f"; the VM has {_COUNTS.get(meaning.disks, f'{meaning.disks} NVMe disks')}"
