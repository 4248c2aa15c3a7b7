"""`collateral fetch`, through main(argv): fetched from a stand-in, then used offline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builders import http, pcs
from builders import quotes as build
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

AT = build.NOW.isoformat()


def test_a_quote_is_checked_offline_with_what_was_fetched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    authority = build.authority()
    quote, root, folder = tmp_path / "quote.bin", tmp_path / "root.pem", tmp_path / "collateral"
    quote.write_bytes(build.quote(authority))
    root.write_bytes(build.pem(authority.root))
    asked = [str(quote), "--at", AT, "--trusted-root", str(root)]
    with http.serve() as server:
        service = pcs.Pcs(server, authority)
        assert main(["collateral", "fetch", *asked, "-o", str(folder), "--pccs", server.address()]) == ExitStatus.HOLDS
        assert "wrote 5 files into" in capsys.readouterr().err
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        service.fail(pcs.QE, (404, {}))
        argv = ["collateral", "fetch", *asked, "-o", str(folder), "--pccs", server.address()]
        assert main(argv) == ExitStatus.NO_VERDICT
    assert "QE identity: it has none" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before, "all or nothing"
    argv = ["quote", *asked, "--collateral", str(folder), "--allow-unchecked", "report-data"]
    assert main(argv) == ExitStatus.HOLDS
    out = capsys.readouterr().out
    assert "UpToDate" in out
