"""Facts about one file, without any appraisal."""
