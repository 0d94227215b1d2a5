"""What the server tells its operators: structured logs on stderr."""
