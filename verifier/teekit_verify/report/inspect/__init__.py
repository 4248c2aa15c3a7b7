"""What `inspect` shows, a file for each kind of input."""
