"""The YAML that evidence comes in, against PyYAML."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from teekit_verify.core.errors import MalformedInputError
from teekit_verify.evidence.plain_yaml import looks_like_yaml, parse_document, parse_yaml

AZURE = Path(__file__).parents[2] / "assets" / "azure"

TEXTS = {
    "block scalars": "a: |\n  one\n  two\nb: |-\n  one\n\n  two\nc: >-\n  one\n  two\nd: 1\n",
    "lists as deep as their key": "a:\n- 1\n- 2\nb:\n  - x\n  - y\n",
    "lists in lists": "a:\n- - 1\n  - 2\n- - 3\n",
    "mappings in lists": "a:\n- b: 1\n  c: text\n- b: 2\n",
    "texts in lists": "a:\n- |\n  PEM\n  PEM\n- |-\n  PEM\n",
    "flow over lines": "a: [\n  1, 2,\n  3, 4\n  ]\nb: [5, 6]\n",
    "nothing": "a:\nb: null\nc: ~\nd: []\n",
    "quoted": "a: 'it''s'\nb: \"x\\n\"\n\"c\": 1\n",
    "below its key": "a:\n    []\nb:\n  c: true\n",
    "comments": "# first\na: 1\n\n# more\nb: 2\n",
    "a document": "---\na: 1\n",
}


@pytest.mark.parametrize("name", TEXTS)
def test_it_means_what_it_means_to_pyyaml(name: str) -> None:
    assert looks_like_yaml(TEXTS[name])
    assert parse_yaml(TEXTS[name], "it") == yaml.safe_load(TEXTS[name])


@pytest.mark.parametrize("name", ["attested-tls.yaml", "attested-tls-collateral.yaml"])
def test_real_documents(name: str) -> None:
    data = (AZURE / name).read_bytes()
    assert parse_document(data, "it") == yaml.safe_load(data)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: &x 1\n", "has syntax that is not supported"),
        ("a: *x\n", "has syntax that is not supported"),
        ("a: !!binary x\n", "has syntax that is not supported"),
        ("a: 1\na: 2\n", "occurs twice"),
        ("a:\n\tb: 1\n", "is indented with tabs"),
        ("a: [1, 2\n", "cannot be read"),
        ("a: 1\n- b\n", "is not expected there"),
        ("a: 1\n" + "x" * 10, "is not expected there"),
        ("a:\n" + "".join(f"{' ' * n}k:\n" for n in range(1, 40)), "is too deep"),
    ],
)
def test_what_is_refused(text: str, problem: str) -> None:
    with pytest.raises(MalformedInputError, match=problem):
        parse_yaml(text, "it")


@pytest.mark.parametrize("text", ["{}", "[1]", "QUJD", "", "no key here", "-----BEGIN CERTIFICATE-----"])
def test_other_texts_are_none(text: str) -> None:
    assert not looks_like_yaml(text)
