"""The command `stateward`: runs the server, and talks to one.

`main.py` is the root, then one file per noun. Client commands use the Python SDK only and see nothing of
the server; `serve.py` alone reaches into the server, and only to start it. Text for people by default, one
JSON document with `--json`.
"""

import os

# gRPC reads this when it is loaded. Its own notes, that a connection was lost say, are not for our stderr.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
