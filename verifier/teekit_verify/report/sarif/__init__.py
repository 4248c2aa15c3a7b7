"""Findings as SARIF 2.1.0, for who shows them beside code: GitHub, GitLab, editors."""
