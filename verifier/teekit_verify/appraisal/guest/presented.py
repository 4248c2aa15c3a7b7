"""What a guest presents: the registers that its evidence has, and the logs that are said to lead to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.appraisal.guest.eventlog import require_pcrs, require_rtmrs
from teekit_verify.core.frozen import frozen
from teekit_verify.registers.measured import TD_REGISTER, TPM_REGISTER
from teekit_verify.registers.registers import MRTD, RTMR_COUNT, Register, RegisterKind, rtmr

if TYPE_CHECKING:
    from collections.abc import Mapping

    from teekit_verify.appraisal.guest_states import SecureBoot
    from teekit_verify.core.digest import Digest
    from teekit_verify.evidence.eventlog import EventLog
    from teekit_verify.evidence.quote import Quote
    from teekit_verify.evidence.runtime_log import RuntimeLog


@frozen
class Presented:
    """The registers that evidence has, and the log that is said to lead to those of the kind `measured_into`.

    RTMR: the guest is measured by the TD itself, and every register of the quote has to be in the reference. PCR: the guest
    is measured into a TPM, above a `paravisor` or of a machine without a TDX quote; what the reference mentions is compared. `vouched_for` is whether
    somebody says that the TPM's key is the one that it should be; else the reference has to, by the paravisor's MRTD. `ima` is the list of what
    IMA measured after the boot, `secure_boot` whether that is on, as far as evidence or the caller says. `runtime` is the log of what
    it was given to run.
    """

    registers: Mapping[Register, Digest]
    measured_into: RegisterKind
    log: EventLog | None = None
    vouched_for: bool = True
    paravisor: bool = False
    ima: EventLog | None = None
    secure_boot: SecureBoot | None = None
    runtime: RuntimeLog | None = None

    @property
    def tells_apps(self) -> Register:
        """The register that the guest measures into what it was given to run."""
        return TD_REGISTER if self.measured_into is RegisterKind.RTMR else TPM_REGISTER

    @property
    def logged(self) -> dict[Register, Digest]:
        return {register: value for register, value in self.registers.items() if register.kind is self.measured_into}


def of_quote(quote: Quote, log: EventLog | None = None) -> Presented:
    """MRTD and the RTMRs. Raises TeekitError for a log that has no RTMRs."""
    if log is not None:
        require_rtmrs(log)
    registers = (MRTD, *map(rtmr, range(RTMR_COUNT)))
    return Presented({register: quote.report.value(register) for register in registers}, RegisterKind.RTMR, log)


def of_azure(quote: Quote, pcrs: Mapping[Register, Digest], log: EventLog | None, *, vouched_for: bool) -> Presented:
    """The vTPM's PCRs, and the TDX registers, which are the paravisor's. Raises TeekitError for a log that has no PCRs."""
    if log is not None:
        require_pcrs(log)
    registers = {**of_quote(quote).registers, **pcrs}
    return Presented(registers, RegisterKind.PCR, log, vouched_for, paravisor=True)


def of_tpm(pcrs: Mapping[Register, Digest], log: EventLog | None, *, vouched_for: bool, paravisor: bool) -> Presented:
    """PCRs alone, of a machine that has no TDX quote. Raises TeekitError for a log that has no PCRs."""
    if log is not None:
        require_pcrs(log)
    return Presented(pcrs, RegisterKind.PCR, log, vouched_for, paravisor)
