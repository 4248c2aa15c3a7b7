"""The options that commands share, a file for each subject."""
