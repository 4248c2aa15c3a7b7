from __future__ import annotations

from teekit_verify.explanation.tree import Cause, Difference, Kind, culprits, leaves

_CLOCK = Cause("time stamp", "the clock")
_FILE = Difference("etc/issue", Kind.CONTENT, "differs")
_MODE = Difference("etc/passwd", Kind.METADATA, "mode")
_STAMP = Difference(".osrel", Kind.CONTENT, "differs", causes=(_CLOCK,))
_TREE = Difference(
    "image.efi",
    Kind.CONTENT,
    "differs",
    children=(
        Difference("PE header", Kind.CONTENT, "checksum"),
        Difference(".initrd", Kind.CONTENT, "differs", children=(_FILE, _MODE)),
        _STAMP,
    ),
)


def test_leaves_come_with_the_names_that_lead_to_them() -> None:
    assert [leaf.path for leaf in leaves([_TREE])] == [
        ("image.efi", "PE header"),
        ("image.efi", ".initrd", "etc/issue"),
        ("image.efi", ".initrd", "etc/passwd"),
        ("image.efi", ".osrel"),
    ]


def test_culprits_with_a_cause_come_first_and_then_the_deepest() -> None:
    assert [leaf.path[-1] for leaf in culprits([_TREE])] == [".osrel", "etc/issue", "etc/passwd", "PE header"]


def test_what_is_told_of_many_is_one_culprit_and_not_its_examples() -> None:
    """Else eight lines of the screen say what one does."""
    examples = tuple(Difference(name, Kind.METADATA, "modification time", causes=(_CLOCK,)) for name in ("bin", "boot"))
    many = Difference(
        "modification time of 939 entries", Kind.METADATA, "differs", causes=(_CLOCK,), children=examples, count=939
    )
    tree = Difference(".initrd", Kind.CONTENT, "differs", children=(_FILE, many))
    assert [leaf.path[-1] for leaf in culprits([tree])] == ["modification time of 939 entries", "etc/issue"]
