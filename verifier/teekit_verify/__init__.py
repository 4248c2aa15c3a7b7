"""Rebuild a confidential VM image, predict its measurements, compare them with what was published."""

__version__ = "0.1.0"
