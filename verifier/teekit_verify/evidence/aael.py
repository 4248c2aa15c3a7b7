"""The Attestation Agent's event log as text, which older agents keep beside the CCEL (`aa_eventlog`); newer ones append to the CCEL.

confidential-containers/trustee, kbs/docs/confidential-containers-eventlog.md: a line INIT with the register's value, then a line of domain,
operation and content for each event, whose digest extends PCR 17: in a TD RTMR3 (guest-components, attester, pcr_to_ccmr).
"""

from __future__ import annotations

import re

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError, printable
from teekit_verify.evidence.describe import CEL_TEXT_EVENT
from teekit_verify.evidence.eventlog import EventLog, LogKind
from teekit_verify.registers.events import Event
from teekit_verify.registers.registers import rtmr

_WHAT = "Attestation Agent's event log"
_INIT = re.compile(rb"INIT[/ ](sha384)[ /]([0-9a-fA-F]{96})")
_MAX_EVENTS, _SHOWN_CHARACTERS = 100_000, 120
_REGISTER = rtmr(3)


def is_aael(data: bytes) -> bool:
    """Whether the first line is INIT with a SHA-384 value."""
    return _INIT.fullmatch(data[:256].split(b"\n")[0].strip()) is not None


def parse_aael(data: bytes) -> EventLog:
    """Raises MalformedInputError; UnsupportedInputError for a log that others extended the register before."""
    first, *lines = data.rstrip(b"\n").split(b"\n")
    match = _INIT.fullmatch(first.strip())
    if match is None:
        raise MalformedInputError(_WHAT, field="INIT", offset=0, problem="expected a line INIT with a SHA-384 value")
    if match[2].strip(b"0"):
        raise UnsupportedInputError(f"the {_WHAT} begins behind other events, which it does not have")
    if len(lines) > _MAX_EVENTS:
        raise MalformedInputError(_WHAT, field="lines", offset=0, problem=f"more than {_MAX_EVENTS}")
    return EventLog(
        LogKind.CCEL,
        (Algorithm.SHA384,),
        tuple(_event(line) for line in lines),
        len(data),
        has_runtime_events=True,
        has_boot_events=False,
    )


def _event(line: bytes) -> Event:
    """Its digest follows from its text, so that the text is what led to the register, or the register is another one."""
    words = printable(line.decode("utf-8", "replace"))[:_SHOWN_CHARACTERS]
    return Event(_REGISTER, CEL_TEXT_EVENT, (Digest.of(Algorithm.SHA384, line),), f'"{words}"', data=line)
