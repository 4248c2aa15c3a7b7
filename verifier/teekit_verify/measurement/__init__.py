"""Registers, events and replay; prediction builds an event log from artifacts and replays it."""
