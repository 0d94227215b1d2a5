"""The principal of the RPC being served: set by the edge, read by the servicers."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, TypeAlias

import grpc

from stateward_server.model.principal import Principal

caller: ContextVar[Principal] = ContextVar("caller")

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
