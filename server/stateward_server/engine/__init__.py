"""The heart: one linear history per instance, one turn at a time, effects only after the commit.

Inner doors (timers, services) use the same path as callers do. Imports model and ports only.
"""
