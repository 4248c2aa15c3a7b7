"""What two files of one format differ in: one file for each format."""
