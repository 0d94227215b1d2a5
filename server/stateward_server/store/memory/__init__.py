"""A store in memory, for tests and for trying things out: the same contract as the others, minus the disk.

Plain on purpose: what it does should be right at a glance, as the other stores are compared with it. Nothing
in it ever awaits, so each call is atomic. Called by tests and by the in-process server of the testing kit.
"""

from __future__ import annotations

from stateward_server.ports.clock import Clock, Entropy
from stateward_server.ports.store import StoreIdentity
from stateward_server.store.memory.access import MemoryAccess
from stateward_server.store.memory.audit import MemoryAudit
from stateward_server.store.memory.catalog import MemoryCatalog
from stateward_server.store.memory.ledger import MemoryLedger
from stateward_server.store.memory.tables import Tables


class MemoryStore(MemoryCatalog, MemoryAccess, MemoryAudit, MemoryLedger):
    """Forgets everything when it goes; `close` does nothing."""

    def __init__(self, *, clock: Clock, entropy: Entropy) -> None:
        tables = Tables()
        MemoryCatalog.__init__(self, tables)
        MemoryAccess.__init__(self, tables)
        MemoryAudit.__init__(self)
        MemoryLedger.__init__(self, tables)
        self._identity = StoreIdentity(entropy.token_bytes(16).hex(), clock.now_ms())

    @property
    def identity(self) -> StoreIdentity:
        return self._identity

    async def close(self) -> None:
        pass
