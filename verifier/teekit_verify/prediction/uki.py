"""Predicts the boot of a UKI from disk: the event log of each register the UKI and its disk decide.

What is assumed: the first boot option starts the UKI; the firmware is edk2 from edk2-stable202411 on; nothing lies
beside the UKI on the ESP that the stub would pick up but the given files, and the boot option passes no command line of its own, only
the number of a profile. A boot where that does not hold gives other values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.artifacts.gpt import GuidPartitionTable, NoTable
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.frozen import frozen
from teekit_verify.prediction.companions import CONFIG_PCR, EXTENSIONS_PCR
from teekit_verify.prediction.hashing import DigestTable, Message, digest_messages
from teekit_verify.prediction.linux import KernelBehaviour, kernel_behaviour
from teekit_verify.prediction.linux_events import Tags, linux_tags
from teekit_verify.prediction.stub import stub_view
from teekit_verify.prediction.stub_machine import ANY_MACHINE, StubMachine
from teekit_verify.prediction.uki_events import (
    Draft,
    StubEvent,
    ev_efi_action,
    ev_efi_addon,
    ev_efi_boot_services_application,
    ev_efi_gpt_event,
    ev_event_tag_addon,
    ev_event_tag_profile,
    ev_ipl_addon_cmdline,
    ev_ipl_archive,
    ev_ipl_section,
    ev_separator,
    event_of,
)
from teekit_verify.registers.registers import pcr, rtmr
from teekit_verify.registers.replay import replay

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from teekit_verify.artifacts.companions import Companion
    from teekit_verify.artifacts.uki import UnifiedKernelImage
    from teekit_verify.prediction.stub import StubView
    from teekit_verify.registers.events import Event
    from teekit_verify.registers.registers import Register

_CALLING_EFI_APPLICATION = b"Calling EFI Application from Boot Option"
_EXIT_INVOCATION = b"Exit Boot Services Invocation"
_EXIT_SUCCEEDED = b"Exit Boot Services Returned with Success"
_KERNEL_PCR = 11


@frozen
class Alternative:
    """One log that is possible, with what it takes; `missing` says what of it is not known."""

    label: str
    events: tuple[Event, ...]
    missing: str = ""


@frozen
class Prediction:
    """The predicted event log of one register. `missing` names the events that the given artifacts do not decide.

    `alternatives` are the whole logs that are possible; then `missing` says so.
    """

    register: Register
    events: tuple[Event, ...]
    missing: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()

    def value(self, algorithm: Algorithm) -> Digest:
        """The register after ExitBootServices. Raises TeekitError if an event is missing or the bank does not exist."""
        if self.missing:
            raise TeekitError(
                f"{self.register} cannot be predicted: {'; '.join(self.missing)}",
                hint="Give what is missing, or compare only the events that are known.",
            )
        if algorithm not in self.register.algorithms:
            raise TeekitError(f"{self.register} has no {algorithm.value} bank")
        return replay(self.events, algorithm).get(self.register, Digest.zero(algorithm))


@frozen
class _Plan:
    """What is measured into one register: `drafts`, then one of `ends` if there are any."""

    register: Register
    drafts: list[Draft]
    missing: tuple[str, ...] = ()
    ends: tuple[Tags, ...] = ()
    decides: str = ""


def predict_uki(
    uki: UnifiedKernelImage,
    gpt: GuidPartitionTable | NoTable | None = None,
    *,
    vtpm: bool,
    secure_boot: bool = False,
    profile: int = 0,
    companions: Sequence[Companion] = (),
    machine: StubMachine = ANY_MACHINE,
    only: Collection[Register] | None = None,
) -> tuple[Prediction, ...]:
    """PCR 4, 5, 9, 11, 12, 13 of a guest with a vTPM, and RTMR1, RTMR2 of a TDX guest (with a vTPM beside it, or not).

    Raises UnsupportedInputError if the stub's or the kernel's measuring is not known. Without `gpt`, PCR 5 and RTMR1
    are incomplete; of a disk that has none, nothing is measured there. PCR 4 and 5 are those of firmware that measures to the vTPM: edk2 measures images and GPT to the
    CC registers only, where it has both. With `only`, these registers alone are predicted, and no more is hashed than they need.

    With Secure Boot on, stubs up to 257 replace the firmware's check of the kernel they carry (src/boot/secure-boot.c,
    install_security_override(): "If not running in secure boot [...] nothing happens"), and with it the measurement.
    """
    view = stub_view(uki, profile, companions)
    kernel = kernel_behaviour(view.kernel_release())
    images = _images(view, secure_boot=secure_boot)
    table = [ev_efi_gpt_event(gpt)] if isinstance(gpt, GuidPartitionTable) else []
    no_gpt = () if gpt is not None else ("EV_EFI_GPT_EVENT: the GPT of the boot disk was not given",)
    exits = [ev_efi_action(_EXIT_INVOCATION), ev_efi_action(_EXIT_SUCCEEDED)]
    start = [ev_efi_action(_CALLING_EFI_APPLICATION), ev_separator()]
    of_stub = _stub_events(view)
    plans = [
        _Plan(pcr(4), start + images),
        _Plan(pcr(5), [ev_separator(), *table, *exits], no_gpt),
        _of_linux(pcr(9), [], view, machine, measures=kernel.measures_to_tcg2),
        *(
            _Plan(pcr(index), [event.draft for event in of_stub if event.pcr_index == index])
            for index in (_KERNEL_PCR, CONFIG_PCR, EXTENSIONS_PCR)
        ),
        _Plan(rtmr(1), [*start, *table, *images, *exits], no_gpt),
        _rtmr2(of_stub, kernel, view, machine, vtpm=vtpm),
    ]
    return _predictions(uki, [plan for plan in plans if only is None or plan.register in only])


def _images(view: StubView, *, secure_boot: bool) -> list[Draft]:
    images = [ev_efi_boot_services_application(view, None), *map(ev_efi_addon, view.beside.addons)]
    if view.behaviour.firmware_loads_kernel and not secure_boot:
        images.append(ev_efi_boot_services_application(view, view.linux))
    return images


def _stub_events(view: StubView) -> list[StubEvent]:
    """In the order in which the stub measures (stub.c, run())."""
    addons = view.beside.addons
    return [
        *([ev_event_tag_profile(view.profile)] if view.profile else []),
        *(StubEvent(_KERNEL_PCR, draft) for section in view.measured for draft in ev_ipl_section(view, section)),
        *map(ev_ipl_addon_cmdline, view.beside.cmdlines),
        *map(ev_ipl_archive, view.beside.archives),
        *(ev_event_tag_addon(addon, ucode=True) for addon in reversed(addons) if addon.ucode),
        *(ev_event_tag_addon(addon, ucode=False) for addon in addons if addon.initrd),
    ]


def _of_linux(
    register: Register, drafts: list[Draft], view: StubView, machine: StubMachine, *, measures: bool | None
) -> _Plan:
    if measures is None:
        return _Plan(register, drafts, ("EV_EVENT_TAG of the kernel: what its version measures is not known",))
    if not measures:
        return _Plan(register, drafts)
    tags = linux_tags(view, machine)
    if len(tags) == 1:
        missing = (tags[0].missing,) if tags[0].missing else ()
        return _Plan(register, [*drafts, *tags[0].drafts], missing)
    return _Plan(
        register, drafts, (), tags, f"depends on what systemd-stub {view.uki.stub_version.text} takes from the machine"
    )


def _rtmr2(
    of_stub: list[StubEvent], kernel: KernelBehaviour, view: StubView, machine: StubMachine, *, vtpm: bool
) -> _Plan:
    """Linux measures there where it finds no TPM. Before 6.9 it may have its vendor's backport of that, or not."""
    behaviour = view.behaviour
    drafts = [
        event.draft for event in of_stub if behaviour.measures_to_cc and (behaviour.tags_to_cc or not event.tagged)
    ]
    if vtpm:
        return _Plan(rtmr(2), drafts)
    if not kernel.vendor_decides:
        return _of_linux(rtmr(2), drafts, view, machine, measures=kernel.measures_to_cc)
    tags = linux_tags(view, machine)
    if any(tag.missing and not tag.drafts for tag in tags):
        return _Plan(rtmr(2), drafts, (tags[-1].missing,))
    backport = "the kernel measures command line and initrd, by its vendor's backport"
    with_backport = tuple(
        Tags(f"{backport}; {tag.label}" if tag.label else backport, tag.drafts, tag.missing) for tag in tags
    )
    upstream = Tags("the kernel measures nothing, as upstream", ())
    return _Plan(rtmr(2), drafts, (), (upstream, *with_backport), "before Linux 6.9 its vendor decides")


def _predictions(uki: UnifiedKernelImage, plans: Sequence[_Plan]) -> tuple[Prediction, ...]:
    wanted: dict[Message, set[Algorithm]] = {}
    for plan in plans:
        for draft in (*plan.drafts, *(draft for end in plan.ends for draft in end.drafts)):
            wanted.setdefault(draft.message, set()).update(plan.register.algorithms)
    digests = digest_messages(uki.data, wanted)
    return tuple(_prediction(plan, digests) for plan in plans)


def _prediction(plan: _Plan, digests: DigestTable) -> Prediction:
    events = tuple(event_of(plan.register, draft, digests) for draft in plan.drafts)
    if not plan.ends:
        return Prediction(plan.register, events, plan.missing)
    alternatives = tuple(_alternative(plan.register, events, end, digests) for end in plan.ends)
    missing = f"EV_EVENT_TAG of the kernel: {plan.decides}: one of {len(alternatives)} alternatives"
    return Prediction(plan.register, events, (missing,), alternatives)


def _alternative(register: Register, before: tuple[Event, ...], end: Tags, digests: DigestTable) -> Alternative:
    if end.missing and not end.drafts:
        return Alternative(end.label, (), end.missing)
    tags = tuple(event_of(register, draft, digests) for draft in end.drafts)
    return Alternative(end.label, before + tags, end.missing)
