"""Prediction: what a guest will measure that boots a file, or what a TD does whose firmware it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.artifacts.magic import is_firmware
from teekit_verify.artifacts.mapped import whole_digest
from teekit_verify.boot.machine_request import MachineRequest
from teekit_verify.core.digest import digest_file
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import open_input
from teekit_verify.core.frozen import frozen
from teekit_verify.prediction.stub_machine import NO_INPUTS, StubInputs, StubMachine, parse_console

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from teekit_verify.core.files import OpenedInput
    from teekit_verify.documents.model import Measurements
    from teekit_verify.prediction.firmware import FirmwareMeasurement
    from teekit_verify.prediction.gcp_facts import GcpFacts
    from teekit_verify.prediction.given_apps import GivenApps
    from teekit_verify.prediction.image import BootedProfile
    from teekit_verify.prediction.mrtd import PageOrder
    from teekit_verify.reference.writers import Writer

_NO_MACHINE = MachineRequest()


@frozen
class MeasureRequest:
    """A UKI, a disk with one, or firmware.

    `platforms`: names; all that the file is for if there are none. `vtpm`: only machines with one, or without. `profile`: number or
    ID of the UKI's profile, the first if None. `format`: another verifier's, to write the registers in. `page_order`: of firmware,
    how pages are added and measured; both ways if None. `given` is what the machine is given to run. `stub`: files beside the
    UKI, and what systemd-stub from 261 on asks the machine.
    """

    artifact: Path
    machine: MachineRequest = _NO_MACHINE
    platforms: Sequence[str] = ()
    vtpm: bool | None = None
    profile: str | None = None
    format: str | None = None
    page_order: PageOrder | None = None
    given: GivenApps | None = None
    stub: StubInputs = NO_INPUTS

    @property
    def _of_firmware(self) -> bool:
        """Whether no more is asked for than firmware alone decides."""
        of_image = bool(self.platforms) or self.profile is not None or self.vtpm is not None or self.given is not None
        return not (of_image or self.stub != NO_INPUTS or self.format is not None or self.machine.any)


@frozen
class KernelRequest:
    """A kernel that QEMU starts without a disk: the values of -kernel, -initrd and -append."""

    kernel: Path
    machine: MachineRequest
    initrd: Path | None = None
    cmdline: str | None = None
    format: str | None = None


@frozen
class Measured:
    """Predicted registers. `formatted` are those in the format that was asked for. `profile`: which of several of the UKI's.

    `host_may_change_cmdline`: the kernel has EFI variables, through which a host can do so with no register showing it.
    """

    measurements: Measurements
    formatted: bytes | None = None
    profile: BootedProfile | None = None
    host_may_change_cmdline: bool = False


@frozen
class MeasuredFirmware:
    """MRTD of a TD started with the firmware, and what is on record of Google's; None where nothing is on record of this one."""

    measurement: FirmwareMeasurement
    facts: GcpFacts | None


def _writer(name: str) -> Writer:
    from teekit_verify.reference.writers import writer

    return writer(name)


def measure(request: MeasureRequest | KernelRequest) -> Measured | MeasuredFirmware:
    """What a guest will measure, by platform and register, with the events.

    Raises TeekitError for files that cannot be read, options that do not go together, and a UKI of which it is not known what is measured.
    """
    chosen = None if request.format is None else _writer(request.format)
    if isinstance(request, KernelRequest):
        measurements = request.machine.measure_kernel(request.kernel, request.initrd, request.cmdline)
        return Measured(measurements, _formatted(chosen, measurements))
    with open_input(request.artifact) as file:
        if is_firmware(file):
            return _firmware(request, file)
        names = request.platforms or (chosen.platforms if chosen else ["gcp"] if request.machine.machine else [])
        with whole_digest(file) as whole:  # hashing begins before the rest is imported
            from teekit_verify.prediction import image

            found = image.measure_artifact(
                file,
                names,
                vtpm=request.vtpm,
                machines=request.machine.machines,
                profile=request.profile or "0",
                given=request.given,
                stub=request.stub,
                whole=whole,
            )
    formatted = _formatted(chosen, found.measurements)
    return Measured(found.measurements, formatted, found.profile, found.host_may_change_cmdline)


def _formatted(chosen: Writer | None, measurements: Measurements) -> bytes | None:
    return None if chosen is None else chosen.write(measurements)


def _firmware(request: MeasureRequest, file: OpenedInput) -> MeasuredFirmware:
    if not request._of_firmware:  # noqa: SLF001 - this module's own
        raise TeekitError(
            "from firmware alone, only MRTD can be measured", hint="Leave out the options for images and machines."
        )
    from teekit_verify.prediction.firmware import BOTH_ORDERS, measure_opened
    from teekit_verify.prediction.gcp_known import may_be_known

    orders = BOTH_ORDERS if request.page_order is None else (request.page_order,)
    measured = measure_opened(file, orders)
    if not may_be_known([measured.firmware.sha384, *measured.mrtd.values()]):
        return MeasuredFirmware(measured, None)
    from teekit_verify.prediction.gcp_facts import load_gcp

    return MeasuredFirmware(measured, load_gcp())


def given_apps(
    manifests: Sequence[Path], apps: Sequence[Path] = (), hostnames: Sequence[str] | None = (), /
) -> GivenApps:
    """What a machine is given to run: manifests (their exact bytes count), in order, and the apps of as many of the first ones as there are.
    `hostnames` is None where any will do.

    Raises TeekitError for what the guest would refuse, and for an app that does not match its manifest.
    """
    from teekit_verify.documents.app_manifest import MOST_MANIFESTS, read_manifest, require_hostname
    from teekit_verify.prediction.given_apps import GivenApps

    if len(manifests) > MOST_MANIFESTS or len(apps) > len(manifests):
        raise TeekitError(
            f"expected at most {MOST_MANIFESTS} manifests, and no more apps than manifests",
            hint="Give --manifest and --app once for each kettle.",
        )
    parsed = tuple(map(read_manifest, manifests))
    for path, manifest in zip(apps, parsed, strict=False):
        found = digest_file(path)
        if found != manifest.sha256:
            raise TeekitError(
                f"{path}: its SHA-256 is {found.hex}, and the manifest names {manifest.sha256.hex}",
                hint="Give the app that the manifest is about.",
            )
    return GivenApps(parsed, None if hostnames is None else tuple(dict.fromkeys(map(require_hostname, hostnames))))


def stub_inputs(
    beside: Sequence[Path] = (),
    shared: Sequence[Path] = (),
    *,
    console: str | None = None,
    no_boot_secret: bool = False,
) -> StubInputs:
    """What systemd-stub picks up that is not in the UKI: files or folders `beside` it, `shared` ones of the ESP's `loader` folder; `console`
    is what 261 and newer add (`none`, `hvc0`, `uart,io,0x3f8`), None where that is not known; `no_boot_secret`: they add no secret.

    Raises TeekitError for files that it would pass over, and for a console that it never adds.
    """
    from teekit_verify.artifacts.companions import read_companions

    machine = StubMachine(None if console is None else parse_console(console), no_boot_secret)
    return StubInputs((*read_companions(beside), *read_companions(shared, shared=True)), machine)


def predict(
    artifact: Path,
    *,
    platforms: Sequence[str] = (),
    machines: Sequence[str] = (),
    firmware: Path | None = None,
    profile: str = "0",
) -> Measurements:
    """What a guest will measure that boots a UKI, or a disk with one, by platform and register, with the events.

    `platforms`: `gcp`, `azure`, `qemu`, `tdx`, `uefi-vtpm`; all that the file is for if there are none. `machines`: types of Google
    Cloud, for MRTD and RTMR0 as well; `firmware` is theirs where it is on no record. `profile` is the number or ID of a UKI's profile.
    """
    from teekit_verify.prediction import image
    from teekit_verify.prediction.machines import gcp_machines

    chosen = image.platforms_for(artifact, platforms or (["gcp"] if machines else []))
    wanted = gcp_machines(chosen, machines, firmware=firmware) if machines else None
    return image.measure_file(artifact, chosen, machines=wanted, profile=profile)
