"""Fuzz one entry point, or all of them in turn:

    python tests/fuzz/run.py TARGET|all --seconds 120 [--corpus DIR] [--engine auto|atheris|mutations] [--seed N]

With atheris (`pip install atheris` into an environment that can import the project and its test dependencies) coverage
guides the search, and it ends at the first finding. Without, seeds are mutated blindly, and every kind of finding is
kept once. Inputs that broke a promise are written to DIR/TARGET/findings (default: a folder in the temporary directory).
The seed is printed first, and `--seed` makes the same inputs again, as long as the corpus is the same. `--replay FILE` runs one input again and shows what escapes.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import random
import subprocess
import sys
import tempfile
import time
import traceback
from hashlib import sha256
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]


def main() -> int:
    arguments = _arguments()
    sys.path[:0] = [str(TESTS), str(TESTS.parent / "verifier")]
    sys.path.remove(str(TESTS / "fuzz"))
    if arguments.target == "all":
        return _each(arguments)
    atheris = _atheris(arguments.engine)
    if atheris:
        with atheris.instrument_imports(include=["teekit_verify", "pefile"]):
            from fuzz import targets  # noqa: PLC0415 - while it is watched
    else:
        from fuzz import targets  # noqa: PLC0415 - the path is set above
    if arguments.target not in targets.TARGETS:
        sys.exit(f"no such target; there are {', '.join(targets.TARGETS)}")
    target = targets.TARGETS[arguments.target]
    if arguments.replay:
        print("taken" if _checked(target, arguments.replay.read_bytes()) else "refused")  # noqa: T201
        return 0
    folder = arguments.corpus / arguments.target
    (folder / "findings").mkdir(parents=True, exist_ok=True)
    if atheris:
        _guided(atheris, target, folder, arguments)
        return 0
    return _blind(target, folder, arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, usage="%(prog)s [options] TARGET|all", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--corpus", type=Path, default=Path(tempfile.gettempdir()) / "teekit-fuzz")
    parser.add_argument("--engine", choices=("auto", "atheris", "mutations"), default="auto")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--replay", type=Path)
    return parser.parse_args()


def _atheris(engine: str) -> Any:
    if engine != "mutations" and importlib.util.find_spec("atheris"):
        return importlib.import_module("atheris")
    if engine == "atheris":
        sys.exit("atheris is not installed here: pip install atheris")
    return None


def _each(arguments: argparse.Namespace) -> int:
    """Every target in a process of its own: a crash or a full memory ends one of them."""
    from fuzz import targets  # noqa: PLC0415

    worst, seed = 0, _seed(arguments)
    print(f"all targets: --seed {seed}", flush=True)  # noqa: T201
    for name in targets.TARGETS:
        options = [f"--seconds={arguments.seconds}", f"--corpus={arguments.corpus}", f"--engine={arguments.engine}"]
        options.append(f"--seed={seed}")
        done = subprocess.run([sys.executable, __file__, name, *options], check=False)
        worst = max(worst, done.returncode)
    return worst


def _seed(arguments: argparse.Namespace) -> int:
    """The given one, or a new one; libFuzzer takes 32 bits, and 0 for none."""
    return arguments.seed if arguments.seed is not None else int.from_bytes(os.urandom(4), "big") or 1


def _checked(target: Any, data: bytes) -> bool:
    from fuzz import oracle  # noqa: PLC0415

    with oracle.bounded_memory():
        return oracle.check(target.run, data)


def _blind(target: Any, folder: Path, arguments: argparse.Namespace) -> int:
    from fuzz import mutations, oracle  # noqa: PLC0415

    seed = _seed(arguments)
    print(f"{arguments.target}: --seed {seed}", flush=True)  # noqa: T201 - first, so that it outlives a crash
    chance, kinds = random.Random(seed), set[str]()  # noqa: S311 - test data
    kept = [path.read_bytes() for path in folder.iterdir() if path.is_file()]
    seeds, end, count, taken, slowest = target.seeds() + kept, time.monotonic() + arguments.seconds, 0, 0, 0.0
    with oracle.bounded_memory():
        while time.monotonic() < end:
            data = mutations.mutate(chance, seeds)
            if target.mend and count % 2:
                data = target.mend(data)
            count, start = count + 1, time.process_time()
            try:
                taken += oracle.check(target.run, data)
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                _keep(error, data, folder, kinds)
            slowest = max(slowest, time.process_time() - start)
    print(  # noqa: T201
        f"{arguments.target}: {count} inputs in {arguments.seconds} s (seed {seed}), {taken} taken, "
        f"slowest {slowest:.2f} s, {len(kinds)} kinds of findings"
    )
    return 1 if kinds else 0


def _keep(error: BaseException, data: bytes, folder: Path, kinds: set[str]) -> None:
    """One input for each place that an error comes from."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = next((frame for frame in reversed(frames) if "teekit_verify" in frame.filename), frames[-1])
    kind = f"{type(error).__name__} in {Path(ours.filename).name}:{ours.lineno}"
    if kind in kinds:
        return
    kinds.add(kind)
    path = folder / "findings" / sha256(data).hexdigest()[:16]
    path.write_bytes(data)
    print(f"finding: {kind}: {str(error)[:300]}: {path}")  # noqa: T201


def _guided(atheris: Any, target: Any, folder: Path, arguments: argparse.Namespace) -> None:
    """Does not return: libFuzzer ends the process."""
    from fuzz import oracle  # noqa: PLC0415

    for seed in target.seeds():
        (folder / sha256(seed).hexdigest()[:16]).write_bytes(seed)

    def mutator(data: bytes, limit: int, seed: int) -> bytes:
        changed: bytes = atheris.Mutate(data, limit)
        return target.mend(changed)[:limit] if target.mend and seed % 2 else changed

    seed = _seed(arguments)
    print(f"{arguments.target}: --seed {seed}", flush=True)  # noqa: T201
    argv = [
        *(sys.argv[0], str(folder), f"-max_total_time={arguments.seconds}", "-timeout=60", "-rss_limit_mb=1024"),
        *("-print_final_stats=1", f"-artifact_prefix={folder}/findings/", f"-max_len={1 << 19}", "-verbosity=0"),
        f"-seed={seed}",
    ]
    with oracle.bounded_memory():
        atheris.Setup(argv, lambda data: oracle.check(target.run, bytes(data)), custom_mutator=mutator)
        atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
