"""`python -m teekit_verify`. A damaged installation ends with 2 as well: Python's 1 would read as "does not hold"."""

import gc
import signal
import sys

# There is nothing to tidy up yet, and no use in a traceback.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
try:
    from teekit_verify.cli import COLLECTED_AFTER

    gc.set_threshold(COLLECTED_AFTER)  # before what is imported, which is most of what a command does
    from teekit_verify.cli.app import entry_point
except ImportError as error:
    sys.stderr.write(f"error: this installation is damaged: {error}\nhint: Remove .venv and start again.\n")
    sys.exit(2)

entry_point()
