"""What scripts of a stranger's project fetch while they build: through a proxy of ours, recorded for the other build (docs/adr/0015)."""
