"""Boots an artifact in QEMU with OVMF and swtpm and reads the event log the firmware really wrote."""
