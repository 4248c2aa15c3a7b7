"""What each verdict of a rebuild says, in words."""

from __future__ import annotations

from teekit_verify.appraisal.rebuild.verdict import Verdict

VERDICTS = {
    Verdict.FAILED: "there is no result to judge",
    Verdict.INPUT_DRIFT: "the builds did not use the inputs that they should have",
    Verdict.NONDETERMINISTIC: "builds A and B differ",
    Verdict.MISMATCH: "A and B are identical, but do not match what was published",
    Verdict.UNREFERENCED: "A and B are identical, and there is nothing published to compare them with",
    Verdict.REPRODUCED: "A and B are identical, and match what was published",
}
