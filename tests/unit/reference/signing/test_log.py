"""Proofs of Sigsum: examples of its own tests (sigsum-go, pkg/proof/proof_test.go), proofs made by its programs, and what is wrong with none of their parts."""

from __future__ import annotations

import base64
import re
from hashlib import sha256
from pathlib import Path

import pytest

from builders.sigsum import public_bytes
from teekit_verify.core.errors import MalformedInputError, TeekitError
from teekit_verify.reference.signing.log import LogFinding, LogStanding, root_hash, verify_proof
from teekit_verify.reference.signing.log_policy import parse_policy
from teekit_verify.reference.signing.log_proof import parse_proof

ASSETS = Path(__file__).parents[3] / "assets" / "sigsum"
MESSAGE = b"foo-4\n".rjust(32)
# Verified by TestVerifyNoCosignatures and TestVerify.
UNWITNESSED = """version=2
log=1f8d4547082a5985ad0e59ffe219f7a065e09c6b77a0012daf276e5dd1805b4b
leaf=69512577a0f3c2695011ddc549756099017b7e2c8390341cbb24c57e886775f1 262737d935123272b9e3265fe2e38a014a9c1b13951e864737666251ada26dabbc6e699a4e527ec52a0be970e158abef35f087766d18d560853a44855119cf01

size=4
root_hash=7bca01e88737999fde5c1d6ecac27ae3cb49e14f21bcd3e7245c276877b899c9
signature=c60e5151b9d0f0efaf57022c0ec306c0f0275afef69333cc89df4fda328c87949fcfa44564f35020938a4cd6c1c50bc0349b2f54b82f5f6104b9cd52be2cd90e

leaf_index=3
node_hash=e7d222a285ca81fdc76bfcd5513408c87dd42a18e03d6c3b672a05982163c01b
node_hash=15cdc42440689a6f7599e09f61a4d638420cb58662f5994def1624ea4d923879
"""
WITNESSED = """version=2
log=7c5fafc796c201e0fcd7567c5033a2777ec28363f54ea0ba97b57bece0d96acd
leaf=8a578b9649ba01b7d29dd557906975d68a3aec50e3f9c08690420b8c6426856d 79b489a38548a67d78f06221b014d41be58b703237d17b4f203f0dd4ead9e2597149c2f118894581ce7473a61fa880716af6ff2138bade2cecc4b297099bf104

size=4
root_hash=3ddc56fd46e71e517b6936b977a457da7d398108141fcdf5c8386cdd724ab7a8
signature=ccbdd8c784726b732b8edd2039fbad5506e4acccd56e3e5d86c0ee109b3d2662e6881fe3d09fc48f9ddd31494463c5ec44926ff9158785ad1dd9b5d6434b0804
cosignature=bd8385aa82e07c3e1e297a1600c12bb25ce7a9490b5c1287ec30e09ac4c8b884 1683202758 e8d6c447d7847d5c1431ef86f8c60fa0cbacd975388b2a8f202fe4b0f9d0d544989c9d9351752d86aae2df72b9d7135b6b09de2ccaa6d68edf638105d69be609

leaf_index=3
node_hash=61010ae798308f5b97237615ab8c1b14f2c782c37616e97d0a170b617bc7a4ce
node_hash=a5c3752be610d605ce5c64ee2e28ee5b94a1cc0a68742f18f24c9b5c82d07298
"""


def _key(openssh: str) -> bytes:
    return base64.b64decode(openssh)[-32:]


LOG = _key("AAAAC3NzaC1lZDI1NTE5AAAAIKwmwKhVrEUaZTlHjhoWA4jwJLOF8TY+/NpHAXAHbAHl")
SUBMITTER = _key("AAAAC3NzaC1lZDI1NTE5AAAAIMdLcxVjCAQUHbD4jCfFP+f8v1nmyjWkq6rXiexrK8II")
WITNESS = _key("AAAAC3NzaC1lZDI1NTE5AAAAIMvjV+a0ZASecDt75siSARk6zCoYwJWwaRqvULmx4VeK")
POLICY = f"log {LOG.hex()}\nwitness W {WITNESS.hex()}\nquorum W\n"


def _found(
    proof: str, policy: str = POLICY, *, message: bytes = MESSAGE, submitters: tuple[bytes, ...] = (SUBMITTER,)
) -> LogFinding:
    return verify_proof(parse_proof(proof.encode(), "it"), message, submitters, parse_policy(policy.encode(), "policy"))


def test_an_example_that_a_witness_saw() -> None:
    found = _found(WITNESSED, submitters=(bytes(32), SUBMITTER))
    assert found.standing is LogStanding.LOGGED
    assert (found.log, found.index, found.size) == (sha256(LOG).hexdigest(), 3, 4)
    assert [(item.name, item.timestamp) for item in found.witnesses] == [("W", 1683202758)]


def test_an_example_that_no_witness_saw() -> None:
    log = _key("AAAAC3NzaC1lZDI1NTE5AAAAIN6kw3w2BWjlKLdrtnv4IaN+zg8/RpKGA98AbbTwjpdQ")
    submitter = _key("AAAAC3NzaC1lZDI1NTE5AAAAIMCMTGNMNe1HP2us/dR5dBpyrSPDgPQ9mX5j9iqbLIS+")
    found = _found(UNWITNESSED, f"log {log.hex()}\nquorum none", submitters=(submitter,))
    assert (found.standing, found.witnesses) == (LogStanding.LOGGED, ())
    witness = f"log {log.hex()}\nwitness W {WITNESS.hex()}\nquorum W"
    assert _found(UNWITNESSED, witness, submitters=(submitter,)).standing is LogStanding.NO_QUORUM


@pytest.mark.parametrize(
    ("auditor", "index", "size"), [("alice", 0, 1), ("carol", 2, 3), ("dave", 3, 4)]
)  # as the proofs of sigsum-submit say
def test_proofs_of_sigsums_own_programs(auditor: str, index: int, size: int) -> None:
    statement = (ASSETS / f"{auditor}.intoto.jsonl").read_bytes()
    proof = parse_proof((ASSETS / f"{auditor}.intoto.jsonl.sigsum-proof").read_bytes(), "it")
    policy = parse_policy((ASSETS / "policy").read_bytes(), "policy")
    found = verify_proof(proof, sha256(statement).digest(), [public_bytes(auditor)], policy)
    assert found.standing is LogStanding.LOGGED
    assert (found.index, found.size, {item.name for item in found.witnesses}) == (index, size, {"w1", "w2", "w3"})
    other = verify_proof(proof, sha256(statement + b"\n").digest(), [public_bytes(auditor)], policy)
    assert other.standing is LogStanding.LEAF_SIGNATURE


def _flipped(key: str, item: int = 0) -> str:
    """The example with one hexadecimal digit of a value changed."""
    found = re.search(rf"^{key}=(?:\S+ ){{{item}}}([0-9a-f]+)", WITNESSED, re.MULTILINE)
    assert found
    last = found.end(1) - 1
    return WITNESSED[:last] + ("0" if WITNESSED[last] != "0" else "1") + WITNESSED[last + 1 :]


@pytest.mark.parametrize(
    ("proof", "standing"),
    [
        (_flipped("log"), LogStanding.UNKNOWN_LOG),
        (_flipped("leaf"), LogStanding.OTHER_SUBMITTER),
        (_flipped("leaf", 1), LogStanding.LEAF_SIGNATURE),
        (WITNESSED.replace("size=4", "size=5"), LogStanding.TREE_HEAD_SIGNATURE),
        (_flipped("root_hash"), LogStanding.TREE_HEAD_SIGNATURE),
        (_flipped("signature"), LogStanding.TREE_HEAD_SIGNATURE),
        (_flipped("cosignature"), LogStanding.NO_QUORUM),
        (_flipped("cosignature", 1), LogStanding.NO_QUORUM),
        (_flipped("cosignature", 2), LogStanding.NO_QUORUM),
        (re.sub("cosignature=.*\n", "", WITNESSED), LogStanding.NO_QUORUM),
        (_flipped("leaf_index"), LogStanding.NOT_INCLUDED),
        (WITNESSED.replace("leaf_index=3", "leaf_index=4"), LogStanding.NOT_INCLUDED),
        (_flipped("node_hash"), LogStanding.NOT_INCLUDED),
        (WITNESSED + f"node_hash={'0' * 64}\n", LogStanding.NOT_INCLUDED),
        ("\n".join(WITNESSED.splitlines()[:-1]) + "\n", LogStanding.NOT_INCLUDED),
    ],
)
def test_each_changed_part_is_noticed(proof: str, standing: LogStanding) -> None:
    assert _found(proof).standing is standing


def test_another_message_submitter_log_and_witness() -> None:
    assert _found(WITNESSED, message=bytes(32)).standing is LogStanding.LEAF_SIGNATURE
    assert _found(WITNESSED, submitters=()).standing is LogStanding.OTHER_SUBMITTER
    assert _found(WITNESSED, submitters=(WITNESS,)).standing is LogStanding.OTHER_SUBMITTER
    other_log = POLICY.replace(LOG.hex(), WITNESS.hex())
    assert _found(WITNESSED, other_log).standing is LogStanding.UNKNOWN_LOG
    missing = POLICY.replace("quorum W", f"witness V {LOG.hex()}\ngroup G all V W\nquorum G")
    found = _found(WITNESSED, missing)
    assert (found.standing, [item.name for item in found.witnesses]) == (LogStanding.NO_QUORUM, ["W"])
    assert _found(WITNESSED, missing.replace("all", "any")).standing is LogStanding.LOGGED


def test_a_log_that_signs_as_its_own_witness_is_no_witness() -> None:
    """A cosignature is by the witness's key, over other bytes than a tree head's."""
    signature = re.search("^signature=(.*)$", WITNESSED, re.MULTILINE)
    assert signature
    line = f"cosignature={sha256(LOG).hexdigest()} 1683202758 {signature[1]}\n"
    policy = f"log {LOG.hex()}\nwitness L {LOG.hex()}\nquorum L"
    assert _found(re.sub("cosignature=.*\n", line, WITNESSED), policy).standing is LogStanding.NO_QUORUM


def test_keys_that_are_no_points_sign_nothing() -> None:
    policy = POLICY.replace(WITNESS.hex(), "ff" * 32)
    assert _found(WITNESSED, policy).standing is LogStanding.NO_QUORUM


@pytest.mark.parametrize("size", range(1, 18))
def test_paths_in_trees_of_every_shape(size: int) -> None:
    """The trees are made by the definition (RFC 9162, sections 2.1.1 and 2.1.3.1), not as the paths are checked."""
    leaves = [sha256(bytes([0, number])).digest() for number in range(size)]
    for index in range(size):
        path = _path(index, leaves)
        assert root_hash(leaves[index], index, size, path) == _root(leaves)
        assert root_hash(leaves[index], size, size, path) is None
        for other in set(range(size)) - {index}:
            assert root_hash(leaves[index], other, size, path) != _root(leaves)
        if path:
            assert root_hash(leaves[index], index, size, path[:-1]) is None
        assert root_hash(leaves[index], index, size, (*path, bytes(32))) is None


def _root(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    half = _split(len(leaves))
    return sha256(b"\x01" + _root(leaves[:half]) + _root(leaves[half:])).digest()


def _path(index: int, leaves: list[bytes]) -> tuple[bytes, ...]:
    if len(leaves) == 1:
        return ()
    half = _split(len(leaves))
    if index < half:
        return (*_path(index, leaves[:half]), _root(leaves[half:]))
    return (*_path(index - half, leaves[half:]), _root(leaves[:half]))


def _split(count: int) -> int:
    """The largest power of two below it."""
    half = 1
    while 2 * half < count:
        half *= 2
    return half


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("version=2", "version=1", "version at offset 0x0: expected 2, found '1'"),
        ("version=2", "version=02", "expected 2, found '02'"),
        ("version=2\n", "", "version at offset 0x0: expected version=, found 'log="),
        ("log=7c", "log=7", "log at offset 0xa: expected 64 hexadecimal digits"),
        ("log=7c", "log=7g", "expected 64 hexadecimal digits"),
        (" 79b4", "  79b4", "leaf at offset 0x4f: expected 2 items with one space in between, found 3"),
        ("leaf=", "leaf=abcd ", "expected 2 items with one space in between, found 3"),
        ("size=4", "size=04", "size at offset 0x117: expected a number below 2**63, found '04'"),
        ("size=4", "size=+4", "expected a number below 2**63"),
        ("size=4", "size=0", "expected at least 1, found 0: an empty tree holds nothing"),
        ("size=4", f"size={1 << 63}", "expected a number below 2**63"),
        ("size=4", "size=\u0664", "line at offset 0x11c: is not ASCII"),
        ("size=4", "size=1", "end at offset {before leaf_index}: expected nothing more, found ''"),
        ("\n\nsize", "\nsize", "separator at offset {size}: expected an empty line, found 'size=4'"),
        (
            "\n\nleaf_index",
            "\nleaf_index",
            "separator at offset {leaf_index}: expected an empty line, found 'leaf_index=3'",
        ),
        ("leaf_index=3\n", "", "leaf_index at offset {node_hash}: expected leaf_index=, found 'node_hash="),
        ("root_hash", "root-hash", "root_hash at offset 0x11e: expected root_hash=, found 'root-hash="),
        (" 1683202758 ", " -1 ", "cosignature at offset {cosignature}: expected a number below 2**63, found '-1'"),
        ("07298\n", "07298\n\n", "end at offset {end}: expected nothing more, found ''"),
        ("07298\n", "07298\r\n", "node_hash at offset {node_hash=a5c}: expected 64 hexadecimal digits"),
        (
            "07298\n",
            "07298",
            "line at offset {node_hash=a5c}: expected a newline at the end, found none: was it cut off?",
        ),
    ],
)
def test_what_is_no_proof(old: str, new: str, problem: str) -> None:
    """In braces: how the line begins whose offset it is."""
    assert WITNESSED.count(old) == 1
    changed = WITNESSED.replace(old, new)
    with pytest.raises(MalformedInputError, match=r"^it: ") as caught:
        parse_proof(changed.encode(), "it")
    assert re.sub(r"{(.*)}", lambda found: hex(_offset(changed, found[1])), problem) in caught.value.message


def _offset(proof: str, line: str) -> int:
    if line == "end":
        return len(proof) - 1
    return proof.index(f"\n{line.removeprefix('before ')}") + (0 if line.startswith("before ") else 1)


def test_bounds() -> None:
    with pytest.raises(TeekitError, match="is too large for a Sigsum proof"):
        parse_proof(b"0" * 70_000, "it")
    (line,) = re.findall("cosignature=.*\n", WITNESSED)
    with pytest.raises(MalformedInputError, match="a second one by the same witness"):
        parse_proof(WITNESSED.replace(line, line * 2).encode(), "it")
    many = "".join(f"cosignature={number:064x} 1 {'0' * 128}\n" for number in range(257))
    with pytest.raises(MalformedInputError, match=r"cosignature at offset .* expected at most 256"):
        parse_proof(WITNESSED.replace(line, many).encode(), "it")
    with pytest.raises(MalformedInputError, match=r"node_hash at offset .*: expected at most 63"):
        parse_proof((WITNESSED + f"node_hash={'0' * 64}\n" * 62).encode(), "it")


def test_no_path_at_all_is_no_proof() -> None:
    with pytest.raises(MalformedInputError, match=r"node_hash at offset .* expected a line, found the end"):
        parse_proof(re.sub("node_hash=.*\n", "", WITNESSED).encode(), "it")
