"""Predicts an artifact's registers for each platform and puts them into a measurements document."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from teekit_verify import __version__
from teekit_verify.artifacts.boot_artifact import boot_artifact_in, recognise
from teekit_verify.artifacts.magic import ArtifactKind
from teekit_verify.core.beside import Beside
from teekit_verify.core.digest import Algorithm, Digest, digest_file
from teekit_verify.core.errors import TeekitError, UnsupportedInputError, choose_from, printable
from teekit_verify.core.files import open_input, read_beginning
from teekit_verify.core.frozen import frozen
from teekit_verify.documents import model
from teekit_verify.documents.register_values import register_value
from teekit_verify.inspection.command_line import has_no_efi_variables
from teekit_verify.prediction.given_apps import apps_of, measures_apps, with_given_apps
from teekit_verify.prediction.platforms import IMAGE_PLATFORMS, PLATFORMS, Platform, subject_of
from teekit_verify.prediction.stub import profile_number, profiles
from teekit_verify.prediction.stub_machine import NO_INPUTS, StubInputs
from teekit_verify.prediction.stub_releases import behaviour_of
from teekit_verify.registers.registers import rtmr

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from teekit_verify.artifacts.boot_artifact import BootArtifact
    from teekit_verify.artifacts.uki import UnifiedKernelImage
    from teekit_verify.core.files import OpenedInput
    from teekit_verify.prediction.given_apps import GivenApps
    from teekit_verify.prediction.machines import Machines
    from teekit_verify.prediction.platforms import Subject
    from teekit_verify.prediction.uki import Prediction
    from teekit_verify.registers.registers import Register

    _Platforms = dict[str, dict[Register, model.RegisterValue]]

_FORMATS = {
    ArtifactKind.RAW: model.DiskFormat.RAW,
    ArtifactKind.VHD: model.DiskFormat.VHD,
    ArtifactKind.TAR_GZ: model.DiskFormat.TAR_GZ,
    ArtifactKind.QCOW2: model.DiskFormat.QCOW2,
    ArtifactKind.VHDX: model.DiskFormat.VHDX,
    ArtifactKind.DYNAMIC_VHD: model.DiskFormat.DYNAMIC_VHD,
    ArtifactKind.PACKED: model.DiskFormat.PACKED,
}
_SNIFFED_BYTES = 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MADE_FOR = {ArtifactKind.VHD: "azure", ArtifactKind.TAR_GZ: "gcp"}


@frozen
class BootedProfile:
    """One of a UKI's `count` profiles: its number, and its ID or an empty text."""

    number: int
    name: str
    count: int


@frozen
class MeasuredImage:
    """`profile` is None for a UKI with one. `host_may_change_cmdline`: the kernel has EFI variables, through which a host can do so
    with no register showing it.
    """

    measurements: model.Measurements
    profile: BootedProfile | None
    host_may_change_cmdline: bool


def measure_artifact(
    file: OpenedInput,
    names: Sequence[str],
    *,
    vtpm: bool | None,
    machines: Callable[[Sequence[Platform]], Machines | None],
    profile: str,
    given: GivenApps | None = None,
    stub: StubInputs = NO_INPUTS,
    whole: Beside[Digest] | None = None,
) -> MeasuredImage:
    """All about an opened file. `names` and `vtpm` as for `platforms_for`; `machines` says which are predicted
    for the platforms that were found. `given` is what the machine is given to run, `stub` what systemd-stub picks up that is not in it.
    `whole` is the SHA-256 of a UKI that is being made already.

    Raises TeekitError as `measure_file` does.
    """
    _require_known(names)
    with boot_artifact_in(file) as boot:
        platforms = _chosen(boot.kind, names, vtpm=vtpm)
        measurements = _measurements(
            file,
            boot,
            platforms,
            machines(platforms),
            disk_digest=None,
            profile=profile,
            given=given,
            stub=stub,
            whole=whole if boot.kind is ArtifactKind.UKI else None,
        )
        may_change = not has_no_efi_variables(boot.uki.text(".cmdline"))
        return MeasuredImage(measurements, _profile(boot.uki, profile), may_change)


def platforms_for(path: Path, names: Sequence[str] = (), *, vtpm: bool | None = None) -> tuple[Platform, ...]:
    """The platforms of these names, else those that a file of this kind is made for; with a vTPM, without, or (None) both.

    Raises TeekitError for an unknown name, or if none is left.
    """
    _require_known(names)
    return _chosen(None if names else recognise(path), names, vtpm=vtpm)


def _require_known(names: Sequence[str]) -> None:
    for name in names:
        if not any(platform.is_called(name) for platform in PLATFORMS):
            raise TeekitError(
                f"no such platform: {printable(name[:40])}", hint=choose_from(name, (one.name for one in PLATFORMS))
            )


def _chosen(kind: ArtifactKind | None, names: Sequence[str], *, vtpm: bool | None) -> tuple[Platform, ...]:
    if not names and kind in _MADE_FOR:
        names = (_MADE_FOR[kind],)
    chosen = tuple(
        platform
        for platform in PLATFORMS
        if (not names or any(platform.is_called(name) for name in names)) and vtpm in {None, platform.vtpm}
    )
    if not chosen:
        with_or_without = "with" if vtpm else "without"
        raise TeekitError(
            f"{', '.join(names)} has no machines {with_or_without} a vTPM", hint=f"Choose from {_all_names()}."
        )
    return chosen


def _all_names() -> str:
    return ", ".join(platform.name for platform in PLATFORMS)


def measure_file(
    path: Path,
    platforms: Sequence[Platform] = IMAGE_PLATFORMS,
    *,
    machines: Machines | None = None,
    whole_disk: bool = False,
    profile: str = "0",
    given: GivenApps | None = None,
    stub: StubInputs = NO_INPUTS,
) -> model.Measurements:
    """The measurements of a UKI or of the UKI on a disk; with `whole_disk`, all of the disk's bytes are hashed as well.
    With `machines`, these are predicted instead of their platform. `profile` is the number or ID of the UKI's profile. `given` is what
    the machine is given to run. `stub` is what systemd-stub picks up that is not in the file.

    Raises TeekitError for other files, for a UKI whose measuring is not known, and for `given` of an image that does not measure it.
    """
    with open_input(path) as file, boot_artifact_in(file) as boot:
        digest = digest_file(path) if whole_disk and boot.kind is not ArtifactKind.UKI else None
        return _measurements(
            file, boot, platforms, machines, disk_digest=digest, profile=profile, given=given, stub=stub
        )


def _measurements(
    file: OpenedInput,
    boot: BootArtifact,
    platforms: Sequence[Platform],
    machines: Machines | None,
    *,
    disk_digest: Digest | None,
    profile: str,
    given: GivenApps | None,
    stub: StubInputs,
    whole: Beside[Digest] | None = None,
) -> model.Measurements:
    uki, disk = boot.uki, None
    with whole or Beside(lambda: Digest.of(Algorithm.SHA256, uki.data)) as digest:  # leaves no processor idle
        of = (*platforms, *(() if machines is None else (machines.platform,)))
        subject = _subject(file.name, boot, of, profile, stub)
        if boot.kind is not ArtifactKind.UKI:
            disk = model.Disk(file.name, _FORMATS[boot.kind], file.size_bytes, disk_digest)
        registers = _without_smbios(_platforms(platforms, subject, machines), uki)
        apps = _apps(uki, given, file.name)
        return model.Measurements(
            schema=model.MEASUREMENTS_SCHEMA,
            tool_version=__version__,
            artifact=model.Artifact(boot.name, len(uki.data), digest.result()),
            stub_version=uki.stub_version.text,
            platforms=registers if apps is None else with_given_apps(registers, given),
            disk=disk,
            apps=apps,
        )


def _subject(name: str, boot: BootArtifact, platforms: Sequence[Platform], profile: str, stub: StubInputs) -> Subject:
    if stub.companions and boot.kind is not ArtifactKind.UKI:
        raise TeekitError(
            f"{name}: what lies beside the UKI is read from the disk", hint="Leave out --beside, or give the UKI."
        )
    return subject_of(
        boot,
        profile=profile_number(boot.uki, profile),
        companions=stub.companions or boot.companions,
        machine=stub.machine,
        only=frozenset().union(*(platform.of_image for platform in platforms)),
    )


def _apps(uki: UnifiedKernelImage, given: GivenApps | None, name: str) -> model.Apps | None:
    if measures_apps(uki):
        return apps_of(given)
    if given is None:
        return None
    raise UnsupportedInputError(
        f"{name}: this image does not measure what it runs: no register says which app it is",
        hint="Leave --manifest out, or give an image whose os-release has TEEKIT_MEASURES_APPS=1.",
    )


def _profile(uki: UnifiedKernelImage, profile: str) -> BootedProfile | None:
    names, number = profiles(uki), profile_number(uki, profile)
    return None if len(names) == 1 else BootedProfile(number, names[number], len(names))


def _platforms(
    platforms: Sequence[Platform], subject: Subject, machines: Machines | None
) -> dict[str, dict[Register, model.RegisterValue]]:
    if machines is None:
        return {platform.name: _registers(platform, subject) for platform in platforms}
    family = machines.platform
    plain = [platform for platform in platforms if not platform.is_called(family.name)]
    of_image = _registers(family, subject)
    return {platform.name: _registers(platform, subject) for platform in plain} | {
        name: of_image | of_machine for name, of_machine in machines.registers(of_image)
    }


def _without_smbios(platforms: _Platforms, uki: UnifiedKernelImage) -> _Platforms:
    """RTMR0 stays open where the stub measures the machine's SMBIOS structures: PCR 1 is mapped to it."""
    if not behaviour_of(uki.stub_version).adds_of_the_machine:
        return platforms
    reason = f"systemd-stub {uki.stub_version.text} measures the machine's SMBIOS structures, which are not known"
    return {
        name: {
            register: model.RegisterValue(None, reason, ()) if register == rtmr(0) else value
            for register, value in of.items()
        }
        for name, of in platforms.items()
    }


def _registers(platform: Platform, subject: Subject) -> dict[Register, model.RegisterValue]:
    return {prediction.register: _value(prediction) for prediction in platform.predict(subject)}


def _value(prediction: Prediction) -> model.RegisterValue:
    register, missing = prediction.register, "; ".join(prediction.missing)
    if not prediction.alternatives:
        return register_value(register, prediction.events, missing=missing)
    values = (
        model.AcceptableValue(item.label, register_value(register, item.events, missing=item.missing))
        for item in prediction.alternatives
    )
    return model.RegisterValue(None, missing, (), tuple(values))


def measure_for(path: Path, platforms: Collection[str], listed: Collection[model.Artifact]) -> model.Measurements:
    """A UKI or disk, measured for the `platforms` that were published, as far as we know them. Raises TeekitError for JSON:
    what a file of measurements says of an artifact is a claim, and no stand-in for the artifact.

    All bytes of a disk are hashed if one of `listed` has its size or its name: no other can be the same.
    """
    require_artifact(path)
    size_bytes = path.stat().st_size
    may_be_listed = any(artifact.size_bytes == size_bytes or artifact.name == path.name for artifact in listed)
    return _measure_for(path, platforms, whole_disk=may_be_listed)


def require_artifact(path: Path) -> None:
    """Raises UnsupportedInputError for a file that begins like JSON, whatever it is called."""
    beginning = read_beginning(path, _SNIFFED_BYTES).removeprefix(_BYTE_ORDER_MARK).lstrip(b" \t\r\n")
    if beginning[:1] not in {b"{", b"["}:
        return
    if model.MEASUREMENTS_SCHEMA.encode() in beginning:
        raise UnsupportedInputError(
            f"{path}: holds measurements of an artifact as JSON, not the artifact: what it says is a claim",
            hint="Give the artifact, or compare the claim as one with --claims FILE.",
        )
    raise UnsupportedInputError(
        f"{path}: holds JSON, not an artifact",
        hint="Give a UKI or a disk; measurements go with --claims FILE, a quote with --quote FILE.",
    )


def measure_rebuilt(uki: Path, disk: Path | None, published: Collection[str] = ()) -> model.Measurements:
    """What a rebuild measured, for every kind of machine and for the other platforms that were published: of the disk, if
    there is one, because its partition table is measured too.
    """
    measured = measure_file(disk or uki)
    others = set(published) - measured.platforms.keys()
    more = _measure_for(disk or uki, others).platforms if others else {}
    return replace(measured, platforms={**measured.platforms, **more})


def _measure_for(path: Path, names: Collection[str], *, whole_disk: bool = False) -> model.Measurements:
    wanted = tuple(platform for platform in PLATFORMS if platform.name in names)
    measured = measure_file(path, wanted, whole_disk=whole_disk)
    platforms = dict(measured.platforms)
    from teekit_verify.prediction.machines import on_record

    for machines in on_record(sorted(names)):
        platforms |= measure_file(path, (), machines=machines).platforms
    return replace(measured, platforms=platforms)
