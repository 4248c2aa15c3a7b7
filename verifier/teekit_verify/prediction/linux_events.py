"""What the EFI stub of Linux measures of a UKI's boot, with each that is possible where systemd-stub takes something from the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.frozen import frozen
from teekit_verify.prediction.stub_machine import CONSOLES, NONE
from teekit_verify.prediction.uki_events import Draft, ev_event_tag_linux_initrd, ev_event_tag_load_options

if TYPE_CHECKING:
    from teekit_verify.prediction.stub import StubView
    from teekit_verify.prediction.stub_machine import StubMachine

_NO_CMDLINE = "LOADED_IMAGE::LoadOptions: the UKI has no .cmdline, the boot option decides"


@frozen
class Tags:
    """The events of one possible boot, with what it takes, and what of them is not known."""

    label: str
    drafts: tuple[Draft, ...]
    missing: str = ""


def linux_tags(view: StubView, machine: StubMachine) -> tuple[Tags, ...]:
    """At least one; several only where the machine decides."""
    if view.load_options() is None:
        return (Tags("", (), _NO_CMDLINE),)
    consoles: tuple[str, ...] = (NONE,)
    if view.open_console():
        consoles = CONSOLES if machine.console is None else (machine.console,)
    known = tuple(_tags(view, console, labelled=len(consoles) > 1) for console in consoles)
    if not view.behaviour.adds_of_the_machine or machine.no_secret or _loads_no_initrd(view):
        return known
    with_it = "a boot secret of the machine's firmware is in the initrd"
    without = tuple(
        Tags("; ".join(filter(None, (tag.label, "no boot secret"))), tag.drafts, tag.missing) for tag in known
    )
    return (*without, Tags(with_it, (), f"Linux initrd: {with_it}"))


def _tags(view: StubView, console: str, *, labelled: bool) -> Tags:
    options = view.load_options(console)
    assert options is not None  # noqa: S101 - linux_tags() asked
    label = "" if not labelled else f"console={console} is added" if console else "no console= is added"
    causes = ["UKI section .cmdline", *(["addons"] if view.beside.cmdlines else []), *(["machine"] if console else [])]
    drafts = [ev_event_tag_load_options(options, ", ".join(causes))]
    if _loads_no_initrd(view):
        return Tags(label, tuple(drafts), "Linux initrd: the command line says noinitrd")
    initrd = view.initrd()
    if initrd is not None:
        drafts.append(ev_event_tag_linux_initrd(initrd, _initrd_cause(view)))
    return Tags(label, tuple(drafts))


def _initrd_cause(view: StubView) -> str:
    handed = (".ucode", ".initrd", *dict(view.behaviour.packed))
    named = [name for name in handed if view.get(name)]
    if not named:
        return "files beside the UKI"
    sections = f"UKI section{'s'[: len(named) > 1]} {', '.join(named)}"
    beside = view.beside.archives or any(addon.initrd or addon.ucode for addon in view.beside.addons)
    return f"{sections}, and files beside the UKI" if beside else sections


def _loads_no_initrd(view: StubView) -> bool:
    options = view.load_options() or b""
    return "noinitrd" in options.decode("utf-16-le").rstrip("\0").split()
