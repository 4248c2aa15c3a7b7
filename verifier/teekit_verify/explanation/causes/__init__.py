"""Why two files differ: one file for each kind of cause."""
