"""A shared library that says on the console, as soon as it is in a process, that it is there.

ELF64 by hand (System V ABI, chapters 4 and 5; AMD64 supplement), so that no compiler is needed: one page with the code of DT_INIT,
its text, and the tables that the loader asks for.
"""

from __future__ import annotations

import struct

_HEADER_BYTES, _PROGRAM_HEADER_BYTES = 64, 56
_DYNAMIC = {"STRTAB": 5, "SYMTAB": 6, "STRSZ": 10, "SYMENT": 11, "INIT": 12, "NULL": 0}
_READ, _WRITE, _RUN = 4, 2, 1


def library(text: str, console: str = "/dev/console") -> bytes:
    """Writes `text` and a line break to `console` when it is loaded; whatever fails, it returns."""
    headers = _HEADER_BYTES + 3 * _PROGRAM_HEADER_BYTES
    path, line = console.encode() + b"\0", text.encode() + b"\n"
    code_at = headers
    code_bytes = len(_code(0, 0, 0))
    path_at = code_at + code_bytes
    line_at = path_at + len(path)
    tables_at = -(-(line_at + len(line)) // 16) * 16
    dynamic_at = tables_at + 32  # an empty symbol, and an empty string after it
    values = {"STRTAB": tables_at + 24, "SYMTAB": tables_at, "STRSZ": 1, "SYMENT": 24, "INIT": code_at, "NULL": 0}
    dynamic = b"".join(struct.pack("<QQ", _DYNAMIC[name], value) for name, value in values.items())
    size = dynamic_at + len(dynamic)
    programs = (
        _program(1, _READ | _RUN, 0, size, 0x1000)
        + _program(2, _READ, dynamic_at, len(dynamic), 8)
        + _program(0x6474E551, _READ | _WRITE, 0, 0, 16)  # PT_GNU_STACK
    )
    code = _code(path_at - code_at, line_at - code_at, len(line))
    content = _header() + programs + code + path + line
    return content.ljust(tables_at, b"\0") + bytes(32) + dynamic


def _header() -> bytes:
    ident = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    return ident + struct.pack(
        "<HHIQQQIHHHHHH", 3, 62, 1, 0, _HEADER_BYTES, 0, 0, 64, _PROGRAM_HEADER_BYTES, 3, 64, 0, 0
    )


def _program(kind: int, flags: int, offset: int, size: int, align: int) -> bytes:
    return struct.pack("<IIQQQQQQ", kind, flags, offset, offset, offset, size, size, align)


def _code(path: int, line: int, length: int) -> bytes:
    """open(path, O_WRONLY | O_NOCTTY), write(line), close. Offsets are from the first byte of the code."""
    read_path = b"\xb8\x02\0\0\0" + b"\x48\x8d\x3d"  # mov eax, 2 (open); lea rdi, [rip + path]
    opened = (
        b"\xbe\x01\x01\0\0\x0f\x05"  # mov esi, O_WRONLY | O_NOCTTY; syscall
        b"\x85\xc0\x78\x1c"  # test eax, eax; js to the end
        b"\x89\xc7\xb8\x01\0\0\0"  # mov edi, eax; mov eax, 1 (write)
        b"\x48\x8d\x35"  # lea rsi, [rip + line]
    )
    wrote = (
        b"\xba" + struct.pack("<I", length) + b"\x0f\x05"  # mov edx, length; syscall
        b"\xb8\x03\0\0\0\x0f\x05\xc3"  # mov eax, 3 (close); syscall; ret
    )
    code = read_path + struct.pack("<i", path - len(read_path) - 4) + opened
    return code + struct.pack("<i", line - len(code) - 4) + wrote
