"""Small UKIs: a stand-in for systemd-stub that only names its version, and the payload sections of a test."""

from __future__ import annotations

from builders.pe import Row, build_pe

CMDLINE = b"console=ttyS0 quiet"


def kernel(release: str = "6.12.107-amd64", *, payload: bytes = b"kernel code") -> bytes:
    """A PE image with the setup header of a bzImage in its first bytes, as the EFI stub of Linux has it.

    Linux Documentation/arch/x86/boot.rst: "HdrS" at 0x202, at 0x20e the offset of the version string less 0x200.
    """
    image = bytearray(build_pe([Row(".setup", bytes(0x400)), Row(".text", payload)]))
    banner = 0x400
    image[0x202:0x206] = b"HdrS"
    image[0x20E:0x210] = (banner - 0x200).to_bytes(2, "little")
    text = f"{release} (someone@somewhere) #1 SMP\0".encode()
    image[banner : banner + len(text)] = text
    return bytes(image)


def magic(version: str) -> bytes:
    return f"#### LoaderInfo: systemd-stub {version} ####\0".encode()


def stub_rows(version: str) -> list[Row]:
    return [Row(".text", b"stub code"), Row(".sdmagic", magic(version))]


def build_uki(
    version: str = "257.13-1~deb13u1",
    sections: list[tuple[str, bytes]] | None = None,
    *,
    certificate: bytes = b"",
    trailing: bytes = b"",
) -> bytes:
    """A UKI with these payload sections, in this order; by default one of each common kind."""
    payload = default_sections() if sections is None else sections
    rows = stub_rows(version) + [Row(name, content) for name, content in payload]
    return build_pe(rows, certificate=certificate, trailing=trailing)


def default_sections() -> list[tuple[str, bytes]]:
    return [
        (".osrel", b"ID=teekit\nVERSION_ID=1\n"),
        (".cmdline", CMDLINE),
        (".uname", b"6.12.107-amd64"),
        (".linux", kernel()),
        (".initrd", b"0707" * 30 + b"xyz"),
    ]
