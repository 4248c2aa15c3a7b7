"""Two builds against each other and against what was published: the verdict of a rebuild."""
