"""Devices, memory, processor and clock as no platform of ours has them: what the kernel of the base image makes of them.

One boot for all, by QEMU's own loader, so that a probe can say what it sees (tests/builders/guest_probe.py). What is attached later
is attached then.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pytest

from builders import direct_boot, guest_probe, hostile_network, planted
from builders.guest_probe import Round
from builders.tools import require
from teekit_verify.boot import qemu
from teekit_verify.boot.running import running_qemu

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

READY = "teekit: minimal.target reached"
PRELOAD = "systemd.setenv=LD_PRELOAD=/dev/vdb systemd.default_standard_error=journal+console"
_BOOT_SECONDS, _ROUND_SECONDS = 1800, 1200
_MIB = 1 << 20
_ADDED_MIB = 256
# Of QEMU's own devices, with the numbers of their registers: hw/pci/pci_ids.h and the PCI ID repository.
FOREIGN = {
    "edu": ("edu", "0x1234:0x11e8"),
    "PVPANIC": ("pvpanic-pci", "0x1b36:0x0011"),
    "shared memory": ("ivshmem-plain,memdev=shared", "0x1af4:0x1110"),
    "another maker's network card": ("e1000e,netdev=foreign,romfile=", "0x8086:0x10d3"),
    "USB": ("qemu-xhci,id=usb", "0x1b36:0x000d"),
    "SATA": ("ich9-ahci,id=ahci", "0x8086:0x2922"),
    "SD cards": ("sdhci-pci", "0x1b36:0x0007"),
    "graphics": ("bochs-display", "0x1234:0x1111"),
}
# Virtual I/O Device (VIRTIO) 1.2, section 5, with the number of the device.
VIRTIO = {
    "console": ("virtio-serial-pci", "0x0003"),
    "random numbers": ("virtio-rng-pci", "0x0004"),
    "balloon": ("virtio-balloon-pci", "0x0005"),
    "9P": ("virtio-9p-pci,fsdev=files,mount_tag=root", "0x0009"),
    "graphics": ("virtio-gpu-pci", "0x0010"),
    "input": ("virtio-keyboard-pci", "0x0012"),
    "crypto": ("virtio-crypto-pci,cryptodev=crypto", "0x0014"),
    "memory": ("virtio-mem-pci,memdev=more,id=more-memory", "0x0018"),
    "persistent memory": ("virtio-pmem-pci,memdev=persistent,id=persistent-memory", "0x001b"),
}
GENERATION = ("-device", "vmgenid,guid=324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb87")
# Beyond what systemd believes of a clock chip: `clock-valid-range-usec-max` of its build options, 15 years after it was made.
YEAR = 2069


class Qmp(Protocol):
    def execute(self, command: str, **arguments: object) -> object: ...


@dataclass(frozen=True)
class Probed:
    before: Round
    after: Round
    said: str
    answers: int
    """Of the hostile network."""


def words(folder: Path, port: int) -> list[str]:
    """What QEMU is given besides the machine itself; the hostile network is at that port."""
    (folder / "files").mkdir()
    behind = {
        "shared": "memory-backend-ram,size=1M,share=on",
        "persistent": "memory-backend-ram,size=128M,share=on",
        "more": f"memory-backend-ram,size={2 * _ADDED_MIB}M",
        "crypto": "cryptodev-backend-builtin",
    }
    given = [word for name, backend in behind.items() for word in ("-object", f"{backend},id={name}")]
    given += ["-fsdev", f"local,id=files,path={qemu.value(folder / 'files')},security_model=none"]
    given += ["-netdev", "user,id=foreign", *GENERATION]
    given += ["-object", f"memory-backend-file,id=erst,size=1M,share=on,mem-path={qemu.value(folder / 'erst')}"]
    given += ["-device", "acpi-erst,memdev=erst"]
    given += ["-drive", f"if=none,id=later,format=raw,snapshot=on,file={qemu.value(folder / 'partitions.raw')}"]
    given += ["-device", "pcie-root-port,id=later-slot,slot=1"]
    given += [
        "-netdev",
        f"socket,id=hostile,connect=127.0.0.1:{port}",
        "-device",
        "virtio-net-pci,netdev=hostile,romfile=",
    ]
    for device, _ in (*FOREIGN.values(), *VIRTIO.values()):
        given += ["-device", device]
    return [*given, "-device", "usb-kbd,bus=usb.0", "-rtc", f"base={YEAR}-01-01T00:00:00"]


@pytest.fixture(scope="module")
def probed(built_uki: Path, kettle_uki: Path, tmp_path_factory: pytest.TempPathFactory) -> Probed:
    """The image with a probe behind its initrd, and on its command line what no variable gets into it any more; and what the image with
    kettles says to the same kernel besides.
    """
    folder = tmp_path_factory.mktemp("machine")
    machine = direct_boot.machine_in(folder)
    own = direct_boot.command_line(built_uki).split()
    more_words = [word for word in direct_boot.command_line(kettle_uki).split() if word not in own]
    cmdline = " ".join([*own, *more_words, PRELOAD])
    more = guest_probe.behind_the_initrd()
    argv = list(direct_boot.argv(machine, require(qemu.PROGRAM), built_uki, folder, more=more, cmdline=cmdline))
    argv[argv.index("-m") + 1] += ",slots=2,maxmem=8G"
    argv[argv.index("-cpu") + 1] += ",-rdrand,-rdseed"
    argv += (*planted.credentials(folder), *planted.disks(folder), *planted.tables(folder, machine.firmware))
    argv[argv.index("-smp") + 1] += ",maxcpus=3"
    with hostile_network.served() as (port, answered):
        argv += words(folder, port)
        with running_qemu(argv, machine.control, log=folder / "log") as (_, qmp):
            direct_boot.wait_for(machine.console_log, READY, seconds=_BOOT_SECONDS)
            before = guest_probe.next_round(machine.console_log, seconds=_ROUND_SECONDS)
            attach(qmp)
            after = when_it_has_come(machine.console_log, before)
            return Probed(before, after, machine.console_log.read_text(errors="replace"), len(answered))


def when_it_has_come(console_log: Path, before: Round) -> Round:
    """The kernel takes what is attached bit by bit, and a slow machine prints rounds meanwhile. What never comes, the tests say."""
    until = time.monotonic() + _ROUND_SECONDS
    while True:
        found = guest_probe.next_round(console_log, seconds=_ROUND_SECONDS)
        has_memory = int(found.one("memory")) - int(before.one("memory")) >= _ADDED_MIB * 1024
        if (has_memory and ["vde"] in found.of("block")) or time.monotonic() > until:
            return found


def attach(qmp: Qmp) -> None:
    """Memory by ACPI and by virtio, a processor, a disk; then an interrupt that cannot be masked, the power button, and Ctrl-Alt-Delete and SysRq on the keyboard that every PC has."""
    qmp.execute("object-add", **{"qom-type": "memory-backend-ram", "id": "dimm", "size": _ADDED_MIB * _MIB})
    qmp.execute("device_add", driver="pc-dimm", id="added", memdev="dimm")
    asked = {"path": "/machine/peripheral/more-memory", "property": "requested-size", "value": _ADDED_MIB * _MIB}
    qmp.execute("qom-set", **asked)
    qmp.execute("system_powerdown")
    qmp.execute("device_add", driver="max-x86_64-cpu", **{"socket-id": 0, "core-id": 2, "thread-id": 0})
    qmp.execute("device_add", driver="virtio-blk-pci", id="later-disk", drive="later", bus="later-slot")
    qmp.execute("inject-nmi")
    for names in (("alt", "sysrq", "h"), ("ctrl", "alt", "delete")):
        qmp.execute("send-key", keys=[{"type": "qcode", "data": name} for name in names])


@pytest.mark.parametrize("name", FOREIGN)
def test_a_device_of_no_platform_gets_no_driver(probed: Probed, name: str) -> None:
    drivers = [driver for device, driver in probed.before.of("pci") if device == FOREIGN[name][1]]
    assert drivers, "the kernel does not see the device"
    assert set(drivers) == {"-"}


@pytest.mark.parametrize("name", VIRTIO)
def test_a_virtio_device_of_no_platform_gets_no_driver(probed: Probed, name: str) -> None:
    drivers = [driver for device, driver in probed.before.of("virtio") if device == VIRTIO[name][1]]
    assert drivers, "the kernel does not see the device"
    assert set(drivers) == {"-"}


def test_the_probe_sees_drivers_where_there_are_some(probed: Probed) -> None:
    assert ["0x0001", "virtio_net"] in probed.before.of("virtio")
    assert ["0x0002", "virtio_blk"] in probed.before.of("virtio")


def test_nothing_stands_behind_a_bus_without_a_driver(probed: Probed) -> None:
    assert probed.before.of("other") == []


def test_a_device_that_is_attached_later_brings_no_module(probed: Probed) -> None:
    assert probed.before.of("module")
    assert probed.after.of("module") == probed.before.of("module")


def test_memory_that_acpi_adds_is_taken_and_virtios_is_not(probed: Probed) -> None:
    """In kB. Debian's kernel takes it (docs/guest.md says what a TD does); both were offered as much."""
    before, after = (int(one.one("memory")) for one in (probed.before, probed.after))
    assert after - before == _ADDED_MIB * 1024


def test_no_disk_is_mounted(probed: Probed) -> None:
    """Nor swapped to, unlocked or assembled; the second round has seen one more, which came later."""
    names = [{name for (name,) in one.of("block")} for one in (probed.before, probed.after)]
    assert names == [{"vda", "vdb", "vdc", "vdd"}, {"vda", "vdb", "vdc", "vdd", "vde"}]
    for kind in ("mount", "swap"):
        assert probed.before.of(kind) == probed.after.of(kind) == []


def test_a_processor_that_is_added_stays_off(probed: Probed) -> None:
    assert probed.before.one("processors") == probed.after.one("processors") == "0-1"


def test_acpi_tables_are_obeyed_as_far_as_the_documents_say(probed: Probed) -> None:
    """A program in them writes into memory, and another leads a reader of the event log there: docs/guest.md says whose rights that are, and
    which register tells. The console stays where the command line has it.
    """
    assert bytes.fromhex(probed.before.one("ccel")).startswith(planted.WRITTEN_BY_AML)
    assert probed.after.of("console") == [["ttyS0"]]


def test_with_kettles_no_table_of_errors_has_the_kernel_write_or_print(probed: Probed) -> None:
    """The kernel sees both tables, and a source of errors that is looked at each second was looked at many times in a boot."""
    for name in ("HEST", "BERT"):
        assert re.search(rf"ACPI: {name} .*PLANTED", probed.said)
    page = bytes.fromhex(probed.after.one("ccel"))
    assert planted.WRITTEN_BY_HEST not in page
    assert "[Hardware Error]" not in probed.said


def test_a_disk_is_no_library_even_where_systemd_is_told_that_it_is(probed: Probed) -> None:
    """The last line of defence by itself: the command line, which is measured, names it."""
    assert planted.LOADED not in probed.said
    assert "object '/dev/vdb' from LD_PRELOAD cannot be preloaded" in probed.said


def test_dhcp_and_router_advertisements_give_addresses_and_nothing_else(probed: Probed) -> None:
    """No name, no domain, no time zone, no size of packets; and its routes to this machine lead nowhere."""
    assert probed.answers
    addresses = {address for _, address in probed.after.of("address")}
    assert "10.66.0.2/24" in addresses, "it takes no address from that network"
    assert any(address.startswith("2001:db8:66:") for address in addresses)
    assert probed.after.one("hostname") == "teekit"
    assert probed.after.one("domainname") == "(none)"
    assert probed.after.one("zone") == "UTC"
    assert probed.after.of("file") == []
    assert {size for name, size in probed.after.of("mtu") if name != "lo"} == {"1500"}
    (route,) = probed.after.of("to-itself")
    assert route[:4] == ["local", "127.0.0.1", "dev", "lo"]


def test_the_clock_is_believed_within_bounds(probed: Probed) -> None:
    """The kernel takes what the chip says; systemd does not when it is out of the question."""
    assert re.search(rf"setting system clock to {YEAR - 1}|setting system clock to {YEAR}", probed.said)
    assert 2025 < int(probed.before.one("year")) < 2050


def test_without_rdrand_no_word_of_the_hosts_makes_the_random_pool_ready(probed: Probed) -> None:
    """Neither the firmware's seed nor a device nor the VM generation ID counts. What is left is the kernel's own jitter, later."""
    ((*flags,),) = probed.before.of("flags")
    assert "rdtscp" in flags
    assert not {"rdrand", "rdseed"} & set(flags)
    assert probed.before.one("vmgenid") == "QEMUVGID:00"
    kernel, _, _ = probed.said.partition("Run /init as init process")
    assert kernel != probed.said
    assert "crng init done" not in kernel


def test_keys_and_the_power_button_do_nothing(probed: Probed) -> None:
    """The round after them is there, so it is still running."""
    for word in ("sysrq: ", "Ctrl-Alt-Del", "Powering", "Rebooting", "power-off", "login:"):
        assert word not in probed.said
