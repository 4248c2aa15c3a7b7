"""Makes the documents: a prediction becomes measurements, a rebuild's results become a reference."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.documents import codec, load, model
from teekit_verify.documents.inputs import in_order

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from teekit_verify.core.digest import Digest
    from teekit_verify.registers.registers import Register

LABEL = "rebuild"
"""The label of a reference's value that comes from a rebuild; other values are added by hand, with labels of their own."""


def require_measured_from(build: model.Build, measurements: Sequence[model.Measurements]) -> None:
    """Raises TeekitError for measurements of something else than what the build made."""
    made = {artifact.sha256 for artifact in build.artifacts}
    for document in measurements:
        if document.artifact.sha256 not in made:
            raise TeekitError(
                f"the measurements of {printable(document.artifact.name)} are not of a file that the rebuild made",
                hint="Measure a file in the report's folder `artifacts`.",
            )


def create_reference(
    *,
    release: str,
    commit: str | None,
    build: model.Build,
    measurements: Sequence[model.Measurements],
) -> model.Reference:
    """The reference of one finished, reproduced build: every register of which something is known has to match.

    `commit` is None for a tree with uncommitted changes. The measurements may come one for each platform.
    """
    return model.Reference(
        schema=model.REFERENCE_SCHEMA,
        release=release,
        commit=commit,
        inputs=in_order(build.inputs),
        artifacts=tuple(sorted(build.artifacts, key=lambda artifact: artifact.name)),
        platforms=published_platforms(measurements),
        apps=next((document.apps for document in measurements if document.apps is not None), None),
    )


def published_platforms(
    measurements: Sequence[model.Measurements],
) -> dict[str, dict[Register, model.ReferenceRegister]]:
    """Every predicted register of every platform, with the policy that what is known of it allows."""
    return {
        name: {register: reference_register(value) for register, value in registers.items()}
        for document in measurements
        for name, registers in document.platforms.items()
    }


def reference_register(value: model.RegisterValue) -> model.ReferenceRegister:
    """Alternatives that are all known are any-of; what is not known is written out as ignored, with the reason."""
    if value.alternatives:
        if all(item.register.banks for item in value.alternatives):
            return model.ReferenceRegister(model.Policy.ANY_OF, "", value.alternatives)
        return model.ReferenceRegister(model.Policy.IGNORE, f"{value.missing}, not all of them known", ())
    if not value.banks:
        return model.ReferenceRegister(model.Policy.IGNORE, value.missing, ())
    return model.ReferenceRegister(model.Policy.MATCH, "", (model.AcceptableValue(LABEL, value),))


def dump_reference(reference: model.Reference) -> bytes:
    """Deterministic bytes. Raises TeekitError for a reference that `load_reference` would refuse."""
    data = codec.dump(replace(reference, inputs=in_order(reference.inputs)))
    load.parse_reference(data, "the new reference")
    return data


def dump_measurements(measurements: model.Measurements) -> bytes:
    """Deterministic bytes. Raises TeekitError for measurements that `load_measurements` would refuse."""
    data = codec.dump(measurements)
    codec.parse(model.Measurements, model.MEASUREMENTS_SCHEMA, data, "the new measurements")
    return data


def dump_inputs(inputs: model.Inputs, served: Mapping[Digest, str] | None = None) -> bytes:
    """Deterministic bytes of `inputs.json`. Raises TeekitError for inputs that `load_inputs` would refuse."""
    by_digest = sorted((served or {}).items(), key=lambda item: item[0].hex)
    sources = tuple(model.ServedFile(digest, source) for digest, source in by_digest)
    document = model.InputsDocument(model.INPUTS_SCHEMA, in_order(inputs), sources)
    data = codec.dump_as(model.CheckedInputsDocument, document)
    codec.parse(model.InputsDocument, model.INPUTS_SCHEMA, data, "the new input record")
    return data
