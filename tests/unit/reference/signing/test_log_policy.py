"""Policies: the examples of Sigsum's own tests (sigsum-go, pkg/policy/config_test.go), and limits of ours."""

from __future__ import annotations

from hashlib import sha256

import pytest

from teekit_verify.core.errors import MalformedInputError, TeekitError
from teekit_verify.reference.signing.log_policy import parse_policy

A, B, C, D, E, F = (letter * 64 for letter in "abcdef")
TWO_LEVELS = f"""
# example config
log {A} http://sigsum.example.org
  # comment
  log {B}

witness W1 {C} http://w1
# same key for log and key is undesirable, but not an error
witness W2 {A}
witness W3 {D} http://w3
witness W4 {E} https://w4/
witness W5 {F} https://w5

group G1 any W1 W2
group G2 2 W3 W4 W5
group G3 all G1 G2

quorum G3

  log {C}
witness W6 {B}
"""
NUMERIC = "".join(
    (
        f"log {A}\n",
        *(f"witness A{number} {'a' * 63}{number}\n" for number in (1, 2, 3)),
        *(f"witness B{number} {'b' * 63}{number}\n" for number in (1, 2, 3)),
        "group A-group 1 A1 A2 A3\ngroup B-group 2 B1 B2 B3\ngroup G any A-group B-group\nquorum G\n",
    )
)
KEYS = {"W1": C, "W2": A, "W3": D, "W4": E, "W5": F} | {
    f"{letter.upper()}{number}": letter * 63 + str(number) for letter in "ab" for number in (1, 2, 3)
}


def _hash(key: str) -> bytes:
    return sha256(bytes.fromhex(key)).digest()


@pytest.mark.parametrize(
    ("policy", "seen", "enough"),
    [
        (TWO_LEVELS, "", False),
        *((TWO_LEVELS, seen, False) for seen in ("W1", "W2", "W3", "W3 W4 W5", "W1 W2", "W1 W3")),
        *((TWO_LEVELS, seen, True) for seen in ("W1 W3 W4", "W2 W3 W5")),
        *((NUMERIC, seen, False) for seen in ("", "B1", "B2", "B3")),
        *((NUMERIC, seen, True) for seen in ("A1", "A2", "A3", "A1 A3", "A1 A3 B1", "B1 B2", "B1 B3", "B2 B3")),
        (NUMERIC, "A2 B1 B2 B3", True),
        (f"log {A}\nquorum none", "", True),
        (f"witness W1 {C}\nquorum W1", "", False),
        (f"witness W1 {C}\nquorum W1", "W1", True),
    ],
)
def test_who_is_enough(policy: str, seen: str, *, enough: bool) -> None:
    assert parse_policy(policy.encode(), "it").met({_hash(KEYS[name]) for name in seen.split()}) is enough


def test_logs_and_witnesses() -> None:
    policy = parse_policy(TWO_LEVELS.encode(), "it")
    assert policy.logs == {_hash(key): bytes.fromhex(key) for key in (A, B, C)}
    assert [name for name, _ in policy.witnesses.values()] == [b"W1", b"W2", b"W3", b"W4", b"W5", b"W6"]


def test_keys_in_either_case_and_names_of_any_octets() -> None:
    data = f"witness \xe2\x84\xaa {C.upper()}\nwitness K {D}\n\tquorum \xe2\x84\xaa\t".encode("latin-1")
    policy = parse_policy(data, "it")
    assert policy.met({_hash(C)}), "a Kelvin sign is no K"
    assert not policy.met({_hash(D)})


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        ("", "quorum at offset 0x0: expected one line, found none"),
        ("# \f\nquorum none\n", "line at offset 0x0: has the control character 0x0c"),
        ("# \x7f\nquorum none\n", "has the control character 0x7f"),
        ("quorum none\r\n", "has the control character 0x0d"),
        (f"log {A}\n  log {A}\n", f"log at offset 0x45: '{A}' occurs twice"),
        (f"log {A} http://example.org #comment", "log at offset 0x0: expected a public key and perhaps an address"),
        (f"witness W1 {C}\nwitness W2 {C}\n", f"'{C}' occurs twice"),
        (f"witness W1 {C}\nwitness W1 {D}\n", "'W1' occurs twice"),
        (f"witness none {C}\n", "'none' occurs twice"),
        (f"witness W1 {C}\nwitness W2 {A}\ngroup G all W1 W3 W2", "group at offset 0x98: 'W3' is not defined above"),
        (f"witness W1 {C}\ngroup G all W1\n", "expected one line, found none"),
        (f"witness W1 {C}\nwitness W2 {A}\ngroup G all W1 W2 W1", "'W1' cannot be a member, or not once more"),
        (
            f"witness W1 {C}\nwitness W2 {A}\nwitness W3 {B}\ngroup G1 all W1 W2\ngroup G2 all W3 W2",
            "'W2' cannot be a member",
        ),
        (f"log {A}\nwitness W {B}\ngroup G all W none\nquorum G", "'none' cannot be a member"),
        ("group G any G\n", "'G' is not defined above"),
        ("quorum none\nquorum none\n", "quorum at offset 0xc: expected one line, found another"),
        ("quorum G\n", "'G' is not defined above"),
        *(
            (f"witness W {C}\ngroup G {threshold} W\nquorum G", "threshold: expected any, all or 1 to 1, found")
            for threshold in ("0", "2", "-1", "+1", "01", "1.0", "some", "any,", "\u0661")
        ),
        ("witness W\nquorum W", "expected a name, a public key and perhaps an address, found 1 items"),
        ("log abc\n", "expected a public key of 64 hexadecimal digits, found 'abc'"),
        (f"log {A}00\n", "expected a public key of 64 hexadecimal digits"),
        (f"Log {A}\n", "expected log, witness, group or quorum, found 'Log'"),
        (f"log\xa0{A}\n", "expected log, witness, group or quorum"),
    ],
)
def test_what_is_no_policy(policy: str, problem: str) -> None:
    with pytest.raises(MalformedInputError, match=r"^it: ") as caught:
        parse_policy(policy.encode(), "it")
    assert problem in caught.value.message
    assert caught.value.hint == "Correct the policy; its format is Sigsum's."


def test_bounds() -> None:
    with pytest.raises(TeekitError, match="is too large for a log policy"):
        parse_policy(b"#" * 70_000, "it")
    with pytest.raises(TeekitError, match="is too large for a log policy"):
        parse_policy(b"\n" * 1000 + b"quorum none", "it")
    many = "".join(f"log {number:064x}\n" for number in range(257))
    with pytest.raises(MalformedInputError, match="expected at most 256 of them"):
        parse_policy(many.encode(), "it")


def test_groups_within_groups_need_no_deep_stack() -> None:
    groups = [f"group G{number} all {f'G{number - 1}' if number else 'W'}" for number in range(256)]
    policy = parse_policy("\n".join([f"witness W {C}", *groups, "quorum G255"]).encode(), "it")
    assert policy.met({_hash(C)})
    assert not policy.met(set())
