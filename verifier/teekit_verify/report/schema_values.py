"""Values that several schemas have."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Sha384 = Annotated[str, Field(pattern="^[0-9a-f]{96}$")]
Hex = Annotated[str, Field(pattern="^([0-9a-f]{2})*$")]
Count = Annotated[int, Field(ge=0)]
ExitStatusNumber = Literal[0, 1, 2]
