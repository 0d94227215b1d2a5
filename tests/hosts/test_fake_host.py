"""The fake host keeps what every host promises."""

from __future__ import annotations

import pytest

from stateward_server.model.names import VersionId
from stateward_server.ports.host import MachineHost
from stateward_server.testing.fake_host import FakeHost
from stateward_server.testing.fake_machine import SampleMachine
from stateward_server.testing.host_listener import RecordingListener
from stateward_server.testing.host_suite import HostSuite

SAMPLE = VersionId("sample")


class TestFakeHost(HostSuite):
    @pytest.fixture
    async def host(self, listener: RecordingListener) -> MachineHost:
        host = FakeHost({SAMPLE: SampleMachine()})
        host.listen(listener)
        return host

    @pytest.fixture
    def version(self) -> VersionId:
        return SAMPLE
