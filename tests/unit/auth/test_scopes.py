"""Every RPC of the contract needs one known scope, or says by what else it is guarded."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

import pytest

import stateward.v1
from stateward_server.api.server import SERVICES
from stateward_server.auth.audited import ADMINISTRATIVE, EVERYDAY
from stateward_server.auth.scopes import ACT_AS, ALL, BY_METHOD, BY_ROLE, CI, PRODUCTION, Door
from stateward_server.model.org import Role

FILES = [
    import_module(f"stateward.v1.{module.name}")
    for module in iter_modules(stateward.v1.__path__)
    if module.name.endswith("_service_pb2")
]
SCOPES = {need for need in BY_METHOD.values() if isinstance(need, str)}


def test_the_table_has_a_row_for_each_rpc_and_no_other():
    rpcs = {
        f"/{service.full_name}/{method.name}"
        for file in FILES
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    assert set(BY_METHOD) == rpcs
    assert {method.split("/")[1] for method in rpcs} == set(SERVICES)


def test_each_rpc_is_either_administrative_or_everyday():
    assert sorted([*ADMINISTRATIVE, *EVERYDAY]) == sorted(BY_METHOD)


def test_whoever_administers_is_on_record():
    """What needs a scope that end users and publishers lack, and changes something, is administrative."""
    reading = ("Get", "List", "Watch", "Query")
    for method, need in BY_METHOD.items():
        changes = not method.rpartition("/")[2].startswith(reading)
        if changes and isinstance(need, str) and need not in PRODUCTION:
            assert method in ADMINISTRATIVE


def test_there_is_no_scope_that_opens_nothing():
    assert SCOPES | {ACT_AS, "org-members.write"} == ALL


def test_few_calls_are_open_to_those_without_a_scope():
    others = {method.rpartition("/")[2]: need for method, need in BY_METHOD.items() if need not in SCOPES}
    assert others == {
        "AcceptInvitation": Door.OPEN,
        "ExchangeToken": Door.OPEN,
        "WhoAmI": Door.KNOWN,
        "CreateOrg": Door.PERSON,
        "ListOrgs": Door.PERSON,
        "CreateAccessToken": Door.PERSON,
        "ListAccessTokens": Door.PERSON,
        "DeleteAccessToken": Door.PERSON,
    }


def test_roles_hold_more_and_more():
    viewer, developer, owner = BY_ROLE[Role.VIEWER], BY_ROLE[Role.DEVELOPER], BY_ROLE[Role.OWNER]
    assert viewer < developer < owner == ALL
    assert {scope for scope in viewer if not scope.endswith(".read")} == set()
    assert {scope for scope in developer if scope.endswith(".admin") or scope.startswith("org")} == {
        "org.read"
    }


@pytest.mark.parametrize("scopes", [PRODUCTION, CI])
def test_keys_are_for_a_part_only(scopes: frozenset[str]):
    assert scopes < ALL


@pytest.mark.parametrize(
    "scope", ["instances.admin", "instances.read", "machines.admin", "machine-versions.write", ACT_AS]
)
def test_end_users_neither_administer_nor_list_nor_speak_for_others(scope: str):
    assert scope not in PRODUCTION
