"""Releases and a repository of statements about them, as `site` reads them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from builders import documents, keys
from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.appraisal.statements.create import Rebuilt, signed_statement
from teekit_verify.appraisal.statements.statement import Independence, ReferenceNamed
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.documents import create, model
from teekit_verify.documents.load import load_reference

EVIL = (replace(documents.UKI, sha256=documents.sha256("evil")), documents.MANIFEST)


@dataclass(frozen=True)
class Place:
    """`releases` and `statements` are what `site` is given; `keys` are the trusted ones."""

    top: Path

    @property
    def reference(self) -> Path:
        return self.top / "reference"

    @property
    def statements(self) -> Path:
        return self.top / "statements"

    @property
    def keys(self) -> Path:
        return self.top / "trusted"

    def release(self, name: str, *, reference: model.Reference | None = None, **changes: object) -> model.Reference:
        """A release; `changes` are of its release.json."""
        made = replace(reference or documents.reference(), release=name)
        folder = self.reference / "releases" / name
        folder.mkdir(parents=True)
        (folder / "values.json").write_bytes(create.dump_reference(made))
        fields = {
            "schema": "teekit-verify/release/v1",
            "repository": None,
            "commit": made.commit,
            "tag": None,
            "image": made.inputs.image,
            "profiles": list(made.inputs.profiles),
            "reference": "values.json",
            "released": "2026-11-01",
        }
        (folder / "release.json").write_text(json.dumps(fields | changes))
        return made

    def state(
        self,
        release: str,
        auditor: str,
        verdict: Verdict = Verdict.REPRODUCED,
        *,
        key: str = "",
        name: str = "",
        about: model.Reference | None = None,
        artifacts: tuple[model.Artifact, ...] = (),
        independence: Independence | None = None,
    ) -> Path:
        """A statement about the release (`about` may be another), in the file NAME.intoto.jsonl, signed by `key`."""
        published = about or self.published(release)
        data = create.dump_reference(published)
        named = ReferenceNamed(published.release, published.commit, Digest.of(Algorithm.SHA256, data))
        build = model.Build(published.inputs, artifacts or published.artifacts)
        reasons = ("artifact tdx-debian.efi: same size, other bytes",) if verdict is Verdict.MISMATCH else ()
        rebuilt = Rebuilt(
            verdict,
            reasons,
            "0.1.0",
            build,
            documents.measurements(),
            None if verdict is Verdict.UNREFERENCED else named,
        )
        signed = signed_statement(rebuilt, auditor, published.commit, keys.signing_key(key or auditor), independence)
        return self.file(release, f"{name or auditor}.intoto.jsonl", signed)

    def published(self, release: str) -> model.Reference:
        return load_reference(self.reference / "releases" / release / "values.json")

    def file(self, release: str, name: str, data: bytes) -> Path:
        path = self.statements / release / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path


def make(top: Path, *auditors: str) -> Place:
    place = Place(top)
    top.mkdir(exist_ok=True)
    place.statements.mkdir()
    keys.pin(place.keys, *auditors)
    return place
