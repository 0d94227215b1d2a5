"""Every RPC of the contract needs exactly one known scope."""

from __future__ import annotations

import pytest

from stateward.v1 import (
    dead_letter_service_pb2,
    instance_service_pb2,
    limits_service_pb2,
    machine_service_pb2,
    subscription_service_pb2,
)
from stateward_server.api.server import SERVICES
from stateward_server.auth.scopes import ACT_AS, ADMIN, BY_METHOD, PRODUCTION

FILES = (
    machine_service_pb2,
    instance_service_pb2,
    subscription_service_pb2,
    dead_letter_service_pb2,
    limits_service_pb2,
)


def test_the_table_has_a_row_for_each_rpc_and_no_other():
    rpcs = {
        f"/{service.full_name}/{method.name}"
        for file in FILES
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    assert set(BY_METHOD) == rpcs
    assert {method.split("/")[1] for method in rpcs} == set(SERVICES)


def test_an_administrator_holds_every_scope_and_end_users_some():
    assert set(BY_METHOD.values()) | {ACT_AS} == ADMIN
    assert PRODUCTION < ADMIN


@pytest.mark.parametrize(
    "scope", ["instances.admin", "instances.read", "machines.admin", "machine-versions.write", ACT_AS]
)
def test_end_users_neither_administer_nor_list_nor_speak_for_others(scope: str):
    assert scope not in PRODUCTION
