"""What a guest measures of what it is given to run: RTMR3 of a TD, PCR 15 of a TPM (docs/app-identity.md).

An image that measures says so in its os-release, which is a section of the UKI, so that it is in PCR 4, PCR 11 and RTMR1. Of no other
image is anything predicted: what its registers hold, the apps themselves could have chosen.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError, UnsupportedInputError
from teekit_verify.core.frozen import frozen
from teekit_verify.documents import model
from teekit_verify.documents.register_values import register_value
from teekit_verify.prediction.platforms.azure import AZURE
from teekit_verify.registers.measured import (
    FORMAT,
    TD_REGISTER,
    TPM_REGISTER,
    Measured,
    app_content,
    measured_event,
)
from teekit_verify.registers.registers import RegisterKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from teekit_verify.artifacts.uki import UnifiedKernelImage
    from teekit_verify.documents.app_manifest import Manifest
    from teekit_verify.registers.events import Event
    from teekit_verify.registers.registers import Register

OPEN = "decided by what the machine is given to run: give --manifest"
_MARK = re.compile(r"^TEEKIT_MEASURES_APPS=(\"?)1\1$", re.MULTILINE)


@frozen
class GivenApps:
    """What a machine is given: manifest i is for kettle i. `hostnames` are None where any will do."""

    manifests: tuple[Manifest, ...]
    hostnames: tuple[str, ...] | None = ()


def measures_apps(uki: UnifiedKernelImage) -> bool:
    """Whether the image measures what it runs before any of it starts."""
    return bool(_MARK.search(uki.text(".osrel") or ""))


def predict_events(register: Register, given: GivenApps) -> tuple[Event, ...]:
    """Every app starts, and the hostnames are these. (The guest is then as wanted; one that differs has other events.)"""
    return tuple(
        measured_event(register, kind, content, description, cause)
        for kind, content, description, cause in _measured(given)
    )


def predict_contents(given: GivenApps) -> tuple[tuple[Measured, bytes], ...]:
    """Of the same events, what they measure; without hostnames where any will do."""
    return tuple((kind, content) for kind, content, _, _ in _measured(given))


def _measured(given: GivenApps) -> Iterator[tuple[Measured, bytes, str, str]]:
    for index, manifest in enumerate(given.manifests):
        yield Measured.MANIFEST, manifest.content, f"manifest {index}", f"manifest {index}"
    for index, manifest in enumerate(given.manifests):
        content = app_content(index, manifest.sha256)
        yield Measured.APP, content, f"app {index}, sha256 {manifest.sha256.hex}", f"app of manifest {index}"
    names = ",".join(given.hostnames or ())
    yield Measured.HOSTNAMES, names.encode("ascii"), f"hostnames {names or '(none)'}", "hostnames"
    yield Measured.CLOSED, b"", "closed: nothing more is measured", "the guest"


def with_given_apps(
    platforms: Mapping[str, Mapping[Register, model.RegisterValue]], given: GivenApps | None
) -> dict[str, dict[Register, model.RegisterValue]]:
    """The platforms of an image that measures, each with the registers that it measures into; open without `given`."""
    return {
        name: dict(registers) | {register: _value(register, given) for register in registers_of(name, registers)}
        for name, registers in platforms.items()
    }


def registers_of(platform: str, registers: Mapping[Register, object]) -> tuple[Register, ...]:
    """Above Azure's paravisor there is only the TPM: its TD is not the guest's to extend."""
    kinds = {register.kind for register in registers}
    of_td = RegisterKind.RTMR in kinds and not AZURE.is_called(platform.partition("/")[0])
    return ((TD_REGISTER,) if of_td else ()) + ((TPM_REGISTER,) if RegisterKind.PCR in kinds else ())


def _value(register: Register, given: GivenApps | None) -> model.RegisterValue:
    if given is None:
        return model.RegisterValue(None, OPEN, ())
    return register_value(register, predict_events(register, given))


def apps_of(given: GivenApps | None, label: str = "given") -> model.Apps:
    """As it stands in documents about an image that measures."""
    if given is None or not given.manifests:
        return model.Apps(FORMAT)
    contents = tuple(manifest.content for manifest in given.manifests)
    return model.Apps(FORMAT, (model.GivenSet(label, contents, given.hostnames),))


def accepting(reference: model.Reference, given: GivenApps, label: str) -> model.Reference:
    """The reference, of machines that are given this and nothing else. Raises TeekitError where the image does not measure that."""
    _require_apps(reference)
    return replace(reference, apps=apps_of(given, label))


def also_accepting(reference: model.Reference, given: GivenApps, label: str) -> model.Reference:
    """The reference, also of machines that are given this. Raises TeekitError where the image does not measure that, and for a label that
    is taken, or a set that is there.
    """
    before, added = _require_apps(reference), apps_of(given, label).acceptable
    for item in before.acceptable:
        if item.label == label:
            raise TeekitError(f"the reference has a set of apps '{label}' already", hint="Choose another --label.")
        if any((item.manifests, item.hostnames) == (new.manifests, new.hostnames) for new in added):
            raise TeekitError(f"the reference accepts these apps already, as '{item.label}'", hint="Leave them out.")
    return replace(reference, apps=replace(before, acceptable=before.acceptable + added))


def _require_apps(reference: model.Reference) -> model.Apps:
    if reference.apps is None:
        raise UnsupportedInputError(
            "this image does not measure what it runs: a reference cannot say which app it is",
            hint="Leave --manifest out.",
        )
    return reference.apps


def acceptable(apps: model.Apps) -> tuple[GivenApps, ...]:
    """What a document says that a machine may be given."""
    return tuple(GivenApps(item.parsed, item.hostnames) for item in apps.acceptable)
