"""Requests to other people's servers: the only place that opens connections outwards."""
