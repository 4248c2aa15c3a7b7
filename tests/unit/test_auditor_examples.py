"""docs/examples/auditor.* and audit.yml: as systemd, YAML, a shell and our own command line read them; their scripts run on real repositories."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from builders.commands import commands
from builders.repositories import Repository
from builders.tools import require

EXAMPLES = Path(__file__).parents[2] / "docs/examples"
FLEET = EXAMPLES.parent / "fleet.md"
WORKFLOW: dict[Any, Any] = yaml.safe_load((EXAMPLES / "audit.yml").read_text(encoding="utf-8"))
JOB: dict[str, Any] = yaml.safe_load((EXAMPLES / "auditor.job.yml").read_text(encoding="utf-8"))
STEPS = {step["name"]: step for job in WORKFLOW["jobs"].values() for step in job["steps"] if "run" in step}
COMMAND = r"scripts/teekit-verify (audit|monitor|release list)"


def unit(name: str) -> list[tuple[str, str]]:
    """Settings with their values, in order."""
    lines = (EXAMPLES / name).read_text(encoding="utf-8").splitlines()
    found = [line.partition("=") for line in lines if line and line[0] not in "#["]
    return [(setting, value) for setting, _, value in found]


def parsed(line: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What our own command line makes of one in an example; its variables are words. Folders that it names are made."""
    words = re.findall(COMMAND, line)[0].split()
    rest = shlex.split(re.sub(r"\$\{?\w+\}?", "word", re.split(COMMAND, line)[2]))
    rest = [word.replace("/opt/", f"{place}/opt/") for word in rest if word not in {">", "||"}]
    rest = rest[: rest.index("status=$?")] if "status=$?" in rest else rest
    for folder in ("statements", "trusted-keys", "releases/reference/releases", "program", "opt/teekit-verify"):
        (place / folder).mkdir(parents=True, exist_ok=True)
    (place / "known.jsonl").touch()
    monkeypatch.chdir(place)
    command = commands()[tuple(words)]
    values: dict[str, Any] = command.make_context(words[-1], rest).params
    return values


def said_by_systemd(path: Path) -> list[str]:
    """What systemd says of this unit; of the host's own it may say what it likes."""
    argv = [require("systemd-analyze"), "verify", "--man=no", str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return [line for line in done.stderr.splitlines() if path.name in line or path.parent.name in line]


@pytest.mark.parametrize("name", ["auditor.service", "auditor.timer", "monitor.service", "monitor.timer"])
def test_systemd_takes_the_services_and_the_timers(tmp_path: Path, name: str) -> None:
    for file in (name, name.replace(".timer", ".service")):
        text = (EXAMPLES / file).read_text(encoding="utf-8").replace("User=auditor", "User=root")
        (tmp_path / file).write_text(re.sub(r"(?<==)/(opt|usr/bin)/\S+", "/bin/true", text))
    assert said_by_systemd(tmp_path / name) == []
    (tmp_path / name).write_text((tmp_path / name).read_text() + "NoSuchSetting=1\n")
    assert "NoSuchSetting" in "".join(said_by_systemd(tmp_path / name)), "it is read"


def test_the_services_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = (value for setting, value in unit("auditor.service") if setting == "ExecStart")
    values = parsed(line, tmp_path, monkeypatch)
    assert (values["name"], values["json_output"], values["release"]) == ("alice", True, ())
    assert values["references"] == Path("releases/reference/releases")


def test_the_monitors_command_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = (value for setting, value in unit("monitor.service") if setting == "ExecStart")
    values = parsed(line, tmp_path, monkeypatch)
    assert (values["threshold"], values["max_age_days"], values["trusted_keys"]) == (2, 14, Path("trusted-keys"))
    (line,) = (line for line in FLEET.read_text(encoding="utf-8").splitlines() if line.startswith("23 4 * * * "))
    assert parsed(line, tmp_path, monkeypatch)["known"] == Path("known.jsonl")


@pytest.mark.parametrize("name", ["Name the releases without a statement", "Rebuild and sign"])
def test_the_workflows_command_lines(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = (line for line in STEPS[name]["run"].splitlines() if "scripts/teekit-verify" in line)
    values = parsed(line.split(">")[0].split("||")[0], tmp_path, monkeypatch)
    assert values["json_output"] is True
    if name == "Rebuild and sign":
        assert (values["name"], values["release"], values["source"]) == ("word", ["word"], Path("program"))


def test_the_jobs_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (container,) = JOB["spec"]["template"]["spec"]["containers"]
    (script,) = container["args"]
    assert subprocess.run([require("sh"), "-n", "-c", script], check=False).returncode == 0
    (line,) = (line for line in script.splitlines() if "scripts/teekit-verify audit" in line)
    values = parsed(line, tmp_path, monkeypatch)
    assert (values["name"], values["release"], values["key"]) == ("alice", ["word"], Path("/run/secrets/auditor/key"))
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounted == {"work": container["workingDir"], "key": "/run/secrets/auditor"}
    assert {volume["name"] for volume in JOB["spec"]["template"]["spec"]["volumes"]} == set(mounted)


@pytest.mark.parametrize("engine", ["systemd-run", "nomad", "buildbot"])
def test_the_command_lines_of_other_engines(engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As docs/fleet.md has them; those of Nomad and Buildbot are lists of quoted words."""
    (tmp_path / "srv/statements").mkdir(parents=True)
    text = FLEET.read_text(encoding="utf-8").replace("/srv/", f"{tmp_path}/srv/")
    if engine == "systemd-run":
        (line,) = (line for line in text.splitlines() if "systemd-run" in line)
        words = shlex.split(line)[shlex.split(line).index("teekit-verify") :]
    else:
        (block,) = (
            block
            for block in text.split("```")
            if {"nomad": 'job "audit"', "buildbot": "ShellCommand("}[engine] in block
        )
        words = ["", *re.findall(r'"([^"]*)"', block[block.index('"audit", "--source"') :])]
        words = [word for word in words if word not in {"release", "${NOMAD_META_release}"}]
        words += ["r1"] * (words[-1] == "--release")
    values = parsed(f"scripts/teekit-verify {shlex.join(words[1:])}", tmp_path, monkeypatch)
    assert values["name"] == "alice"
    assert values["release"] == (() if engine == "systemd-run" else ["r1"])


def test_the_workflow_has_the_key_in_one_step_and_only_one_run_at_a_time() -> None:
    assert [name for name, step in STEPS.items() if "secrets." in str(step)] == ["Rebuild and sign"]
    assert WORKFLOW["permissions"] == {"contents": "write"}
    assert WORKFLOW["concurrency"]
    assert WORKFLOW["jobs"]["audit"]["needs"] == "releases"


def shell(script: str, place: Path, **environment: str) -> int:
    """As GitHub's runner runs a step."""
    argv = [require("bash"), "-e", "-o", "pipefail", "-c", script]
    found = {"PATH": "/usr/bin:/bin", "HOME": str(place), "AUDITOR": "alice", "GIT_CONFIG_NOSYSTEM": "1", **environment}
    return subprocess.run(argv, cwd=place, env=found, check=False).returncode


def program(place: Path, prints: str, status: int) -> None:
    path = place / "program/scripts/teekit-verify"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{prints}\nEND\nexit {status}\n")
    path.chmod(0o755)


@pytest.mark.parametrize("status", [0, 1, 2])
def test_the_releases_without_a_statement_are_named(tmp_path: Path, status: int) -> None:
    releases = [
        {"name": "old", "problem": "", "withdrawn": None},
        {"name": "new", "problem": "", "withdrawn": None},
        {"name": "withdrawn", "problem": "", "withdrawn": "do not accept it"},
        {"name": "damaged", "problem": "is not JSON", "withdrawn": None},
    ]
    program(tmp_path, json.dumps({"releases": releases}), status)
    (tmp_path / "statements/old").mkdir(parents=True)
    (tmp_path / "statements/old/alice.intoto.jsonl").write_text("")
    script = STEPS["Name the releases without a statement"]["run"]
    assert shell(script, tmp_path, GITHUB_OUTPUT=str(tmp_path / "output")) == 0
    assert (tmp_path / "output").read_text() == 'names=["new"]\n'


def test_no_list_is_no_empty_list(tmp_path: Path) -> None:
    program(tmp_path, '{"error": {}}', 2)
    script = STEPS["Name the releases without a statement"]["run"]
    assert shell(script, tmp_path, GITHUB_OUTPUT=str(tmp_path / "output")) != 0


@pytest.mark.parametrize("status", [0, 1, 2])
def test_the_key_is_removed_and_the_status_kept(tmp_path: Path, status: int) -> None:
    program(tmp_path, "{}", status)
    script = STEPS["Rebuild and sign"]["run"]
    assert shell(script, tmp_path, GITHUB_ENV=str(tmp_path / "env"), AUDITOR_KEY="secret", RELEASE="r1") == 0
    assert (tmp_path / "env").read_text() == f"STATUS={status}\n"
    assert not (tmp_path / "auditor.key").exists()
    assert shell(STEPS["Say what was found"]["run"], tmp_path, STATUS=str(status)) == status


class Forge:
    """A bare repository of statements, a clone of alice's, and one of somebody else's."""

    def __init__(self, place: Path) -> None:
        self.place = place
        first = Repository.make(place / "first")
        first.write("README.md")
        first.commit()
        first.git("clone", "--quiet", "--bare", str(first.folder), str(place / "forge.git"))
        for name in ("statements", "other"):
            first.git("clone", "--quiet", str(place / "forge.git"), str(place / name))
        (place / ".gitconfig").write_text("[user]\nname = auditor\nemail = auditor@localhost\n")

    def files(self) -> list[str]:
        return Repository(self.place / "forge.git").git("ls-tree", "-r", "--name-only", "main").splitlines()

    def somebody_else_pushes(self) -> None:
        other = Repository(self.place / "other")
        other.write("r1/bob.intoto.jsonl")
        other.commit()
        other.git("push", "--quiet")

    def alice_states(self) -> None:
        mine = Repository(self.place / "statements")
        for name in ("keys/alice.pem", "r1/alice.intoto.jsonl", "r1/.bob.intoto.jsonl.part", "notes"):
            mine.write(name)


@pytest.mark.parametrize("where", ["service", "workflow"])
def test_statements_are_published_and_nothing_else(tmp_path: Path, where: str) -> None:
    forge = Forge(tmp_path)
    (tmp_path / "program/docs").mkdir(parents=True)
    (tmp_path / "program/docs/examples").symlink_to(EXAMPLES)
    script = STEPS["Publish the statement"]["run"]
    if where == "service":
        (line,) = (value for setting, value in unit("auditor.service") if setting == "ExecStopPost")
        script = line.replace("/opt/teekit-verify", "program")
    assert shell(script, tmp_path) == 0, "nothing new is nothing wrong"
    forge.somebody_else_pushes()
    forge.alice_states()
    assert shell(script, tmp_path) == 0
    assert forge.files() == ["README.md", "keys/alice.pem", "r1/alice.intoto.jsonl", "r1/bob.intoto.jsonl"]
