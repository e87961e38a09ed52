"""Tasks in worker threads."""
