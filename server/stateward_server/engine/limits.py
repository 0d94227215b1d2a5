"""The engine's bounds: `EngineLimits`, one of those that `model/limits.py` holds."""

from stateward_server.model.limits import EngineLimits

__all__ = ["EngineLimits"]
