"""Turns result values into terminal text and JSON."""
