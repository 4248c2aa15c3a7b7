"""What `rebuild` and `report` show on the terminal."""
