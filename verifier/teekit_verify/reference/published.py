"""Reference values as every published file gives them, whatever its format: what `compare` compares with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from teekit_verify.core.digest import Digest
    from teekit_verify.documents.model import Apps, Artifact, Reference, ReferenceRegister
    from teekit_verify.registers.registers import Register

    Registers = Mapping[Register, ReferenceRegister]


@frozen
class ReferenceValues:
    """What was published about one image (or one firmware). `name` is the release, or what its format calls it; `image` is
    empty where the file does not say what was built.

    A register that a platform does not mention counts as not checked where `unmentioned` is empty. Otherwise it is
    ignored, and `unmentioned` says why: formats of others cannot write that out.

    `not_compared` holds what else the file says, (name, value): it is shown in every verdict. `apps` is None where nobody says that
    the image measures what it runs.
    """

    name: str
    platforms: Mapping[str, Registers]
    image: str = ""
    commit: str | None = None
    artifacts: tuple[Artifact, ...] = ()
    unmentioned: str = ""
    not_compared: tuple[tuple[str, str], ...] = ()
    apps: Apps | None = None


@frozen
class PublishedFile:
    """A reference file of any format. `values` has at least one item; whoever matches one of them wholly matches the file.

    `sha256` is that of the file's bytes.
    """

    format: str
    sha256: Digest
    values: tuple[ReferenceValues, ...]

    def title(self, values: ReferenceValues) -> str:
        """What was compared with, for people: the release, and the format where it is not ours."""
        return f"{values.name} ({self.format})" if values.unmentioned else values.name

    @property
    def platforms(self) -> frozenset[str]:
        """The names of all platforms that the file is about."""
        return frozenset(name for values in self.values for name in values.platforms)

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """All files that it has digests of."""
        return tuple(artifact for values in self.values for artifact in values.artifacts)


def values_of(reference: Reference) -> ReferenceValues:
    """Our own reference files write out what they ignore, and use every field."""
    image = " + ".join((reference.inputs.image, *reference.inputs.profiles))
    return ReferenceValues(
        reference.release, reference.platforms, image, reference.commit, reference.artifacts, apps=reference.apps
    )
