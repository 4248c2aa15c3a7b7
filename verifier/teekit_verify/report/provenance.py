"""What must be said beside a verdict: that the author of the source also chose the tools, or what they are compared with; that packages
are somebody else's than Debian's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.errors import printable
from teekit_verify.rebuild.repositories import KeyFrom
from teekit_verify.rebuild.vouching import EnvironmentFrom, ReferenceFrom
from teekit_verify.report.network_words import fetched_words, network_words

if TYPE_CHECKING:
    from teekit_verify.rebuild.repositories_used import RepositoryUsed
    from teekit_verify.record.document import RebuildReport

_SHOWN = 12
_FOREIGN_TOOLS = (
    "the environment's lock is not this program's, and its packages are not shown to be Debian's: "
    "whoever wrote the source chose the tools"
)
_OWN_WORD = "the reference is from the same folder as the source: whoever wrote the one wrote the other"


def provenance(report: RebuildReport) -> tuple[str, ...]:
    """In sentences; empty where tools and reference are not the word of the source's author, and all packages Debian's."""
    return (
        *((_FOREIGN_TOOLS,) if report.environment_from is EnvironmentFrom.UNKNOWN else ()),
        *((_OWN_WORD,) if report.reference_from is ReferenceFrom.SOURCE else ()),
        *map(_trusted, report.repositories),
        *(() if report.network is None else network_words(report.network)),
    )


def trusting(report: RebuildReport) -> str:
    """What the line of a verdict says of repositories that are not Debian's, and of what scripts fetched; nothing where there is none."""
    return _repositories(report) + (fetched_words(report.network) if report.network is not None else "")


def _repositories(report: RebuildReport) -> str:
    if not report.repositories:
        return ""
    packages = sum(len(one.packages) for one in report.repositories)
    owners = len({one.address for one in report.repositories})
    return f"; {_counted(packages, 'package')} not Debian's, from {_counted(owners, 'repository', 'repositories')} that you allowed"


def _trusted(one: RepositoryUsed) -> str:
    """Whom it means to trust, and with what: what it has in Debian's place first, as nobody expects that."""
    replaced = set(one.replaced)
    names = [*(f"{name} (in place of Debian's)" for name in one.replaced)]
    names += sorted({package.name for package in one.packages} - replaced)
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    key = " or ".join(one.signers) or "nobody"
    whose = "whose key the project has" if one.key_from is KeyFrom.PROJECT else "whose key you gave"
    return (
        f"{_counted(len(one.packages), 'package')} from {printable(one.address)} {printable(one.suite)}, {whose}, signed by {key}: "
        f"{printable(shown) or 'none was taken'}"
    )


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or f'{one}s'}"
