"""Builds an image twice in the pinned environment, under varied conditions, and compares the results."""
