"""The page of a rebuild."""
