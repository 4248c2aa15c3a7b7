"""`python -m teekit_verify`. A damaged installation ends with 2 as well: Python's 1 would read as "does not hold"."""

import gc
import signal
import sys

gc.set_threshold(20_000)  # what is imported is no garbage: see entry_point, which is imported with it
# There is nothing to tidy up yet, and no use in a traceback.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
try:
    from teekit_verify.cli.app import entry_point
except ImportError as error:
    sys.stderr.write(f"error: this installation is damaged: {error}\nhint: Remove .venv and start again.\n")
    sys.exit(2)

entry_point()
