"""Organisations, and by what people come in: made, listed, changed, taken back. Verifies no token itself."""
