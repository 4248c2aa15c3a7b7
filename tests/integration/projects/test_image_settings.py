"""What mkosi itself makes of the image's configuration, in the pinned environment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from teekit_verify.cli.options.shared import SNAPSHOT_ARCHIVE, cache_directory
from teekit_verify.rebuild.images import DEBIAN_KERNEL, find_target
from teekit_verify.rebuild.provision import Provision
from teekit_verify.rebuild.sandbox import BASE_ENVIRONMENT, Sandbox, own_first_id
from teekit_verify.report.progress import StderrProgress

if TYPE_CHECKING:
    from integration.conftest import UsableProject

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("stage", "setting", "value"), [(None, "AZURE_DISK_GIB", "30"), ("sqld", "SQLD_FROM", "source")]
)
def test_what_a_user_sets_reaches_the_scripts(
    usable_project: UsableProject, stage: str | None, setting: str, value: str
) -> None:
    """Those of the stage that it is for, or of the image itself (None). And mkosi has nothing to warn of."""
    project = usable_project.project
    provision = Provision(project, cache_directory(), StderrProgress(), None, SNAPSHOT_ARCHIVE)
    sandbox = Sandbox(
        root=provision.environment().root,
        read_only_binds={"/source": project.mkosi},
        environment={**BASE_ENVIRONMENT, setting: value},
        first_id=own_first_id(),
    )
    command = find_target("tdx-kettle", ["azure", DEBIAN_KERNEL]).mkosi("/source", "--json", "summary")
    summary = json.loads(sandbox.run(["sh", "-c", '"$@" 2>&1', "sh", *command], timeout_seconds=600).stdout)
    given = {image["Image"]: image["Environment"].get(setting) for image in summary["Images"]}
    assert {name: found for name, found in given.items() if found} == {stage: value}
