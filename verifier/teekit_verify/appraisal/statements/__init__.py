"""Signed statements of auditors, and how many of them agree."""
