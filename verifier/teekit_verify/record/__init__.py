"""The record of a finished rebuild: report.json, its schema, and the folder that holds it."""
