"""What was published: reference values, and the inputs they were made from."""
