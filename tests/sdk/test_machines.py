from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.sdk.fakes import WHEN, Refusal, machine_version
from tests.sdk.fakes import instance as instance_message
from tests.sdk.fakes import machine as machine_message

from stateward import InvalidName, MachineFault, MachineInfo, MachineVersion, ModuleRejected, _calls
from stateward.v1 import instance_service_pb2, machine_pb2, machine_service_pb2

TEXT = "export default 1;\n"


async def test_create(server, machine) -> None:
    server.will("CreateMachine", machine_service_pb2.CreateMachineResponse(machine=machine_message()))
    assert await machine.create() == MachineInfo("toggle", None, WHEN)
    (request,) = server.requests("CreateMachine")
    assert request.machine_id == "toggle"
    assert request.request_id


async def test_get_and_delete(server, machine) -> None:
    server.will(
        "GetMachine", machine_service_pb2.GetMachineResponse(machine=machine_message(version="ver_1"))
    )
    server.will("DeleteMachine", machine_service_pb2.DeleteMachineResponse())
    assert (await machine.get()).current_version == "ver_1"
    await machine.delete()
    assert server.requests("GetMachine")[0].name == "machines/toggle"
    assert server.requests("DeleteMachine")[0].name == "machines/toggle"
    assert server.requests("DeleteMachine")[0].request_id


@pytest.mark.parametrize("as_value", [True, False])
async def test_set_current_version(server, machine, as_value) -> None:
    server.will(
        "UpdateMachine", machine_service_pb2.UpdateMachineResponse(machine=machine_message(version="ver_2"))
    )
    version = MachineVersion("toggle", "ver_2", 5, "", 1, WHEN) if as_value else "ver_2"
    assert (await machine.set_current_version(version)).current_version == "ver_2"
    (request,) = server.requests("UpdateMachine")
    assert request.machine.name == "machines/toggle"
    assert request.machine.current_version == "machines/toggle/versions/ver_2"
    assert list(request.update_mask.paths) == ["current_version"]


def uploaded() -> machine_service_pb2.CreateMachineVersionResponse:
    return machine_service_pb2.CreateMachineVersionResponse(machine_version=machine_version())


async def test_a_text_is_uploaded_as_javascript(server, machine) -> None:
    server.will("CreateMachineVersion", uploaded())
    version = await machine.upload(TEXT, client_info="abc")
    assert version == MachineVersion("toggle", "ver_1", 5, "abc", 17, WHEN)
    (request,) = server.requests("CreateMachineVersion")
    assert request.parent == "machines/toggle"
    assert request.module_text == TEXT
    assert request.language == machine_pb2.MODULE_LANGUAGE_JAVASCRIPT
    assert request.make_current
    assert request.client_info == "abc"


@pytest.mark.parametrize(
    ("suffix", "language"),
    [
        ("ts", machine_pb2.MODULE_LANGUAGE_TYPESCRIPT),
        ("mts", machine_pb2.MODULE_LANGUAGE_TYPESCRIPT),
        ("js", machine_pb2.MODULE_LANGUAGE_JAVASCRIPT),
        ("mjs", machine_pb2.MODULE_LANGUAGE_JAVASCRIPT),
    ],
)
async def test_a_files_suffix_tells_its_language(server, machine, tmp_path: Path, suffix, language) -> None:
    server.will("CreateMachineVersion", uploaded())
    path = tmp_path / f"machine.{suffix}"
    path.write_text("// Ä\n", "utf-8")
    await machine.upload(path, make_current=False)
    (request,) = server.requests("CreateMachineVersion")
    assert (request.module_text, request.language, request.make_current) == ("// Ä\n", language, False)


async def test_a_language_given_wins(server, machine, tmp_path: Path) -> None:
    server.will("CreateMachineVersion", uploaded())
    path = tmp_path / "machine.txt"
    path.write_text(TEXT)
    await machine.upload(path, language="typescript")
    assert server.requests("CreateMachineVersion")[0].language == machine_pb2.MODULE_LANGUAGE_TYPESCRIPT


async def test_a_large_module_is_compressed_the_same_way_every_time(server, machine) -> None:
    text = "// Ä\n" * (_calls.GZIP_FROM // 5)
    server.will("CreateMachineVersion", uploaded(), uploaded())
    await machine.upload(text, request_id="r")
    await machine.upload(text, request_id="r")
    first, second = server.requests("CreateMachineVersion")
    assert gzip.decompress(first.module_gzip).decode() == text
    assert first == second


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (Path("machine.py"), {}, "tells no language: pass language"),
        ("./machine.ts", {}, "looks like a path: pass Path"),
        (TEXT, {"language": "coffeescript"}, "one of javascript, typescript"),
    ],
)
async def test_a_wrong_upload_is_refused_unsent(server, machine, source, options: Any, message) -> None:
    with pytest.raises(ValueError, match=message):
        await machine.upload(source, **options)
    assert not server.received


async def test_a_refused_module_says_where(server, machine) -> None:
    place = {"line": "3", "column": "14"}
    server.will(
        "CreateMachineVersion",
        Refusal(grpc.StatusCode.INVALID_ARGUMENT, "MODULE_SYNTAX_ERROR", metadata=place),
    )
    with pytest.raises(ModuleRejected) as caught:
        await machine.upload(TEXT)
    assert caught.value.metadata == place
    assert not isinstance(caught.value, MachineFault)


async def test_lists_walk_their_pages(server, client, machine) -> None:
    server.will(
        "ListMachines",
        machine_service_pb2.ListMachinesResponse(
            machines=[machine_message("a"), machine_message("b")], next_page_token="p2"
        ),
        machine_service_pb2.ListMachinesResponse(machines=[machine_message("c")]),
    )
    server.will(
        "ListMachineVersions",
        machine_service_pb2.ListMachineVersionsResponse(
            machine_versions=[machine_version("ver_1"), machine_version("ver_2")]
        ),
    )
    server.will(
        "ListInstances",
        instance_service_pb2.ListInstancesResponse(next_page_token="p2"),
        instance_service_pb2.ListInstancesResponse(instances=[instance_message(name="s9")]),
    )
    assert [m.name async for m in client.machines(page_size=2)] == ["a", "b", "c"]
    assert [v.id async for v in machine.versions()] == ["ver_1", "ver_2"]
    assert [i.name async for i in machine.instances()] == ["s9"]
    assert [(r.page_size, r.page_token) for r in server.requests("ListMachines")] == [(2, ""), (2, "p2")]
    assert server.requests("ListMachineVersions")[0].parent == "machines/toggle"
    assert [r.page_token for r in server.requests("ListInstances")] == ["", "p2"]


async def test_the_next_page_is_fetched_when_it_is_needed(server, client) -> None:
    server.will(
        "ListMachines",
        machine_service_pb2.ListMachinesResponse(machines=[machine_message("a")], next_page_token="p2"),
    )
    async for found in client.machines():
        assert found.name == "a"
        break
    assert len(server.received) == 1


@pytest.mark.parametrize("name", ["", "a/b", "a b", "ä", "x" * 129, "../a"])
def test_a_bad_name_is_refused_unsent(client, machine, name) -> None:
    with pytest.raises(InvalidName, match="is not a valid machine name"):
        client.machine(name)
    with pytest.raises(InvalidName, match="is not a valid instance name"):
        machine.instance(name)


async def test_a_bad_version_is_refused_unsent(server, machine) -> None:
    with pytest.raises(InvalidName, match="is not a valid version name"):
        await machine.set_current_version("a/b")
    assert not server.received


def test_handles_say_what_they_are(client, machine, instance) -> None:
    assert repr(machine) == "<Machine toggle>"
    assert repr(instance) == "<Instance toggle/s1>"
    assert repr(client).startswith("<Client 127.0.0.1:")
