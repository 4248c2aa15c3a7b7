"""Decides about measurements: compares them with reference values and names the first divergence."""
