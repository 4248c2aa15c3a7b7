"""What the field `schema` of our reports says."""

from __future__ import annotations

REBUILD_SCHEMA = "teekit-verify/report/v2"
REBUILD_SCHEMA_V1 = "teekit-verify/report/v1"
COMPARISON_SCHEMA = "teekit-verify/comparison/v1"
INSPECTION_SCHEMA = "teekit-verify/inspection/v1"
