"""Measurement registers, the events that extend them, and replaying one from the other."""
