"""A running guest: its quote, its registers and its event log against what was published."""
