"""What every store must do, as a test class: subclass it and give it a `store` fixture with a fresh store.

    class TestMyStore(StoreSuite):
        @pytest.fixture
        async def store(self): ...

Bound to each store in `tests/stores/`. Says nothing about disks and restarts; stores that have them test
those.
"""

# ruff: noqa: S101 - these are tests

from __future__ import annotations

import pytest

from stateward_server.ports.store import Store
from stateward_server.testing.store_suite_access import KeySuite, MemberSuite, OrgSuite, ProviderSuite
from stateward_server.testing.store_suite_audit import AuditSuite
from stateward_server.testing.store_suite_catalog import CatalogSuite
from stateward_server.testing.store_suite_changes import ChangeSuite, RetentionSuite
from stateward_server.testing.store_suite_commits import CommitSuite
from stateward_server.testing.store_suite_indexes import IndexSuite
from stateward_server.testing.store_suite_mail import HeadSuite, LetterSuite, OutboxSuite
from stateward_server.testing.store_suite_reads import DeletionSuite, ReadSuite, TimerSuite


class StoreSuite(
    CommitSuite,
    ReadSuite,
    TimerSuite,
    OutboxSuite,
    LetterSuite,
    HeadSuite,
    DeletionSuite,
    ChangeSuite,
    RetentionSuite,
    IndexSuite,
    CatalogSuite,
    OrgSuite,
    MemberSuite,
    KeySuite,
    ProviderSuite,
    AuditSuite,
):
    """Everything above, for one store."""

    @pytest.fixture
    async def store(self) -> Store:
        """Return a fresh store; overridden by whoever binds the suite."""
        raise NotImplementedError

    async def test_identity_names_the_store(self, store: Store) -> None:
        assert store.identity.store_id
        assert store.identity.epoch > 0
