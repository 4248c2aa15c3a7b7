"""What a guest presented: event logs, later quotes."""
