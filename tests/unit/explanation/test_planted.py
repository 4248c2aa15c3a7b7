"""Every kind of non-determinism that is known, planted into the initrd of a small UKI: named by its file and its cause."""

from __future__ import annotations

import gzip
import struct
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from builders.cpio import DEVICE, SYMLINK, Entry
from builders.explain import explained, named, uki_with
from teekit_verify.explanation.causes.find import Condition
from teekit_verify.explanation.tree import culprits

UUIDS = "0b1e4a52-33c1-4e0e-9b0f-3d5c6f1b7a11", "9f86d081-884c-4d63-a1b2-0c3d4e5f6a7b"


@dataclass(frozen=True)
class Plant:
    name: str
    a: bytes
    b: bytes
    cause: str


def _cache(time: int) -> bytes:
    """The beginning of an aux-cache, and an inode's change time (glibc elf/cache.c, struct aux_cache_file_entry)."""
    return b"glibc-ld.so.auxcache-1.0" + struct.pack("<IIQQI", 1, 0, 0x7000_0000_0001, time, 7) + bytes(64)


def _pyc(time: int) -> bytes:
    """PEP 552: magic, flags, source time, source size."""
    return b"\xa7\r\r\n" + struct.pack("<III", 0, time, 10) + b"\xe3" + bytes(40)


NOW = 1_763_874_000
PLANTS = (
    Plant("etc/build-info", b"built: Mon Nov 23 05:01:12 UTC 2026\n", b"built: Mon Nov 23 05:17:43 UTC 2026\n", "time stamp"),
    Plant("etc/date", b"packed 23.11.2026\n", b"packed 24.11.2026\n", "time stamp"),
    Plant("usr/share/duration", b"built in 3.25 s\n", b"built in 41 s\n", "time stamp"),
    Plant("usr/share/journal", b"05:01:12 sh[417]: done\n", b"05:02:09 sh[92]: done\n", "process ID"),
    Plant("var/tmp/left", b"1", b"2", "temporary file"),
    Plant("usr/share/stamp", b"v=1 at 1763874000\n", b"v=1 at 1763874917\n", "time stamp"),
    Plant("usr/lib/stamped.bin", bytes(16) + struct.pack("<I", NOW) + bytes(16),
          bytes(16) + struct.pack("<I", NOW + 917) + bytes(16), "time stamp"),
    Plant("usr/lib/app/config", b"source=/build/source/app\n", b"source=/srv/other/place/app\n", "build path"),
    Plant("usr/lib/app/bin", b"\0\1\2/build/source/app.c\0\3\0", b"\0\1\2/srv/another/app.c\0\3\0\0\0", "build path"),
    Plant("usr/lib/app/home", b"cache: /home/alice/.cache\n", b"cache: /home/bob/.cache\n", "home directory"),
    Plant("usr/lib/app/who", b"built by alice@builder\n", b"built by bob@builder\n", "user name"),
    Plant("usr/lib/app/where", b"built by ci@runner-17\n", b"built by ci@runner-99.example\n", "host name"),
    Plant("etc/hostname", b"builder-1\n", b"builder-2\n", "host name"),
    Plant("usr/lib/app/jobs", b"make -j4\n", b"make -j16\n", "number of CPUs"),
    Plant("usr/lib/app/umask", b"umask 022\n", b"umask 002\n", "umask"),
    Plant("usr/lib/app/local", b"at 1970-01-01 12:00:17\n", b"at 1970-01-02 02:00:17\n", "time zone"),
    Plant("usr/lib/app/modes", b"755\n", b"775\n", "umask"),
    Plant("usr/lib/app/maps", b"562e8cf3a000-562e8cf3c000 r--p\n", b"555555554000-555555556000 r--p\n", "address"),
    Plant("usr/lib/app/zone", b"now in UTC\n", b"now in +0200\n", "time zone"),
    Plant("usr/lib/app/id", f"id {UUIDS[0]}\n".encode(), f"id {UUIDS[1]}\n".encode(), "random id"),
    Plant("usr/lib/app/temp", b"dir /tmp/tmp.a8Xk2Lq9wZ/x\n", b"dir /tmp/tmp.Qp0mN3vB7s/x\n", "random id"),
    Plant("usr/lib/app/env", b"CFLAGS=-O2 -g\n", b"CFLAGS=-O3\n", "environment value"),
    Plant("usr/lib/app/list", b"Zebra\nant\nbee\n", b"ant\nbee\nZebra\n", "locale or sort order"),
    Plant("usr/lib/app/et", b"s\nt\nu\nz\n", b"s\nz\nt\nu\n", "locale or sort order"),
    Plant("usr/lib/app/order", b"c\na\nd\nb\n", b"b\nd\na\nc\n", "file or hash order"),
    Plant("usr/lib/app/table", bytes(8) + struct.pack("<Q", 0x7F31_2233_4450) + bytes(8),
          bytes(8) + struct.pack("<Q", 0x7FA9_8811_2250) + bytes(8), "address"),
    Plant("usr/lib/app/pad", b"\1\0" * 8 + bytes(24) + b"end", b"\1\0" * 8 + b"\xde\xad\xbe\xef" * 6 + b"end",
          "uninitialised bytes"),
    Plant("var/cache/ldconfig/aux-cache", _cache(NOW), _cache(NOW + 60), "ld cache, time stamp"),
    Plant("etc/ld.so.cache", _cache(1), _cache(2), "ld cache"),
    Plant("etc/machine-id", b"0123456789abcdef0123456789abcdef\n", b"fedcba9876543210fedcba9876543210\n", "machine ID"),
    Plant("var/lib/systemd/random-seed", bytes(range(1, 33)), bytes(range(2, 34)), "random seed"),
    Plant("var/log/alternatives.log", b"update 2026-11-23 01:00:00\n", b"update 2026-11-23 01:00:09\n", "log file, time stamp"),
    Plant("usr/lib/python3/x/__pycache__/m.cpython-313.pyc", _pyc(NOW), _pyc(NOW + 5), "Python byte code, time stamp"),
    Plant("etc/ssh/ssh_host_ed25519_key", b"one", b"two", "SSH host key"),
    Plant("etc/shadow", b"root:*:20415:0:99999:7:::\n", b"root:*:20416:0:99999:7:::\n", "password file"),
    Plant("etc/passwd-", b"root:x\n", b"root:x\nnew:x\n", "backup file"),
    Plant("var/cache/man/index.db", b"\0\1", b"\0\2", "generated cache"),
    Plant("var/lib/dpkg/status", b"Package: a\n", b"Package: b\n", "package manager state"),
    Plant("usr/share/doc/x.gz", gzip.compress(b"text", mtime=1), gzip.compress(b"text", mtime=2), "gzip time stamp"),
    Plant("etc/t/slashes", b"built on 2026/11/23\n", b"built on 2026/11/24\n", "time stamp"),
    Plant("etc/t/named", b"built 23-Nov-2026\n", b"built 24-Nov-2026\n", "time stamp"),
    Plant("etc/t/noon", b"Nov 23, 2026 8:13:00 AM\n", b"Nov 23, 2026 1:26:39 PM\n", "time stamp"),
    Plant("etc/t/short", b"Built: 11/23/26\n", b"Built: 11/24/26\n", "time stamp"),
    Plant("etc/t/suffix", b"VERSION=1.0+git20261123\n", b"VERSION=1.0+git20261124\n", "time stamp"),
    Plant("etc/t/name", b"image_20261123_081300\n", b"image_20261123_092639\n", "time stamp"),
    Plant("etc/t/dots", b"snapshot 2026.11.23\n", b"snapshot 2026.11.24\n", "time stamp"),
    Plant("etc/t/hex", b"stamp=0x6b03f58c\n", b"stamp=0x6b0406cf\n", "time stamp"),
    Plant("etc/t/boot", b"[    1.234567] init\n", b"[    1.234999] init\n", "time stamp"),
    Plant("etc/t/day", b"day: Monday\n", b"day: Tuesday\n", "time stamp"),
    Plant("etc/t/week", b"2026-W48-1\n", b"2026-W48-2\n", "time stamp"),
    Plant("usr/share/man/x.1", b'.TH X 1 "November 2026"\n', b'.TH X 1 "December 2026"\n', "time stamp"),
    Plant("etc/t/zoned", b"Mon Nov 23 08:13:00 UTC 2026\n", b"Mon Nov 23 22:13:00 +14 2026\n", "time zone"),
    Plant("usr/lib/fine.bin", struct.pack("<QQ", 7, NOW * 10**9), struct.pack("<QQ", 7, (NOW + 917) * 10**9 + 5),
          "time stamp"),
    Plant("etc/h/path", b"PATH=/usr/bin:/bin\n", b"PATH=/usr/bin:/bin:/opt/x/bin\n", "search path"),
    Plant("etc/h/uname", b"Linux box 6.1.0-18-amd64 #1 SMP\n", b"Linux box 6.5.0-2-amd64 #1 SMP\n", "host kernel"),
    Plant("etc/h/node", b"Linux build-a 6.1.0-18 #1 SMP\n", b"Linux runner-b 6.1.0-18 #1 SMP\n", "host name"),
    Plant("etc/h/after", b"host: build-a\n", b"host: runner-17\n", "host name"),
    Plant("etc/h/flags", b"flags: sse4_2 avx2\n", b"flags: sse4_2 avx2 avx512f\n", "CPU features"),
    Plant("etc/h/listed", b"-rw-r--r-- 1 root root 10 x\n", b"-rw-rw-r-- 1 root root 10 x\n", "umask"),
    Plant("etc/h/process", b"Process 1234 exited\n", b"Process 4321 exited\n", "process ID"),
    Plant("etc/o/files", b"lib/a.so\nlib/b.so\nlib/c.so\n", b"lib/c.so\nlib/a.so\nlib/b.so\n", "file order"),
    Plant("etc/o/set", b"{'red', 'green', 'blue'}\n", b"{'blue', 'red', 'green'}\n", "hash order"),
    Plant("etc/o/members.json", b'{"a": 1, "b": 2}', b'{"b": 2, "a": 1}', "hash order"),
    Plant("etc/o/items.json", b'["a", "b", "c"]', b'["c", "a", "b"]', "file or hash order"),
    Plant("usr/share/SHA256SUMS", b"ab" * 32 + b"  foo.bin\n", b"cd" * 32 + b"  foo.bin\n", "digest"),
    Plant("usr/share/lock", b"x sha512-" + b"A1b2" * 20 + b"==\n", b"x sha512-" + b"Z9y8" * 20 + b"==\n", "digest"),
    Plant("usr/share/commit", b"commit 1f2e3d4c5b6a\n", b"commit 9f8e7d6c5b4a\n", "source revision"),
    Plant("var/lib/systemd/credential.secret", bytes(range(99)), bytes(range(1, 100)), "generated key or certificate"),
    Plant("etc/ssl/certs/snakeoil.pem", b"MIIB9DCCAV2gAwIBAgIUNuL4\n", b"MIIB9DCCAV2gAwIBAgIUalfh\n",
          "generated key or certificate"),
    Plant("usr/share/ca-certificates/x.crt", b"one", b"two", ""),
    Plant("root/.bash_history", b"ls\n", b"ls\ncd\n", "log file"),
    Plant("etc/cmdline", b"roothash=" + b"1f" * 32 + b"\n", b"roothash=" + b"2e" * 32 + b"\n", "digest"),
    Plant("etc/localtime", b"TZif2\0\1", b"TZif2\0\2", "time zone"),
    Plant("etc/passwd", b"app:x:998:998::/:/bin/false\n", b"app:x:997:997::/:/bin/false\n", "password file"),
    Plant("etc/iscsi/initiatorname.iscsi", b"iqn.1993-08.org:01:3f7e5d2a1b\n", b"iqn.1993-08.org:01:aa7e5d2a1c\n",
          "random id"),
    Plant("opt/x/daemon.pid", b"1234\n", b"4321\n", "process ID"),
    Plant("opt/x/MANIFEST.MF", b"Built-By: alice\n", b"Built-By: bob\n", "user name"),
    Plant("opt/x/info", b"BUILD_HOST=one\n", b"BUILD_HOST=two.example\n", "host name"),
    Plant("etc/x.service", b"User=www-data\n", b"User=app\n", ""),
    Plant("etc/resolv.conf", b"nameserver 10.0.0.2\n", b"nameserver 192.168.1.1\n", "host network"),
    Plant("usr/lib/udev/hwdb.bin", b"\0\1", b"\0\2", "generated cache"),
    Plant("lib/modules/6.1/modules.dep.bin", b"\0\1", b"\0\2", "generated cache"),
    Plant("usr/share/config", b"MaxSessions=4\n", b"MaxSessions=8\n", ""),
)  # fmt: skip


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_a_planted_file_is_named_with_its_cause(plant: Plant, tmp_path: Path) -> None:
    found = explained(tmp_path, uki_with(Entry(plant.name, plant.a)), uki_with(Entry(plant.name, plant.b)))
    (difference,) = found.differences
    assert [section.name for section in difference.children] == ["section .initrd"]
    (file,) = difference.children[0].children
    assert file.name == plant.name
    leaf = file.children[0] if file.children else file  # the header of a gzip file is a level of its own
    assert ", ".join(cause.name for cause in leaf.causes) == plant.cause
    assert found.notices == ()


ENTRY = Entry("usr/bin/tool", b"tool", mode=0o100755, mtime=1_700_000_000)


@pytest.mark.parametrize(
    ("changed", "cause", "a", "b"),
    [
        (replace(ENTRY, mode=0o100775), "umask", "0755", "0775"),
        (replace(ENTRY, mode=0o104755), None, "0755", "4755"),
        (replace(ENTRY, uid=1000, gid=1000), "user or group", "0:0", "1000:1000"),
        # date --utc --date=@1700000000
        (replace(ENTRY, mtime=1_700_000_001), "time stamp", "2023-11-14 22:13:20 UTC", "2023-11-14 22:13:21 UTC"),
    ],
)
def test_what_an_entry_says_of_a_file(tmp_path: Path, changed: Entry, cause: str | None, a: str, b: str) -> None:
    found = explained(tmp_path, uki_with(ENTRY), uki_with(changed))
    (difference,) = found.differences[0].children[0].children
    assert (difference.name, difference.a, difference.b) == ("usr/bin/tool", a, b)
    assert [known.name for known in difference.causes] == ([cause] if cause else [])


def test_a_device_and_a_kind_of_file(tmp_path: Path) -> None:
    null, zero = (Entry("dev/x", mode=DEVICE | 0o666, device=numbers) for numbers in ((1, 3), (1, 5)))
    (difference,) = explained(tmp_path, uki_with(null), uki_with(zero)).differences[0].children[0].children
    assert (difference.name, difference.what, difference.a, difference.b) == ("dev/x", "device numbers", "1:3", "1:5")
    link = Entry("dev/x", b"null", mode=SYMLINK | 0o777)
    found = explained(tmp_path, uki_with(replace(null, content=b"null")), uki_with(link)).differences[0].children[0]
    assert ("is another kind of file", "character device", "symlink") in [
        (one.what, one.a, one.b) for one in found.children
    ]


def test_a_symlink_to_another_place(tmp_path: Path) -> None:
    links = [Entry("etc/link", target, mode=SYMLINK | 0o777) for target in (b"/build/source/x", b"/srv/place/x")]
    found = explained(tmp_path, uki_with(links[0]), uki_with(links[1]))
    assert named(found) == [("etc/link", ["build path"])]


def test_the_order_of_entries(tmp_path: Path) -> None:
    entries = [Entry(name) for name in ("B", "a", "c")]
    found = explained(tmp_path, uki_with(*entries), uki_with(entries[1], entries[0], entries[2]))
    assert named(found) == [("order of the entries", ["locale or sort order"])]
    found = explained(tmp_path, uki_with(*entries), uki_with(*reversed(entries)))
    assert named(found) == [("order of the entries", ["file order"])]


def test_presence_and_duplicates(tmp_path: Path) -> None:
    folder, inside = Entry("opt/x", mode=0o040755), Entry("opt/x/y")
    found = explained(tmp_path, uki_with(), uki_with(folder, inside)).differences[0].children[0]
    assert [(one.name, one.what, one.b) for one in found.children] == [
        ("opt/x", "only in B, with 1 entries below it", "directory, 0 bytes, mode 0755")
    ]
    found = explained(tmp_path, uki_with(inside, inside), uki_with(inside)).differences[0].children[0]
    assert [(one.name, one.what) for one in found.children] == [("opt/x/y", "only in A, as entry 2 of that name")]


def test_what_only_one_side_has_is_named_with_what_is_below_it(tmp_path: Path) -> None:
    cache = [Entry("tmp", mode=0o040755), Entry("tmp/tmp.Xa1b2c3d4e", b"x"), Entry("tmp/tmp.Zz9y8x7w6v", b"y")]
    (difference,) = explained(tmp_path, uki_with(), uki_with(*cache)).differences[0].children[0].children
    assert (difference.name, difference.excerpt) == ("tmp", ("+tmp/tmp.Xa1b2c3d4e", "+tmp/tmp.Zz9y8x7w6v"))
    assert [cause.name for cause in difference.causes] == ["temporary file"]


@pytest.mark.parametrize(
    ("a", "b", "cause"),
    [
        ("usr/share/conf.aB3dE6fG", "usr/share/conf.Zz9Yy8Xx", ["random id"]),
        ("usr/lib/libfoo.so.1.2.3", "usr/lib/libfoo.so.1.2.4", ["package version"]),
        ("lib/modules/6.1.0-18", "lib/modules/6.1.0-20", ["kernel version"]),
        ("var/backup-2026-11-23", "var/backup-2026-11-24", ["time stamp"]),
        ("usr/bin/one", "usr/bin/two", []),
    ],
)
def test_the_same_thing_under_another_name(tmp_path: Path, a: str, b: str, cause: list[str]) -> None:
    found = explained(tmp_path, uki_with(Entry(a, b"1")), uki_with(Entry(b, b"1")))
    assert named(found) == [(a, cause), (b, cause)]
    (leaf, _) = culprits(found.differences)
    assert leaf.difference.what == f"only in A; B alone has {b}"


def test_hard_links_are_compared_by_the_content_they_share(tmp_path: Path) -> None:
    """newc stores it with the last name: Linux init/initramfs.c, maybe_link()."""
    copies = [Entry("bin/a", b"1\n"), Entry("bin/b", b"1\n")]
    linked = [Entry("bin/a", inode=9, links=2), Entry("bin/b", b"1\n", inode=9, links=2)]
    found = explained(tmp_path, uki_with(*copies), uki_with(*linked)).differences[0].children[0]
    assert [(one.name, one.what, one.a, one.b) for one in found.children] == [
        ("bin/a", "number of hard links", "1", "2"),
        ("bin/b", "number of hard links", "1", "2"),
    ]
    assert [cause.name for cause in found.children[0].causes] == ["hard links"]
    changed = [linked[0], replace(linked[1], content=b"2\n")]
    assert named(explained(tmp_path, uki_with(*linked), uki_with(*changed))) == [("bin/b", [])]
    found = explained(tmp_path, uki_with(*copies), uki_with(*changed)).differences[0].children[0]
    assert [(one.name, one.excerpt) for one in found.children[:2]] == [("bin/a", ("-1", "+2")), ("bin/b", ("-1", "+2"))]


def test_names_and_texts_in_no_encoding_can_be_written(tmp_path: Path) -> None:
    one, other = (uki_with(Entry("caf\udce9\n", text)) for text in (b"\xe9\n", b"\xe8\n"))
    (leaf,) = culprits(explained(tmp_path, one, other).differences)
    assert leaf.path[-1] == "caf\\udce9\n"
    sides = (
        f'{{"manifest_version": 1, "packages": [], "config": {{"\\ud800": {number}}}}}'.encode() for number in (1, 2)
    )
    (leaf,) = culprits(explained(tmp_path, *sides, name="m").differences)
    assert leaf.path[-1] == "config \\ud800"


def test_inode_numbers_are_named_when_nothing_else_differs(tmp_path: Path) -> None:
    one, other = (uki_with(Entry("x", b"1", inode=inode)) for inode in (77, 78))
    assert named(explained(tmp_path, one, other)) == [("x", ["inode numbers"])]


def test_many_times_are_one_difference_with_examples(tmp_path: Path) -> None:
    one, other = (uki_with(*(Entry(f"f{number}", mtime=time) for number in range(40))) for time in (1, 2))
    (difference,) = explained(tmp_path, one, other).differences[0].children[0].children
    assert difference.name == "modification time of 40 entries"
    assert [child.name for child in difference.children] == [f"f{number}" for number in range(8)]
    assert [cause.name for cause in difference.causes] == ["time stamp"]


CONDITIONS = (
    Condition("build_path", ("/build/source",), ("/srv/another-place/second/source.tree",)),
    Condition("domain_host", ("first",), ("second.example.org",)),
    Condition("num_cpus", ("2",), ("1",)),
    Condition("exec_path", ("/usr/sbin:/usr/bin",), ("/usr/sbin:/usr/bin:/i-capture-the-path",)),
    Condition("environment", (), ("1234567890", "i-am-captured")),
    Condition("locales", ("C.UTF-8",), ("et_EE.UTF-8",)),
    Condition("user_group", ("1879048192",), ("1879113728",)),
)


@pytest.mark.parametrize(
    ("a", "b", "cause"),
    [
        ("made in /build/source/x", "made in /srv/another-place/second/source.tree/x", "build path"),
        ("name first", "name second.example.org", "host name"),
        ("2", "1", "number of CPUs"),
        ("/usr/sbin:/usr/bin", "/usr/sbin:/usr/bin:/i-capture-the-path", "search path"),
        ("x=", "x=i-am-captured", "environment value"),
        ("seed 0", "seed 1234567890", "environment value"),
        ("Thu Jan  1 00:00:00 UTC 1970", "Fri Feb 13 23:31:30 UTC 2009", "environment value"),
        ("lang C.UTF-8", "lang et_EE.UTF-8", "locale"),
        ("0 1879048192 65536", "0 1879113728 65536", "user name"),
    ],
)
def test_a_condition_of_the_builds_that_shows_up_is_the_cause(tmp_path: Path, a: str, b: str, cause: str) -> None:
    one, other = (uki_with(Entry("etc/leak", f"{text}\n".encode())) for text in (a, b))
    assert named(explained(tmp_path, one, other, conditions=CONDITIONS)) == [("etc/leak", [cause])]


@pytest.mark.parametrize(("a", "b"), [("first of all", "second of all"), ("3", "4"), ("filled", "folders")])
def test_words_that_only_look_like_a_condition_are_not_the_cause(tmp_path: Path, a: str, b: str) -> None:
    one, other = (uki_with(Entry("etc/leak", f"{text}\n".encode())) for text in (a, b))
    assert named(explained(tmp_path, one, other, conditions=CONDITIONS)) == [("etc/leak", [])]


def test_a_change_in_a_long_line_is_shown_and_known(tmp_path: Path) -> None:
    """As in minified scripts."""
    one, other = (
        uki_with(Entry("x.js", b"f(a);" * 999 + b"t='" + stamp + b"';" + b"g(b);" * 999))
        for stamp in (b"2026-11-23T08:13:00Z", b"2026-11-23T09:26:39Z")
    )
    found = explained(tmp_path, one, other)
    assert named(found) == [("x.js", ["time stamp"])]
    (line, _) = culprits(found.differences)[0].difference.excerpt
    assert line.startswith("-...")
    assert "t='2026-11-23T08:13:00Z';g(b);" in line
