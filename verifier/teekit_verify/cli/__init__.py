"""argv -> one library call -> report -> exit status."""
