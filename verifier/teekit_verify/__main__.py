"""`python -m teekit_verify`. A damaged installation ends with 2 as well: Python's 1 would read as "does not hold"."""

import sys

try:
    from teekit_verify.cli.app import entry_point
except ImportError as error:
    sys.stderr.write(f"error: this installation is damaged: {error}\nhint: Remove .venv and start again.\n")
    sys.exit(2)

entry_point()
