"""Stateward server: runs XState machines as durable, real-time backends."""

import os

# gRPC reads this when it is first imported. The server starts machine processes, which share nothing with
# gRPC, so its fork handlers would only delay them and print a warning each time.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
