"""File capabilities: Linux include/uapi/linux/capability.h, struct vfs_cap_data."""

from __future__ import annotations

import struct

XATTR = "security.capability"
_NAMES = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
]
_EFFECTIVE = 1
_SIZES = {1: 12, 2: 20, 3: 24}


def capabilities(raw: bytes) -> str | None:
    """As getcap(8) has them: "cap_net_raw=ep", and the user that is root in a namespace; None for what is none."""
    revision = raw[3] if len(raw) > 3 else 0  # noqa: PLR2004
    if _SIZES.get(revision) != len(raw):
        return None
    words = struct.unpack(f"<{len(raw) // 4}I", raw)
    pairs = words[1:5] if revision > 1 else (*words[1:3], 0, 0)
    permitted, inheritable = pairs[0] | pairs[2] << 32, pairs[1] | pairs[3] << 32
    groups: dict[str, list[str]] = {}
    for bit in range(64):
        flags = "e" if words[0] & _EFFECTIVE and (permitted | inheritable) >> bit & 1 else ""
        flags += "i" if inheritable >> bit & 1 else ""
        flags += "p" if permitted >> bit & 1 else ""
        if flags:
            groups.setdefault(flags, []).append(f"cap_{_NAMES[bit]}" if bit < len(_NAMES) else f"cap_{bit}")
    text = " ".join(f"{','.join(names)}={flags}" for flags, names in groups.items()) or "none"
    return f"{text} (root is user {words[5]})" if revision == 3 else text  # noqa: PLR2004
