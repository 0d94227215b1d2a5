"""`python -m stateward_server` is the command `stateward`."""

from __future__ import annotations

from stateward_server.cli.main import main

if __name__ == "__main__":
    main()
