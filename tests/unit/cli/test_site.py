"""`site` through main(argv): what its pages say of statements, and that they are valid, escaped, without scripts and the same every time."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree as ET

import pytest

from builders import documents, keys, reports, sigsum, sites
from builders import statements as sample
from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.appraisal.statements.statement import Independence
from teekit_verify.cli.app import main
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.documents import model
from teekit_verify.record.json_report import render_rebuild

ATOM = "{http://www.w3.org/2005/Atom}"
HOSTILE = "</title><script>alert(1)</script><img src=x onerror=y>\"'&{{'7'*9}}\x1b]0;\u202e"
VOID = {"meta", "link", "br", "hr", "img", "wbr", "input"}


@pytest.fixture
def place(tmp_path: Path) -> sites.Place:
    return sites.make(tmp_path / "data", "alice", "bob", "carol")


def build(place: sites.Place, *more: object, status: int, output: Path | None = None) -> Path:
    public = output or place.top.parent / "public"
    words = ["site", place.reference, "--statements", place.statements, "--trusted-keys", place.keys, "-o", public]
    assert main([*map(str, words), "--on", "2026-11-30", *map(str, more)]) == status
    return public


class Page(HTMLParser):
    """Elements that are open when others end, links, ids, and the text. Fails for what is not nested as it should be."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"{tag} has an attribute twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> ends nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def ids(self) -> list[str]:
        return [value for _, attributes in self.elements if (value := attributes.get("id"))]

    @property
    def links(self) -> list[str]:
        return [
            value
            for _, attributes in self.elements
            for name, value in attributes.items()
            if name in {"href", "src"} and value
        ]

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


def page(public: Path, name: str) -> Page:
    return Page((public / name).read_text(encoding="utf-8"))


def check_site(public: Path) -> int:
    """How many pages: each is nested, has one h1 and no script, and every link of it leads somewhere."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in public.rglob("*.html")}
    for path, one in pages.items():
        tags = [tag for tag, _ in one.elements]
        assert not {"script", "iframe", "object", "embed", "form", "base"} & set(tags), path
        assert tags.count("h1") == 1
        assert tags.count("main") == 1
        assert len(set(one.ids)) == len(one.ids), path
        assert not [name for _, attributes in one.elements for name in attributes if name.startswith("on")], path
        for link in one.links:
            _resolve(link, path, pages)
    return len(pages)


def _resolve(link: str, path: Path, pages: dict[Path, Page]) -> None:
    parts = urlsplit(link)
    if parts.scheme:
        assert parts.scheme in {"http", "https"}, link
        return
    target = path if not parts.path else Path(os.path.normpath(path.parent / unquote(parts.path)))
    assert target.is_file(), (path, link)
    if parts.fragment:
        assert parts.fragment in pages[target].ids, (path, link)


def feed(public: Path) -> list[tuple[str, str, str, str]]:
    """(kind, title, updated, link) of each entry, after what RFC 4287 (4.1.1 and 4.1.2) asks of all."""
    top = ET.fromstring((public / "feed.atom").read_bytes())  # noqa: S314 - our own file
    assert top.tag == f"{ATOM}feed"
    for element in (top, *top.findall(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            assert len(element.findall(f"{ATOM}{name}")) == 1
    entries = top.findall(f"{ATOM}entry")
    ids = [entry.findtext(f"{ATOM}id") for entry in entries]
    assert len(set(ids)) == len(ids)
    assert top.findtext(f"{ATOM}author/{ATOM}name")
    found = []
    for entry in entries:
        category, link = entry.find(f"{ATOM}category"), entry.find(f"{ATOM}link")
        assert category is not None
        assert link is not None
        texts = [entry.findtext(f"{ATOM}{name}") or "" for name in ("title", "updated")]
        found.append((category.attrib["term"], texts[0], texts[1], link.attrib["href"]))
    return found


def test_auditors_who_agree(place: sites.Place) -> None:
    place.release("base-1")
    place.state("base-1", "alice", independence=Independence("Alice & Co", "NO", None))
    place.state("base-1", "bob", Verdict.UNREFERENCED)
    public = build(place, status=0)
    assert check_site(public) == 3
    shown = page(public, "releases/base-1.html").words
    assert "2 auditors, each with a trusted key of their own, rebuilt it" in shown
    assert "Said by the auditor: operator Alice & Co, country NO." in shown
    assert "2026-11-01, 29 days ago" in shown
    assert "alice, bob" in page(public, "index.html").words
    assert "operator Alice & Co, country NO" in page(public, "auditors.html").words
    assert feed(public) == [("release", "Release base-1", "2026-11-01T00:00:00Z", "releases/base-1.html")]
    copy = public / "statements/base-1/alice.intoto.jsonl"
    assert copy.read_bytes() == (place.statements / "base-1/alice.intoto.jsonl").read_bytes()
    values = place.reference / "releases/base-1/values.json"
    assert (public / "references/base-1.json").read_bytes() == values.read_bytes()


def test_one_auditor_with_two_files_is_one(place: sites.Place) -> None:
    place.release("base-1")
    place.state("base-1", "alice")
    place.state("base-1", "alice", name="bob")
    shown = page(build(place, status=0), "releases/base-1.html").words
    assert "One auditor with a trusted key rebuilt it" in shown


def test_an_auditor_who_compared_later_says_the_same(place: sites.Place) -> None:
    """UNREFERENCED before the release was published, REPRODUCED afterwards: one auditor, and no contradiction."""
    place.release("base-1")
    place.state("base-1", "alice", Verdict.UNREFERENCED, name="alice-before")
    place.state("base-1", "alice")
    public = build(place, status=0)
    assert "One auditor with a trusted key rebuilt it" in page(public, "releases/base-1.html").words
    assert [kind for kind, *_ in feed(public)] == ["release"]


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({"verdict": Verdict.MISMATCH, "artifacts": sites.EVIL}, "bob built something else than was published"),
        ({"artifacts": sites.EVIL}, "bob stated other artifacts, inputs or another commit than were published"),
        ({"artifacts": (documents.UKI,)}, "bob stated other artifacts, inputs or another commit than were published"),
        ({"verdict": Verdict.UNREFERENCED, "artifacts": sites.EVIL}, "bob stated other artifacts, inputs or another"),
    ],
    ids=["mismatch", "a lie about bytes", "one file is left out", "compared with nothing"],
)
def test_who_states_something_else_is_told_in_red(place: sites.Place, stated: dict[str, object], said: str) -> None:
    place.release("base-1")
    place.state("base-1", "alice")
    place.state("base-1", "bob", **stated)  # type: ignore[arg-type]
    public = build(place, status=1)
    check_site(public)
    shown = page(public, "releases/base-1.html")
    assert ("div", {"class": "verdict bad"}) in shown.elements
    assert said in shown.words
    assert said in page(public, "index.html").words
    kinds = [(kind, title) for kind, title, _, _ in feed(public)]
    assert kinds[0][0] == "contradiction"
    assert said in kinds[0][1]


def test_who_states_another_commit_or_inputs_does_not_agree(place: sites.Place) -> None:
    published = place.release("base-1")
    other = replace(published, commit="b" * 40)
    place.state("base-1", "alice", about=other)
    place.state("base-1", "bob", about=replace(published, inputs=documents.inputs(packages=())))
    shown = page(build(place, status=1), "releases/base-1.html").words
    assert "another source commit" in shown
    assert "other inputs" in shown
    assert "rebuilt it and got what was published" not in shown


def test_who_contradicts_itself_does_not_count(place: sites.Place) -> None:
    place.release("base-1")
    place.state("base-1", "alice")
    place.state("base-1", "alice", name="alice2", artifacts=sites.EVIL)
    public = build(place, status=1)
    shown = page(public, "releases/base-1.html").words
    assert "alice signed statements that contradict each other" in shown
    assert "contradicts itself: not counted" in shown
    assert page(public, "index.html").words.count("✓ reproduced") == 0


def test_a_statement_about_another_release_is_shown_and_not_counted(place: sites.Place) -> None:
    place.release("base-1")
    other = place.release("base-2")
    place.state("base-1", "alice", about=other)
    public = build(place, status=0)
    assert "about another release: not counted" in page(public, "releases/base-1.html").words
    assert (
        "No auditor with a trusted key has said that it can be rebuilt." in page(public, "releases/base-1.html").words
    )


def test_an_old_release_under_a_new_name_is_not_reproduced(place: sites.Place) -> None:
    """Its reference file and its statements are all good, of the old one."""
    place.release("base-1")
    place.state("base-1", "alice")
    shutil.copytree(place.reference / "releases/base-1", place.reference / "releases/base-2")
    shutil.copytree(place.statements / "base-1", place.statements / "base-2")
    public = build(place, status=2)
    shown = page(public, "index.html").words
    assert shown.count("✓ reproduced") == 1
    assert "values.json is of the release 'base-1', not of 'base-2'" in shown
    assert not (public / "releases/base-2.html").exists()


def test_nothing_is_repeated_that_no_trusted_key_vouches_for(place: sites.Place) -> None:
    place.release("base-1")
    place.state("base-1", "mallory", independence=Independence("EVILCORP", None, None))
    good = place.state("base-1", "bob").read_bytes()
    place.file(
        "base-1",
        "alice.intoto.jsonl",
        good.replace(b'"sig":"', b'"keyid":"%b","sig":"AAAA' % keys.trusted_key("alice").id.encode()),
    )
    public = build(place, status=0)
    shown = page(public, "releases/base-1.html").words
    assert "unknown signature: no trusted key made it" in shown
    assert "bad signature: it names a trusted key, which did not make it" in shown
    assert "EVILCORP" not in shown
    assert [path.name for path in (public / "statements/base-1").iterdir()] == ["bob.intoto.jsonl"]


def test_an_expired_key_does_not_count(place: sites.Place) -> None:
    place.release("base-1")
    place.state("base-1", "alice")
    (place.keys / "alice.pem").write_bytes(b"Expires: 2026-11-29\n" + keys.public_pem("alice"))
    public = build(place, status=0)
    assert "the key has expired" in page(public, "releases/base-1.html").words
    assert "✓ reproduced" not in page(public, "index.html").words
    assert "expired on 2026-11-29" in page(public, "auditors.html").words


def test_what_cannot_be_read_is_said_and_ends_with_2(place: sites.Place, tmp_path: Path) -> None:
    place.release("base-1")
    place.file("base-1", "alice.intoto.jsonl", b"{}")
    assert "cannot be read" in page(build(place, status=2), "releases/base-1.html").words
    (place.statements / "base-1/alice.intoto.jsonl").unlink()
    secret = tmp_path / "secret"
    secret.write_text("TOP SECRET")
    (place.statements / "base-1/bob.intoto.jsonl").symlink_to(secret)
    public = build(place, status=2)
    assert "is a link: not read" in page(public, "releases/base-1.html").words
    assert not (public / "statements").exists()
    (place.statements / "base-1/bob.intoto.jsonl").unlink()
    (place.statements / "base-1").rename(tmp_path / "elsewhere")
    (place.statements / "base-1").symlink_to(tmp_path / "elsewhere")
    public = build(place, status=2)
    assert "is a link: not read" in page(public, "releases/base-1.html").words, "all statements are behind it"
    (place.reference / "releases/base-1/values.json").write_text("{}")
    public = build(place, status=2)
    assert "is not a document of this tool" in page(public, "index.html").words
    check_site(public)


def test_a_release_that_is_withdrawn_or_not_signed(place: sites.Place) -> None:
    place.release("base-1", withdrawn="the host becomes root")
    place.state("base-1", "alice")
    public = build(place, status=0)
    shown = page(public, "releases/base-1.html").words
    assert "It must not be accepted any more." in shown
    assert "the host becomes root" in shown
    assert [kind for kind, *_ in feed(public)] == ["withdrawal", "release"]
    place.release("base-2")
    public = build(place, "--publisher-keys", place.keys, status=1)
    assert "not in order" in page(public, "releases/base-2.html").words
    for name in ("base-1", "base-2"):
        signed = keys.write_private(place.top, "carol")
        values = place.reference / "releases" / name / "values.json"
        assert main(["reference", "sign", str(values), "--key", str(signed)]) == 0
    public = build(place, "--publisher-keys", place.keys, status=0)
    assert "✓ carol" in page(public, "releases/base-2.html").words
    assert (public / "references/base-2.json.sig").is_file()
    check_site(public)


def test_every_foreign_name_is_escaped(place: sites.Place) -> None:
    """Statements are checked for their form, but names of files, packages, labels and reasons are anybody's."""
    published = documents.reference()
    register = model.ReferenceRegister(model.Policy.IGNORE, HOSTILE, ())
    platforms = {**published.platforms, "tdx": dict.fromkeys(published.platforms["tdx"], register)}
    hostile = replace(
        published,
        artifacts=(replace(documents.UKI, name=HOSTILE),),
        inputs=documents.inputs(packages=(documents.package(HOSTILE),), source_files=(documents.source(HOSTILE),)),
        platforms=platforms,
    )
    place.release("base-1", reference=hostile, withdrawn=HOSTILE, repository=f"javascript:{HOSTILE}")
    place.state("base-1", "alice", independence=Independence(HOSTILE, None, HOSTILE))
    odd = 'x"><script>y'
    place.release(odd)
    place.state(odd, "bob")
    public = build(place, "--url", "https://example.org/site/", status=0)
    assert check_site(public) == 4
    for path in (*public.rglob("*.html"), public / "feed.atom"):
        text = path.read_text(encoding="utf-8")
        assert "<script" not in text
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "777777777" not in text
    assert "</title><script>alert(1)" in page(public, "releases/base-1.html").words
    assert {link for *_, link in feed(public)} == {
        "https://example.org/site/releases/base-1.html",
        next(f"https://example.org/site/releases/{path.name}" for path in public.glob("releases/x-*.html")),
    }


def test_reports_are_written_anew_and_only_where_the_statement_says_the_same(
    place: sites.Place, tmp_path: Path
) -> None:
    place.release("base-1")
    for name in ("alice", "bob", "carol"):
        place.state("base-1", name)
    values = (place.reference / "releases/base-1/values.json").read_bytes()
    used = replace(reports.USED, sha256=Digest(Algorithm.SHA256, hashlib.sha256(values).digest()))
    report = replace(reports._rebuild(documents.build(), documents.reference()), reference=used)
    other = replace(report, reference=replace(used, sha256=documents.sha256("other values")))
    folder = tmp_path / "reports/base-1"
    for name, one in (("alice", report), ("bob", sample.MISMATCH), ("carol", other), ("mallory", report)):
        (folder / name).mkdir(parents=True)
        (folder / name / "report.json").write_bytes(render_rebuild(one))
        (folder / name / "report.html").write_text("<script>alert(1)</script>")
    public = build(place, "--reports", tmp_path / "reports", status=0)
    assert [path.name for path in (public / "reports/base-1").iterdir()] == ["alice.html"]
    shown = page(public, "releases/base-1.html")
    assert "../reports/base-1/alice.html" in shown.links
    for name in ("bob", "carol"):
        assert f"The report of {name} is not shown: it says something else than the signed statement." in shown.words
    (folder / "alice").rename(tmp_path / "moved")
    (folder / "alice").symlink_to(tmp_path / "moved")
    public = build(place, "--reports", tmp_path / "reports", status=0)
    assert not (public / "reports").exists()


def contents(public: Path) -> dict[str, bytes]:
    return {path.relative_to(public).as_posix(): path.read_bytes() for path in public.rglob("*") if path.is_file()}


def test_200_releases_twice_the_same_and_every_link_leads_somewhere(place: sites.Place, tmp_path: Path) -> None:
    published = documents.reference()
    for number in range(200):
        place.release(f"base-{number}", reference=published, released=f"2026-{1 + number % 12:02}-{1 + number % 28:02}")
        if number % 4 == 0:
            place.state(f"base-{number}", "alice", about=replace(published, release=f"base-{number}"))
    public = build(place, status=0)
    first = contents(public)
    assert check_site(public) == 202
    assert contents(build(place, status=0)) == first
    assert contents(build(place, status=0, output=tmp_path / "elsewhere")) == first
    entries = feed(public)
    assert len(entries) == 100
    assert [entry[2] for entry in entries] == sorted((entry[2] for entry in entries), reverse=True)
    rows = [attributes for tag, attributes in page(public, "index.html").elements if tag == "tr"]
    assert len(rows) == 201


def test_a_release_without_a_day_is_in_the_feed(place: sites.Place) -> None:
    place.release("base-1", released=None)
    public = build(place, status=0)
    assert feed(public)[0][2] == "1970-01-01T00:00:00Z"
    assert "day not stated" in page(public, "releases/base-1.html").words


def test_only_a_site_is_replaced(place: sites.Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place.release("base-1")
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.txt").write_text("mine")
    build(place, status=2, output=home)
    assert "would be deleted" in capsys.readouterr().err
    assert [path.name for path in home.iterdir()] == ["thesis.txt"]
    (tmp_path / "link").symlink_to(home)
    build(place, status=2, output=tmp_path / "link")
    assert "is a link" in capsys.readouterr().err
    public = build(place, status=0)
    (public / "old.html").symlink_to(home / "thesis.txt")
    build(place, status=0)
    assert not (public / "old.html").exists()
    assert (home / "thesis.txt").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "home", "link", "public"]


def test_a_command_to_be_copied_has_the_name_as_one_word(place: sites.Place) -> None:
    name = "base'; echo $(id)"
    place.release(name)
    public = build(place, status=0)
    (path,) = (public / "releases").iterdir()
    commands = page(public, f"releases/{path.name}").text.split("teekit-verify rebuild", 1)[1].splitlines()[:2]
    assert [shlex.split(line)[-1] for line in commands] == [name, name]


def test_what_fails_leaves_the_earlier_site(place: sites.Place, tmp_path: Path) -> None:
    place.release("base-1")
    first = contents(build(place, status=0))
    place.release("base-2")
    many = place.statements / "base-2"
    many.mkdir()
    for number in range(1001):
        (many / f"a{number}.intoto.jsonl").write_bytes(b"")
    public = build(place, status=2)
    assert contents(public) == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "public"]


def test_a_folder_without_releases(place: sites.Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.reference.mkdir()
    build(place, status=2)
    assert "has no releases" in capsys.readouterr().err


def _log(place: sites.Place, quorum: str = "all", witnesses: tuple[str, ...] = ("w1", "w2")) -> Path:
    policy = place.top / "policy"
    policy.write_bytes(sigsum.policy(witnesses, quorum))
    return policy


def _prove(statement: Path, submitter: str, *, of: bytes | None = None) -> Path:
    proof = statement.with_name(f"{statement.name}.sigsum-proof")
    proof.write_bytes(sigsum.proof_of(of or statement.read_bytes(), submitter, ("w1", "w2")))
    return proof


def test_what_is_in_a_log_and_what_is_not(place: sites.Place) -> None:
    """A bad proof is red, one that is missing is not; without a policy nobody looks."""
    place.release("v1")
    proof = _prove(place.state("v1", "alice"), "alice")
    place.state("v1", "bob")
    _prove(place.state("v1", "carol"), "carol", of=b"another statement")
    assert "logged" not in page(build(place, status=0), "releases/v1.html").words
    public = build(place, "--log-policy", _log(place), status=0)
    words = page(public, "releases/v1.html").words
    assert "✓ logged: leaf 0 of 1 in the log e747be1c" in words
    assert "○ not logged: has no proof beside it" in words
    assert "✗ not logged: its proof is about other bytes than the statement's" in words
    assert (public / "statements/v1/alice.intoto.jsonl.sigsum-proof").read_bytes() == proof.read_bytes()
    assert not (public / "statements/v1/carol.intoto.jsonl.sigsum-proof").exists()
    assert check_site(public) == 3
    assert "alice, bob, carol" in page(public, "index.html").words


def test_what_is_in_no_log_has_no_vote_where_one_is_required(
    place: sites.Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.release("v1")
    _prove(place.state("v1", "alice"), "alice")
    place.state("v1", "bob")
    given = ("--log-policy", _log(place), "--require-logged")
    public = build(place, *given, status=0)
    words = page(public, "releases/v1.html").words
    assert "One auditor with a trusted key rebuilt it" in words
    assert "in no log: not counted" in words
    _log(place, witnesses=("w1", "w2", "w3"))  # the third one saw nothing
    public = build(place, *given, status=0)
    assert "NOT REPRODUCED YET" in page(public, "releases/v1.html").words
    place.state("v1", "bob", artifacts=sites.EVIL)
    build(place, *given, status=1)
    assert "CONTRADICTION about v1: bob" in capsys.readouterr().err, "what speaks against a release needs no log"
    capsys.readouterr()
    build(place, "--require-logged", status=2)
    assert "--require-logged needs --log-policy FILE" in capsys.readouterr().err
