"""What user code may use: `HostLimits`, one of the bounds that `model/limits.py` holds."""

from stateward_server.model.limits import HostLimits

__all__ = ["HostLimits"]
