"""Stand-ins for QEMU and swtpm, made of a recorded boot: the one puts the recorded log into its memory file, the other
answers with the recorded PCR values. What they do wrong is told to them by a file of settings."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from builders import eventlog

if TYPE_CHECKING:
    from pathlib import Path

RECORDED_LOG = eventlog.ASSETS / "ovmf-swtpm-uki.bin"
RECORDED_PCRS = eventlog.ASSETS / "ovmf-swtpm-uki.pcrs.json"

_QEMU = """
import json, re, socket, sys, time
settings = json.load(open({settings!r}))
words = " ".join(sys.argv)
accelerator = sys.argv[sys.argv.index("-accel") + 1]
if settings.get("exits"):
    print("fake: no such machine", file=sys.stderr)
    sys.exit(1)
memory = re.search(r"mem-path=(\\S+)", words)[1]
serial = re.search(r"id=serial,path=(\\S+)", words)[1]
with open(memory, "wb") as stream:
    stream.seek(5 << 20)
    for log in settings["logs"]:
        stream.write(b"garbage" + open(log, "rb").read() + b"\\xff" * 64)
    stream.truncate(16 << 20)
with open(serial, "w") as stream:
    stream.write(settings.get("console", "fake: booting\\n"))
server = socket.socket(socket.AF_UNIX)
server.bind(re.search(r"unix:([^,]+),", words)[1])
server.listen()
connection = server.accept()[0].makefile("rwb", buffering=0)
say = lambda message: connection.write(json.dumps(message).encode() + b"\\n")
say({{"QMP": {{}}}})
answered = 0
while line := connection.readline():
    command = json.loads(line)["execute"]
    status = "internal-error" if accelerator == settings.get("fails_on") else "running"
    if command == "query-status":
        answered += 1
        if answered == settings.get("ends_after"):
            sys.exit(0)
    say({{"event": "NOISE"}})
    say({{"return": {{"status": status}} if command == "query-status" else {{}}}})
"""

_SWTPM = """
import array, json, socket, struct, sys
settings = json.load(open({settings!r}))
if settings.get("tpm_exits"):
    sys.exit("fake: no TPM today")
pcrs = json.load(open(settings["pcrs"]))
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[sys.argv.index("--ctrl") + 1].partition("path=")[2])
server.listen()
control = server.accept()[0]
message, ancillary, _, _ = control.recvmsg(4, socket.CMSG_LEN(4))
assert message == bytes.fromhex("00000010"), message
if settings.get("tpm_refuses"):
    control.sendall(bytes.fromhex("00000009"))
    sys.exit(0)
control.sendall(bytes(4))
data = socket.socket(fileno=array.array("i", ancillary[0][2])[0])
while request := data.recv(4096):
    head, size, code, count, algorithm, octets, bits = struct.unpack(">HIIIHB3s", request)
    assert (head, size, code, count, octets) == (0x8001, 20, 0x17E, 1, 3)
    number = int.from_bytes(bits, "little").bit_length() - 1
    digest = bytes.fromhex(pcrs[{{0xB: "sha256", 0xC: "sha384"}}[algorithm]][f"PCR{{number}}"])
    body = struct.pack(">IIHB3sIH", 7, 1, algorithm, 3, bits, 1, len(digest)) + digest
    data.sendall(struct.pack(">HII", 0x8001, 10 + len(body), 0) + body)
"""


def install(folder: Path, **settings: object) -> None:
    """Write the stand-ins into `folder`, which the test puts on PATH.

    Settings: logs (files in memory), pcrs (file), exits, ends_after (status queries), fails_on (accelerator), console,
    tpm_exits, tpm_refuses.
    """
    recorded = {"logs": [str(RECORDED_LOG)], "pcrs": str(RECORDED_PCRS)}
    path = folder / "settings.json"
    path.write_text(json.dumps(recorded | settings))
    programs = {"qemu-system-x86_64": _QEMU, "swtpm": _SWTPM, "swtpm_setup": ""}
    for name, code in programs.items():
        program = folder / name
        program.write_text(f"#!{sys.executable}\n" + code.format(settings=str(path)))
        program.chmod(0o755)
