"""Signatures of reference files and statements."""
