"""Why two artifacts differ: a tree from the whole file down to the file in its initrd, and what usually causes that."""
