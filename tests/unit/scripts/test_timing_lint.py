"""No script of the build, and none that users run, has a result that depends on who comes first; and bad scripts are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders.timing_lint import lint_python, lint_shell

CHECKOUT = Path(__file__).parents[3]
FOLDERS = ("mkosi", "nix", "scripts", ".ci", "verifier")
# In the guest, not in the build.
NOT_A_BUILD = ("mkosi.extra/usr/lib/python3", "mkosi.extra/usr/lib/teekit")
BASH, SH = "#!/bin/bash\nset -euo pipefail\n", "#!/bin/sh\nset -eu\n"
EARLY, HIDES, FOLDER = "a pipe into what may leave early", "a pipe hides a failure", "the order of a folder"
LOCALE, CHANCE = "an order that follows the locale", "by the clock, by chance or side by side"


def files() -> list[Path]:
    found = [path for folder in FOLDERS for path in sorted((CHECKOUT / folder).rglob("*")) if path.is_file()]
    return [path for path in found if not any(part in path.as_posix() for part in NOT_A_BUILD)]


def first_line(path: Path) -> str:
    with path.open("rb") as stream:
        return stream.readline().decode("utf-8", "replace")


def is_shell(path: Path) -> bool:
    line = first_line(path)
    return path.suffix == ".sh" or (line.startswith("#!") and line.split("/")[-1].split()[0] in ("sh", "bash"))


def is_python(path: Path) -> bool:
    return path.suffix == ".py" or (first_line(path).startswith("#!") and "python" in first_line(path))


@pytest.mark.parametrize(
    "path", [path for path in files() if is_shell(path)], ids=lambda path: path.relative_to(CHECKOUT).as_posix()
)
def test_no_shell_script_depends_on_timing(path: Path) -> None:
    builds = path.relative_to(CHECKOUT).parts[0] in ("mkosi", "nix", "verifier")
    assert lint_shell(path.read_text(), builds=builds) == []


@pytest.mark.parametrize(
    "path",
    [path for path in files() if is_python(path) and path.relative_to(CHECKOUT).parts[0] == "mkosi"],
    ids=lambda path: path.relative_to(CHECKOUT).as_posix(),
)
def test_no_python_program_of_the_build_depends_on_timing(path: Path) -> None:
    assert lint_python(path.read_text()) == []


def test_the_scripts_are_found() -> None:
    names = {path.relative_to(CHECKOUT).as_posix() for path in files() if is_shell(path)}
    assert {
        "mkosi/mkosi.images/tdx-kettle/mkosi.postinst",
        "mkosi/mkosi.images/tdx-kettle/kettle/bundle",
        "mkosi/uki.finalize",
        "mkosi/mkosi.images/base/mkosi.extra/init",
        "mkosi/mkosi.images/kernel/build-kernel",
        "verifier/teekit_verify/rebuild/assemble_environment.sh",
        "scripts/soak.sh",
        ".ci/run",
    } <= names


@pytest.mark.parametrize(
    ("rule", "script"),
    [
        (EARLY, 'printf "%s\\n" "${allowed[@]}" | grep -qxF "$target" || ln -s a b'),
        (EARLY, "produce | grep --quiet x"),
        (EARLY, "produce | LC_ALL=C /usr/bin/grep -Fxq x"),
        (EARLY, "produce | egrep -m1 x"),
        (EARLY, "produce | grep -l x"),
        (EARLY, "produce | head -n 1"),
        (EARLY, 'x="$(produce | head -c 4)"'),
        (EARLY, "x=`produce | head -1`"),
        (EARLY, "produce | sed -n '1p;q'"),
        (EARLY, "produce | sed 3q"),
        (EARLY, "produce | sed -e '/x/{p;q}'"),
        (EARLY, "produce | awk '/x/ {print; exit}'"),
        (EARLY, "produce | read -r first"),
        (EARLY, "produce |\n    read -r first"),
        (EARLY, "produce \\\n    | head -1"),
        (EARLY, "produce | { read -r first; echo $first; }"),
        (EARLY, "produce | while read -r line; do\n    [ $line = x ] && break\ndone"),
        (EARLY, "produce | while read -r line; do if a; then exit 1; fi; done"),
        (EARLY, "produce | dd count=1"),
        (EARLY, "produce | cmp - file"),
        (EARLY, "produce | true"),
        (EARLY, "if produce | sort | grep -q x; then a; fi"),
        (EARLY, "first() {\n    head -1\n}\nproduce | first"),
        (EARLY, "case $x in a | b) produce | head -1 ;; esac"),
        (HIDES, "while read -r line; do a; done < <(cat list)"),
        (HIDES, "mapfile -t lines < <(sed s/#.*// list)"),
        (HIDES, "produce > >(sort > file)"),
        (HIDES, "local x=$(produce)"),
        (HIDES, 'export X="$(produce)"'),
        (FOLDER, "find . -type f | cpio -o"),
        (FOLDER, "tar -cf x $(find . -type f)"),
        (FOLDER, "for x in $(find . -type f); do a; done"),
        (FOLDER, "find . -type f -exec sha256sum {} +"),
        (FOLDER, "find . -exec cat {} \\; > all"),
        (FOLDER, "ls | tail -1"),
        (FOLDER, "for x in $(ls); do a; done"),
        (LOCALE, "find . -type f | sort > list"),
        (LOCALE, "for x in *.config; do cat $x; done"),
        (LOCALE, "parts=(*.config)"),
        (LOCALE, 'parts=("$SRCDIR"/config/*.config)'),
        (CHANCE, "date > built-on"),
        (CHANCE, "echo $RANDOM > file"),
        (CHANCE, "echo $$ > file"),
        (CHANCE, "find . -print0 | LC_ALL=C sort -z | xargs -0 -P 4 gzip"),
        (LOCALE, "cat config/*.config > all"),
        (LOCALE, "tar -cf x files/*"),
        (CHANCE, "timeout 5 produce > file || true"),
        (CHANCE, "a & b & wait -n"),
        (CHANCE, "read -t 5 line < fifo || line=none"),
        ("goes on after a failure", "set +e\nproduce"),
        ("goes on after a failure", "set +o pipefail\nproduce | use"),
        (CHANCE, "wait_a_bit && sleep 1"),
        ("nobody waits for the background", "produce > a &\nother > b"),
        ("nobody waits for the background", "(produce > a) & other"),
    ],
)  # fmt: skip
def test_a_bad_line_is_told(rule: str, script: str) -> None:
    assert rule in {fault.rule for fault in lint_shell(BASH + script + "\n", builds=True)}


@pytest.mark.parametrize("script", ["dpkg-deb --fsys-tarfile x | tar -x", "git ls-files | while read -r x; do a; done"])
def test_without_pipefail_a_pipe_hides_a_failure(script: str) -> None:
    assert {fault.rule for fault in lint_shell(f"{SH}{script}\n", builds=False)} == {HIDES}
    assert lint_shell(f"{BASH}{script}\n", builds=False) == []


def test_a_script_that_goes_on_after_a_failure_is_told() -> None:
    assert [fault.rule for fault in lint_shell("#!/bin/sh\nproduce\nuse\n", builds=False)] == [
        "goes on after a failure"
    ]


@pytest.mark.parametrize(
    "script",
    [
        "# produce | grep -q x",
        "echo 'produce | head -1'",
        'echo "a | head -1"',
        "grep -q x file || a",
        "head -1 file > b",
        "produce | grep x > y || true",
        "produce | sed -e 's/q/p/' > y",
        "produce | sed 's#a#q#' > y",
        "produce | while read -r line; do a $line; done\nexit 0",
        "produce > a &\nwait",
        "a >&2 2>&1 &> all",
        "find . -exec chmod go-w {} +",
        "find . -type f -delete",
        "export LC_ALL=C\nfind . | sort > x",
        "export LC_ALL=C\nfor x in *; do a; done",
        "case $x in\n    a | head) b ;;\n    *) c ;;\nesac",
        "cat <<END\nproduce | head -1\nEND",
        "echo $((1 | 2)) ${x%%|*}",
        "[[ $x == y || $z ]] && a",
    ],
)
def test_what_does_no_harm_is_let_through(script: str) -> None:
    assert lint_shell(BASH + script + "\n", builds=True) == []


@pytest.mark.parametrize(
    "source",
    [
        "for path in folder.glob('*'): use(path)",
        "paths = list(root.rglob('*'))",
        "first = next(os.scandir('.'))",
        "import threading",
        "from concurrent.futures import ThreadPoolExecutor",
        "import time",
    ],
)
def test_a_bad_program_is_told(source: str) -> None:
    assert len(lint_python(source)) == 1


@pytest.mark.parametrize("source", ["(only,) = folder.glob('*')", "for path in sorted(folder.glob('*')): use(path)"])
def test_a_good_program_is_let_through(source: str) -> None:
    assert lint_python(source) == []
