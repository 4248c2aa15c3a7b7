"""What an honest guest may hold besides the published value of a register: the same boot, and a state that is known.

Rules. PCR 11: systemd-pcrphase extends it by the phases that the system has reached (systemd, units/systemd-pcrphase*.service.in; the
string without NUL), from enter-initrd on, or from sysinit on where there is no initrd. RTMR2: a kernel may extend it by IMA's list, which
then has to be given, whole, and to lead exactly to the quoted value; no entry may be what something else can have measured. PCR 4, RTMR1: with Secure Boot on, systemd-stub up to 257 loads the kernel
past the firmware (src/boot/efi/linux.c and shim.c, security override), and nothing measures it by itself.
Non-rules: the kernel is never left out unless it is a section of the UKI that was measured before it, whose digest covers it.
"""

from __future__ import annotations

from enum import Enum
from itertools import accumulate
from typing import TYPE_CHECKING

from teekit_verify.appraisal.facts import LaterState, StateKind
from teekit_verify.appraisal.replayed import Continued, ReplayedLog, continued
from teekit_verify.core.digest import Digest
from teekit_verify.core.frozen import frozen
from teekit_verify.evidence.event_text import TextStatus, text_statuses
from teekit_verify.evidence.loadoption import variable_of
from teekit_verify.registers.events import EventType
from teekit_verify.registers.registers import Register, pcr, rtmr
from teekit_verify.registers.replay import extend, replay

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from teekit_verify.documents.model import PredictedEvent, ReferenceRegister, RegisterValue
    from teekit_verify.evidence.eventlog import EventLog

PHASES = ("enter-initrd", "leave-initrd", "sysinit", "ready", "shutdown", "final")
_WITHOUT_INITRD = PHASES[2:]
_PHASE_REGISTER, _IMA_REGISTER = pcr(11), rtmr(2)
_KERNEL_REGISTERS = (pcr(4), rtmr(1))
_UKI, _KERNEL = "UKI", "UKI section .linux"
"""`PredictedEvent.cause` of the UKI and of the kernel in it."""


class SecureBoot(Enum):
    """Whether it is on in the guest; EITHER: both are fine."""

    ON = "on"
    OFF = "off"
    EITHER = "either"


@frozen
class GuestState:
    """A register whose quoted value is `boot`, but for what `later` says. `boot` is the value to be compared with the reference."""

    register: Register
    boot: Digest
    later: LaterState

    @property
    def is_extended(self) -> bool:
        """Whether the quoted value came after `boot`: a log of the boot then leads to `boot`, and else to the quoted value."""
        return self.later.state is not StateKind.SECURE_BOOT


def known_states(
    quoted: Mapping[Register, Digest],
    published: Mapping[Register, ReferenceRegister],
    log: ReplayedLog | None,
    ima: Continued | None,
    secure_boot: SecureBoot | None,
) -> tuple[GuestState, ...]:
    """Of the registers that do not hold a published value as it is, those whose difference is explained. What `log` leads to is a
    value of the boot as well: whether it is the right one is asked later. `ima`: see `continued_by_ima`.
    """
    found = []
    for register, value in quoted.items():
        bases, logged = _published(register, value, published), _logged(register, value, log)
        if value in bases:
            continue
        states = [_by_secure_boot(register, value, published, secure_boot)]
        if value not in logged:
            states += [_by_phases(register, value, bases + logged), _by_ima(register, value, bases + logged, ima)]
        found += [state for state in states if state is not None][:1]
    return tuple(found)


def _published(register: Register, value: Digest, published: Mapping[Register, ReferenceRegister]) -> list[Digest]:
    """The published values, in the bank of the quoted one."""
    reference = published.get(register)
    found = [it.register.value(value.algorithm) for it in reference.acceptable] if reference is not None else []
    return [digest for digest in found if digest is not None]


def _logged(register: Register, value: Digest, log: ReplayedLog | None) -> list[Digest]:
    """What the log of the boot leads to, in the same bank; nothing if it cannot say."""
    digest = log.value(register, value.algorithm) if log is not None else None
    return [] if digest is None else [digest]


def continued_by_ima(
    quoted: Mapping[Register, Digest],
    published: Iterable[Mapping[Register, ReferenceRegister]],
    log: ReplayedLog | None,
    ima: EventLog | None,
) -> Continued | None:
    """Where the list leads to the quoted value from: asked once for all platforms, as each has its values, and the list may be long.

    None without a list. Raises UnsupportedInputError.
    """
    value = quoted.get(_IMA_REGISTER)
    if value is None or ima is None:
        return None
    starts = [base for platform in published for base in _published(_IMA_REGISTER, value, platform)]
    starts += [*_logged(_IMA_REGISTER, value, log), Digest.zero(value.algorithm)]
    return continued(ima, _IMA_REGISTER, value, starts)


def _by_phases(register: Register, value: Digest, bases: Sequence[Digest]) -> GuestState | None:
    if register != _PHASE_REGISTER:
        return None
    for base in bases:
        for names in (PHASES, _WITHOUT_INITRD):
            measured = (Digest.of(value.algorithm, name.encode()) for name in names)
            steps = list(accumulate(measured, extend, initial=base))
            if value in steps[1:]:
                reached = names[: steps.index(value)]
                return GuestState(register, base, LaterState(StateKind.PHASES, reached))
    return None


def _by_ima(register: Register, value: Digest, bases: Sequence[Digest], ima: Continued | None) -> GuestState | None:
    if register != _IMA_REGISTER or ima is None:
        return None
    base = next((it for it in (*bases, Digest.zero(value.algorithm)) if it in ima.reached), None)
    if base is None:
        return None
    return GuestState(register, base, LaterState(StateKind.IMA, entries=ima.reached[base], listed=ima.listed))


def _by_secure_boot(
    register: Register, value: Digest, published: Mapping[Register, ReferenceRegister], secure_boot: SecureBoot | None
) -> GuestState | None:
    if register not in _KERNEL_REGISTERS or secure_boot not in {SecureBoot.ON, SecureBoot.EITHER}:
        return None
    reference = published.get(register)
    for item in reference.acceptable if reference is not None else ():
        base = item.register.value(value.algorithm)
        if base is not None and _without_kernel(item.register, register, value) == value:
            return GuestState(register, base, LaterState(StateKind.SECURE_BOOT))
    return None


def _without_kernel(published: RegisterValue, register: Register, value: Digest) -> Digest | None:
    """None unless the events have exactly one kernel, right behind the UKI that it is a section of."""
    kernels = [number for number, event in enumerate(published.events) if _is_image(event, _KERNEL)]
    if len(kernels) != 1 or kernels[0] == 0 or not _is_image(published.events[kernels[0] - 1], _UKI):
        return None
    events = list(published.as_events(register))
    del events[kernels[0]]
    return replay(events, value.algorithm).get(register)


def _is_image(event: PredictedEvent, cause: str) -> bool:
    return event.type == EventType.EV_EFI_BOOT_SERVICES_APPLICATION and event.cause == cause


def logged_secure_boot(log: EventLog | None) -> SecureBoot | None:
    """What the log's variable says, if its digest covers that. The log has to lead to the quoted registers, which others check."""
    for event, status in zip(log.events, text_statuses(log.events), strict=True) if log is not None else ():
        variable = variable_of(event) if event.event_type == EventType.EV_EFI_VARIABLE_DRIVER_CONFIG else None
        if variable is not None and variable.name == "SecureBoot" and status is TextStatus.VERIFIED:
            return SecureBoot.ON if variable.content == b"\1" else SecureBoot.OFF
    return None


def reported_secure_boot(configuration: Mapping[str, str]) -> SecureBoot | None:
    """What Azure's paravisor reports of its machine (HCL report, `vm-configuration`)."""
    return {"true": SecureBoot.ON, "false": SecureBoot.OFF}.get(configuration.get("secure-boot", "").lower())
