"""The step of a GitHub workflow: its status, its summary, and that no name in an image is a command to the runner."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from teekit_verify.core.outcome import ExitStatus
from teekit_verify.report.sarif.document import render
from teekit_verify.report.sarif.findings import Finding, Level, Rule

ROOT = Path(__file__).parents[3]


def run(
    place: Path, program: str, arguments: str, sarif: str = ""
) -> tuple[subprocess.CompletedProcess[str], str, str]:
    """(the step, its outputs, its summary); `program` is what stands for teekit-verify."""
    scripts = place / "scripts"
    scripts.mkdir()
    shutil.copy(ROOT / "scripts/github_action.sh", scripts)
    shutil.copy(ROOT / "scripts/github_annotations.py", scripts)
    (scripts / "teekit-verify").write_text(f"#!/bin/bash\n{program}\n")
    (scripts / "teekit-verify").chmod(0o755)
    environment = {"PATH": "/usr/bin:/bin", "ARGUMENTS": arguments, "SARIF": sarif}
    environment |= {"GITHUB_OUTPUT": str(place / "output"), "GITHUB_STEP_SUMMARY": str(place / "summary")}
    done = subprocess.run([scripts / "github_action.sh"], env=environment, check=False, capture_output=True, text=True)
    return done, (place / "output").read_text(), (place / "summary").read_text()


@pytest.mark.parametrize(
    ("status", "word"),
    [(0, "::notice title=teekit-verify::"), (1, "does not hold"), (2, "no verdict"), (77, "no verdict")],
)
def test_the_step_ends_as_the_command_does(tmp_path: Path, status: int, word: str) -> None:
    done, output, summary = run(tmp_path, f"exit {status}", "doctor")
    assert done.returncode == status
    assert output == f"exit-status={status}\n"
    assert word in done.stdout
    assert f"exit status {status}" in summary


def test_words_are_taken_as_they_are(tmp_path: Path) -> None:
    done, _, _ = run(tmp_path, "printf '[%s]' \"$@\"", "compare\nwith space.json\n\n$(id)\n*\n")
    assert "[compare][with space.json][$(id)][*]" in done.stdout


def test_what_is_printed_is_no_command_to_the_runner_and_no_markup(tmp_path: Path) -> None:
    done, _, summary = run(tmp_path, "echo '::set-output name=x::y'; echo '</pre><script>&'", "inspect\nx")
    token = re.match(r"::stop-commands::([0-9a-f]{32})\n", done.stdout)
    assert token is not None
    begin, end = done.stdout.index("::set-output"), done.stdout.index(f"\n::{token[1]}::\n")
    assert begin < end
    assert "&lt;/pre&gt;&lt;script&gt;&amp;" in summary
    assert "<script>" not in summary


def test_findings_are_annotations_and_no_other_commands(tmp_path: Path) -> None:
    findings = [
        Finding(Rule.HOST_INPUT, Level.WARNING, "w", "50% of it\n::set-output name=x::y", "image.efi"),
        Finding(Rule.SMELL, Level.ERROR, "s", "curl", "a,b:c/mkosi.build", 7),
        Finding(Rule.REGISTER, Level.NOTE, "n", "a note", "image.efi"),
    ]
    log = tmp_path / "made.sarif"
    log.write_bytes(render(findings, ExitStatus.DOES_NOT_HOLD))
    wanted = tmp_path / "found.sarif"
    program = f'[ "$3" = "--sarif={wanted}" ] && cp {log} {wanted}; exit 1'
    done, _, _ = run(tmp_path, program, "inspect\nx\n", str(wanted))
    assert done.returncode == 1
    lines = done.stdout[done.stdout.index("::error title=teekit-verify::") :].splitlines()[1:]
    assert lines == [
        "::error title=teekit-verify smell,file=a%252Cb%253Ac/mkosi.build,line=7::curl",
        "::warning title=teekit-verify host-input::50%25 of it\\n::set-output name=x::y",
    ]


def test_the_findings_of_an_earlier_step_are_not_this_ones(tmp_path: Path) -> None:
    old = tmp_path / "old.sarif"
    old.write_bytes(render([Finding(Rule.SMELL, Level.ERROR, "s", "old", "x")], ExitStatus.DOES_NOT_HOLD))
    done, _, _ = run(tmp_path, "exit 2", "inspect\nx", str(old))
    assert done.returncode == 2
    assert "old" not in done.stdout


def test_the_action_and_the_container_start_what_there_is() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    assert action["runs"]["using"] == "composite"
    (step,) = action["runs"]["steps"]
    # as variables: never pasted into a script
    assert step["env"] == {"ARGUMENTS": "${{ inputs.arguments }}", "SARIF": "${{ inputs.sarif }}"}
    assert step["run"] == '"$GITHUB_ACTION_PATH/scripts/github_action.sh"'
    lines = (ROOT / "Containerfile").read_text().replace("\\\n", " ").splitlines()
    steps = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    assert [name for name, _ in steps] == ["FROM", "RUN", "COPY", "RUN", "ENV", "USER", "WORKDIR", "ENTRYPOINT"]
    assert not steps[0][1].endswith(":latest")
    for script in re.findall(r"/opt/teekit-verify/([\w/.-]+)", (ROOT / "Containerfile").read_text()):
        assert (ROOT / script).stat().st_mode & 0o111
