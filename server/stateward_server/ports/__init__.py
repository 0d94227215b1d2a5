"""What the engine needs from the outside, role by role, as protocols of a few methods."""
