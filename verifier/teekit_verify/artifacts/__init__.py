"""Untrusted bytes in, immutable values out. Nothing here is extracted to disk or executed."""
