"""A service behind an image's initrd that prints, again and again, what the kernel has made of the machine it was given.

    probe 3 pci 0x1af4:0x1005 virtio-pci        a device, and the driver that has taken it ("-": none)
    probe 3 end

Every line begins with "probe", its round and what it is of; "end" closes a round. The shell's own words do nearly all of it: without
KVM, each program takes its time.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from builders.cpio import DIRECTORY, SYMLINK, Entry, build_cpio

if TYPE_CHECKING:
    from pathlib import Path

_UNITS = "etc/systemd/system"
_UNIT = b"""[Unit]
Description=Says what the kernel has made of its machine
[Service]
Type=exec
ExecStart=/bin/sh /etc/probe.sh
StandardOutput=file:/dev/console
StandardError=null
"""
_SCRIPT = rb"""
set -u
round=0
say() { printf 'probe %s %s\n' "$round" "$*"; }
driver=-
find_driver() { if cd -P "$1/driver"; then driver=${PWD##*/}; else driver=-; fi; cd /; }
while :; do
    round=$((round + 1))
    for device in /sys/bus/pci/devices/*; do
        read -r vendor < "$device/vendor"; read -r kind < "$device/device"; find_driver "$device"
        say pci "$vendor:$kind" "$driver"
    done
    for device in /sys/bus/virtio/devices/*; do
        read -r kind < "$device/device"; find_driver "$device"
        say virtio "$kind" "$driver"
    done
    for device in /sys/bus/usb/devices/* /sys/bus/hid/devices/* /sys/class/drm/* /sys/class/sound/*; do
        [ -e "$device" ] && say other "${device##*/}"
    done
    for device in /sys/bus/acpi/drivers/vmgenid/* /sys/bus/platform/drivers/vmgenid/*; do
        [ -e "$device/subsystem" ] && say vmgenid "${device##*/}"
    done
    while read -r name rest; do say module "$name"; done < /proc/modules
    while read -r name value rest; do [ "$name" = MemTotal: ] && say memory "$value"; done < /proc/meminfo
    while read -r device place rest; do case $device in /dev/*) say mount "$device" "$place" ;; esac; done < /proc/mounts
    while read -r name rest; do say console "$name"; done < /proc/consoles
    while read -r name rest; do [ "$name" = Filename ] || say swap "$name"; done < /proc/swaps
    for device in /sys/block/*; do say block "${device##*/}"; done
    for device in /sys/class/net/*; do read -r size < "$device/mtu"; say mtu "${device##*/}" "$size"; done
    read -r name < /sys/devices/system/cpu/online; say processors "$name"
    say ccel "$(od -An -v -tx1 -N64 /sys/firmware/acpi/tables/data/CCEL | tr -d ' \n')"
    read -r name < /proc/sys/kernel/hostname; say hostname "$name"
    read -r name < /proc/sys/kernel/domainname; say domainname "$name"
    while read -r name colon rest; do [ "$name" = flags ] && break; done < /proc/cpuinfo; say flags "$rest"
    say year "$(date +%Y)"; say zone "$(date +%Z)"
    ip -oneline address show scope global | while read -r number name family address rest; do say address "$name" "$address"; done
    say to-itself "$(ip -oneline route get 127.0.0.1)"
    for file in $(grep -rl "plante[d]" /etc /run --exclude-dir=netif); do say file "$file"; done
    say end
    sleep 1
done
"""


def behind_the_initrd() -> bytes:
    """To be appended to an initrd."""
    wants = f"{_UNITS}/minimal.target.wants"
    return build_cpio(
        [
            Entry(wants, mode=DIRECTORY | 0o755),
            Entry(f"{wants}/probe.service", b"../probe.service", mode=SYMLINK | 0o777),
            Entry(f"{_UNITS}/probe.service", _UNIT),
            Entry("etc/probe.sh", _SCRIPT),
        ]
    )


class Round:
    """What one round said."""

    def __init__(self, number: int, said: str) -> None:
        self._lines = [line.split() for line in re.findall(rf"^probe {number} (.*?)\r?$", said, re.MULTILINE)]

    def of(self, kind: str) -> list[list[str]]:
        return [words for name, *words in self._lines if name == kind]

    def one(self, kind: str) -> str:
        ((word,),) = self.of(kind)
        return word


def next_round(console_log: Path, *, seconds: int) -> Round:
    """One that begins after this call, so that it has seen what was done before."""
    number = _finished(console_log.read_text(errors="replace")) + 2  # the one in between may have begun already
    until = time.monotonic() + seconds
    while _finished(said := console_log.read_text(errors="replace")) < number:
        assert time.monotonic() < until, said[-4000:]
        time.sleep(0.5)
    return Round(number, said)


def _finished(said: str) -> int:
    return len(re.findall(r"^probe \d+ end\r?$", said, re.MULTILINE))
