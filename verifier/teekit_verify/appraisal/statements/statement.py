"""Statements of auditors: in-toto Statement v1, signed in DSSE envelopes, one JSON Lines file per auditor.

The file has two lines: what was built from what (SLSA provenance v1, of build A), and the verdict, a predicate of our own
that docs/statements.md describes. Only the verdict votes. There is no time in it: the same report and key give the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, Field

from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.documents import codec, fields, model
from teekit_verify.documents.rebuilt_packages import RebuiltCounts  # noqa: TC001 - pydantic reads the annotations
from teekit_verify.reference.signing import bundle, dsse

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE: Literal["https://in-toto.io/Statement/v1"] = "https://in-toto.io/Statement/v1"
VERDICT_TYPE: Literal["tag:teekit-verify,2026:rebuild-verdict/v1"] = "tag:teekit-verify,2026:rebuild-verdict/v1"
PROVENANCE_TYPE = "https://slsa.dev/provenance/v1"
SCOPE = (
    "Both builds ran on one host of one auditor. Alone, this statement shows no independence; "
    "only agreeing statements of several auditors do."
)
ATTESTABLE = (Verdict.REPRODUCED, Verdict.UNREFERENCED, Verdict.MISMATCH)
"""Of a rebuild with another verdict there are no artifacts that are anybody's result."""
_MAX_LINES = 2

_STRICT = ConfigDict(extra="forbid", strict=True)
AuditorName = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$")]


@dataclass(frozen=True, slots=True)
class SubjectDigest:
    """The only algorithm of subjects here."""

    __pydantic_config__: ClassVar = _STRICT
    sha256: fields.Sha256


@dataclass(frozen=True, slots=True)
class Subject:
    """An artifact, as an in-toto ResourceDescriptor."""

    __pydantic_config__: ClassVar = _STRICT
    name: fields.Name
    digest: SubjectDigest


Subjects = Annotated[
    tuple[Subject, ...], Field(min_length=1, max_length=1000), fields.unique(lambda subject: subject.name, "subject")
]


@dataclass(frozen=True, slots=True)
class ReferenceNamed:
    """The reference file that the rebuild was compared with."""

    __pydantic_config__: ClassVar = _STRICT
    release: fields.Name
    commit: fields.Commit | None
    sha256: fields.Sha256


@dataclass(frozen=True, slots=True)
class Independence:
    """What an auditor says of where and by whom the rebuild was run, to be weighed by readers: nothing here checks it.

    `country` is a code of ISO 3166-1, two letters; None where nothing is said.
    """

    __pydantic_config__: ClassVar = _STRICT
    operator: fields.Name | None
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")] | None
    provider: fields.Name | None


@dataclass(frozen=True, slots=True)
class Predicate:
    """The verdict of one auditor's rebuild. `registers` are the predicted values; null where the artifacts do not decide one.

    `packages` is what rebuilders of the distribution said of those that went in, and plays no part in the verdict.
    """

    __pydantic_config__: ClassVar = _STRICT
    auditor: AuditorName
    tool_version: fields.Name
    verdict: Verdict
    reasons: Annotated[tuple[fields.Text, ...], Field(max_length=1000)]
    scope: fields.Text
    image: fields.Name
    profiles: Annotated[tuple[fields.Name, ...], Field(max_length=64)]
    commit: fields.Commit | None
    inputs_sha256: fields.Sha256
    environment: model.Environment
    reference: ReferenceNamed | None
    registers: Annotated[
        dict[
            fields.PlatformName,
            Annotated[dict[fields.RegisterName, fields.BankDigests | None], Field(max_length=64), fields.SORTED],
        ],
        Field(max_length=64),
        fields.SORTED,
    ]
    independence: Independence | None = None
    packages: RebuiltCounts | None = None


def _consistent(predicate: Predicate) -> Predicate:
    if predicate.verdict not in ATTESTABLE:
        raise ValueError(f"the verdict {predicate.verdict.value} cannot be attested")
    if (predicate.reference is None) != (predicate.verdict is Verdict.UNREFERENCED):
        raise ValueError(f"the verdict {predicate.verdict.value} does not fit this 'reference'")
    if predicate.verdict is Verdict.MISMATCH and not predicate.reasons:
        raise ValueError("the verdict MISMATCH needs reasons")
    if predicate.scope != SCOPE:
        raise ValueError(
            "'scope' must say, in the words of docs/statements.md, that this is not an independent rebuild"
        )
    return predicate


@dataclass(frozen=True, slots=True)
class Statement:
    """An in-toto Statement whose predicate is a verdict."""

    __pydantic_config__: ClassVar = _STRICT
    type: Annotated[Literal["https://in-toto.io/Statement/v1"], Field(alias="_type")]
    subject: Subjects
    predicate_type: Annotated[Literal["tag:teekit-verify,2026:rebuild-verdict/v1"], Field(alias="predicateType")]
    predicate: Annotated[Predicate, AfterValidator(_consistent), fields.left_out_if_empty("independence", "packages")]


def read_file(data: bytes, where: str) -> tuple[dsse.Envelope, ...]:
    """The envelopes of an auditor's file, unverified; the payloads are not looked at. Raises TeekitError.

    Each line is an envelope, or a Sigstore bundle with one; or the whole file is one of these, written over several lines.
    One signature in each: a second signer of a statement has rebuilt nothing, and would be a vote too many.
    """
    lines = data.splitlines()
    if not lines:
        raise TeekitError(f"{where}: is empty", hint="Fetch the statement again.")
    if len(lines) > 1 and not lines[0].rstrip().endswith(b"}"):  # where JSON Lines have their first object whole
        return (_envelope(data, where),)
    if len(lines) > _MAX_LINES:
        raise TeekitError(f"{where}: has more than {_MAX_LINES} lines, so it is not the statement of one auditor")
    return tuple(_envelope(line, f"{where}, line {number}") for number, line in enumerate(lines, start=1))


def _envelope(data: bytes, where: str) -> dsse.Envelope:
    envelope = bundle.parse(data, where)
    if envelope.payload_type != PAYLOAD_TYPE:
        found = printable(envelope.payload_type[:80])
        raise TeekitError(f"{where}: is not a statement: its payload type is '{found}'")
    if len(envelope.signatures) != 1:
        raise TeekitError(
            f"{where}: has {len(envelope.signatures)} signatures: a statement is one auditor's",
            hint="Ask each auditor for a statement of their own.",
        )
    return envelope


def read_verdict(payload: bytes, where: str) -> Statement:
    """The statement in a verified payload. Raises TeekitError with the JSON path of the offending field."""
    plain = codec.bounded_json(payload, where)
    if not isinstance(plain, dict) or plain.get("_type") != STATEMENT_TYPE:
        raise TeekitError(f"{where}: is not an in-toto statement v1")
    if plain.get("predicateType") != VERDICT_TYPE:
        raise TeekitError(f"{where}: is not the verdict of a rebuild: its predicate type is '{_kind(plain)}'")
    return codec.validate(Statement, payload, where)


def _kind(plain: dict[str, object]) -> str:
    return printable(str(plain.get("predicateType"))[:80])


def verdict_of(envelopes: tuple[dsse.Envelope, ...], where: str) -> Statement:
    """The one verdict among the verified envelopes of a file; a provenance beside it must be about the same artifacts."""
    verdicts, others = [], []
    for envelope in envelopes:
        plain = codec.bounded_json(envelope.payload, where)
        if isinstance(plain, dict) and plain.get("predicateType") == PROVENANCE_TYPE:
            others.append(plain.get("subject"))
        else:
            verdicts.append(read_verdict(envelope.payload, where))
    if len(verdicts) != 1:
        raise TeekitError(f"{where}: expected the verdict of one rebuild, found {len(verdicts)}")
    (verdict,) = verdicts
    expected = [{"name": item.name, "digest": {"sha256": item.digest.sha256.hex}} for item in verdict.subject]
    if any(subject != expected for subject in others):
        raise TeekitError(f"{where}: its provenance is about other artifacts than its verdict")
    return verdict
