"""Small documents for tests: one image, two platforms, three registers.

The digests of PCR4 are real: 7a94ffe8... is what a GCE VM's TPM log replays to (dstack, cc-eventlog/samples/tpm_eventlog.bin).
"""

from __future__ import annotations

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.documents import model
from teekit_verify.documents.create import create_reference
from teekit_verify.registers.registers import pcr, rtmr

ACTION_SHA256 = "3d6772b4f84ed47595d72a2c4c5ffd15f5bb72c7507fe26f2aaee2c69d5633ba"
ACTION_SHA384 = "77a0dab2312b4e1e57a84d865a21e5b2ee8d677a21012ada819d0a98988078d3d740f6346bfe0abaa938ca20439a8d71"
SEPARATOR_SHA256 = "df3f619804a92fdb4057192dc43dd748ea778adc52bc498ce80524c014b81119"
SEPARATOR_SHA384 = "394341b7182cd227c5c6b07ef8000cdfd86136c4292b8e576573ad7ed9ae41019f5818b4b971c9effc60e1ad9f1289f0"
PCR4_SHA256 = "7a94ffe8a7729a566d3d3c577fcb4b6b1e671f31540375f80eae6382ab785e35"
PCR4_SHA384 = "70bc457e087464760a8927d6312248dc117663410914ff8b1e42fd5dc91e16f5fe3f15ca64372d3e47af8b4c53b01df9"

EV_SEPARATOR, EV_IPL, EV_EFI_ACTION = 0x4, 0xD, 0x80000007


def sha256(text: str) -> Digest:
    return Digest.of(Algorithm.SHA256, text.encode())


def sha384(text: str) -> Digest:
    return Digest.of(Algorithm.SHA384, text.encode())


ACTION = model.PredictedEvent(
    EV_EFI_ACTION,
    (Digest.from_hex(Algorithm.SHA256, ACTION_SHA256), Digest.from_hex(Algorithm.SHA384, ACTION_SHA384)),
    "Calling EFI Application from Boot Option",
    "firmware",
)
SEPARATOR = model.PredictedEvent(
    EV_SEPARATOR,
    (Digest.from_hex(Algorithm.SHA256, SEPARATOR_SHA256), Digest.from_hex(Algorithm.SHA384, SEPARATOR_SHA384)),
    "separator",
    "firmware",
)
PCR4 = model.RegisterValue(
    (Digest.from_hex(Algorithm.SHA256, PCR4_SHA256), Digest.from_hex(Algorithm.SHA384, PCR4_SHA384)),
    "",
    (ACTION, SEPARATOR),
)


def section_event(name: str, content: str = "") -> model.PredictedEvent:
    text = content or f"bytes of {name}"
    return model.PredictedEvent(EV_IPL, (sha256(text), sha384(text)), f"section {name}", f"UKI section {name}")


def complete(*events: model.PredictedEvent) -> model.RegisterValue:
    """A register with both banks, with the values its events replay to."""
    values = []
    for position, bank in enumerate((Algorithm.SHA256, Algorithm.SHA384)):
        value = Digest.zero(bank)
        for event in events:
            value = Digest.of(bank, value.value + event.digests[position].value)
        values.append(value)
    return model.RegisterValue(tuple(values), "", events)


def only_sha384(event: model.PredictedEvent) -> model.PredictedEvent:
    return model.PredictedEvent(event.type, event.digests[1:], event.description, event.cause)


def incomplete(*events: model.PredictedEvent) -> model.RegisterValue:
    return model.RegisterValue(None, "the GPT of the disk is not known", tuple(only_sha384(event) for event in events))


PCR11 = complete(section_event(".linux"), section_event(".cmdline"), section_event(".initrd"))
RTMR1 = incomplete(ACTION, SEPARATOR)
UKI = model.Artifact("tdx-debian.efi", 1000, sha256("uki"))
MANIFEST = model.Artifact("tdx-debian.manifest", 20, sha256("manifest"))


def measurements(**changes: object) -> model.Measurements:
    fields: dict[str, object] = {
        "schema": model.MEASUREMENTS_SCHEMA,
        "tool_version": "0.1.0",
        "artifact": UKI,
        "stub_version": "257.9-1",
        "platforms": {"uefi-vtpm": {pcr(11): PCR11, pcr(4): PCR4}, "tdx": {rtmr(1): RTMR1}},
    }
    return model.Measurements(**(fields | changes))  # type: ignore[arg-type]


ENVIRONMENT = model.Environment(
    sha256("lock"), "sha256-" + "A" * 43 + "=", "/nix/store/00000000000000000000000000000000-teekit-build-env"
)


def package(name: str, version: str = "1.0-1", content: str = "") -> model.Package:
    return model.Package(name, version, "amd64", sha256(content or f"{name} {version}"))


def source(path: str, content: str = "", kind: model.SourceKind = model.SourceKind.FILE) -> model.SourceFile:
    return model.SourceFile(path, kind, sha256(content or path))


def inputs(**changes: object) -> model.Inputs:
    fields: dict[str, object] = {
        "image": "base",
        "profiles": ("debian-kernel",),
        "environment": ENVIRONMENT,
        "lock_sha256": sha256("lock"),
        "packages": (package("bash"), package("systemd", "257.9-1")),
        "source_files": (
            source("mkosi/base/mkosi.conf"),
            source("mkosi/base/mkosi.finalize", kind=model.SourceKind.EXECUTABLE),
        ),
    }
    return model.Inputs(**(fields | changes))  # type: ignore[arg-type]


def build(**changes: object) -> model.Build:
    fields: dict[str, object] = {"inputs": inputs(), "artifacts": (UKI, MANIFEST)}
    return model.Build(**(fields | changes))  # type: ignore[arg-type]


def reference() -> model.Reference:
    return create_reference(release="base-1", commit="a" * 40, build=build(), measurements=[measurements()])
