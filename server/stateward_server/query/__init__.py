"""The read side: lists and histories, page by page."""
