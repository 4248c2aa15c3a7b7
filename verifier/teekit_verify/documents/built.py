"""What a build made, and everything that it consumed: artifacts, and the inputs that `inputs.json` and references name."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, ClassVar, Literal

from teekit_verify.core.frozen import frozen
from teekit_verify.core.marks import ConfigDict, Field
from teekit_verify.documents import fields

INPUTS_SCHEMA: Literal["teekit-verify/inputs/v1"] = "teekit-verify/inputs/v1"

_STRICT = ConfigDict(extra="forbid", strict=True)
_MANY = Field(max_length=fields.MAX_ITEMS)


@frozen
class Artifact:
    """A file that a build made."""

    __pydantic_config__: ClassVar = _STRICT
    name: fields.Name
    size_bytes: fields.Size
    sha256: fields.Sha256


Artifacts = Annotated[tuple[Artifact, ...], _MANY, fields.unique(lambda artifact: artifact.name, "artifact")]


class SourceKind(Enum):
    """What a source file is, as git tells its kinds apart."""

    FILE = "file"
    EXECUTABLE = "executable"
    SYMLINK = "symlink"


@frozen
class SourceFile:
    """A file of the image's definition. `path` is relative to the repository; a symlink's digest is that of its target text."""

    __pydantic_config__: ClassVar = _STRICT
    path: fields.Path
    kind: SourceKind
    sha256: fields.Sha256


@frozen
class Package:
    """A package file the image was built from."""

    __pydantic_config__: ClassVar = _STRICT
    name: fields.Name
    version: fields.Name
    architecture: fields.Name
    sha256: fields.Sha256


@frozen
class Environment:
    """The pinned build environment: its lock, the digest of the NAR it gives and the store path that follows from that."""

    __pydantic_config__: ClassVar = _STRICT
    lock_sha256: fields.Sha256
    nar_hash: fields.NarHash
    store_path: fields.StorePath


@frozen
class Inputs:
    """Everything a build consumed. Two builds with equal inputs must give equal artifacts.

    `packages` are those of the lock that this image uses; `lock_sha256` is one digest for them.
    """

    __pydantic_config__: ClassVar = _STRICT
    image: fields.Name
    profiles: Annotated[tuple[fields.Name, ...], Field(max_length=64)]
    environment: Environment
    lock_sha256: fields.Sha256
    packages: Annotated[
        tuple[Package, ...],
        _MANY,
        fields.unique(lambda package: f"{package.name} {package.version} ({package.architecture})", "package"),
    ]
    source_files: Annotated[tuple[SourceFile, ...], _MANY, fields.unique(lambda source: source.path, "source file")]


@frozen
class Build:
    """One finished build: what went in and what came out. Lives in memory only."""

    inputs: Inputs
    artifacts: tuple[Artifact, ...]


@frozen
class ServedFile:
    """Where a file came from in one run: an address, or `cache`. It is checked, so this says nothing of what it is."""

    __pydantic_config__: ClassVar = _STRICT
    sha256: fields.Sha256
    source: fields.Text


@frozen
class InputsDocument:
    """`inputs.json`: the inputs of one build, and which source served each file of them that was fetched for it.

    `served` is no part of what inputs are compared and named by.
    """

    __pydantic_config__: ClassVar = _STRICT
    schema: Literal["teekit-verify/inputs/v1"]
    inputs: Inputs
    served: Annotated[tuple[ServedFile, ...], Field(max_length=fields.MAX_ITEMS)] = ()


CheckedInputsDocument = Annotated[InputsDocument, fields.left_out_if_empty("served")]
