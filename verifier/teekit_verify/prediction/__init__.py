"""What a machine will measure: one event log for each platform, from artifacts alone."""
