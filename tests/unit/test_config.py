"""Settings: flag over environment over file over default, and every mistake named with where it was made."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from stateward_server.config import Settings, address, limits_of, load
from stateward_server.model.errors import InvalidArgument


def write(directory: Path, text: str | bytes) -> Path:
    path = directory / "stateward.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(
    file: Path | None = None, flags: dict[str, str | None] | None = None, env: dict[str, str] | None = None
) -> tuple[str, str]:
    with pytest.raises(InvalidArgument) as caught:
        load({"data": "d", **(flags or {})}, env or {}, file)
    assert caught.value.reason == "INVALID_FIELD"
    return caught.value.metadata["field"], caught.value.message


def test_only_the_data_directory_must_be_given():
    assert load({"data": "d"}, {}, None) == Settings(Path("d"))


def test_flag_goes_over_environment_over_file_over_default(tmp_path: Path):
    file = write(tmp_path, 'data = "f"\nlog_level = "error"\nhttp = "h:1"\ndrain_seconds = 3\n')
    env = {"STATEWARD_LOG_LEVEL": "warning", "STATEWARD_HTTP": "h:2", "LOG_LEVEL": "debug"}
    settings = load({"http": "h:3", "log_level": None}, env, file)
    assert settings == Settings(Path("f"), http="h:3", log_level="warning", drain_seconds=3)


@pytest.mark.parametrize("field", fields(Settings), ids=lambda field: field.name)
def test_every_setting_can_come_from_the_environment(field: object):
    values = {
        "data": "x", "grpc": "h:1", "http": "h:1", "log_level": "debug", "log_format": "json",
        "host_processes": "7", "settle_seconds": "7", "drain_seconds": "7",
        "history_days": "0", "audit_days": "7", "keepalive_seconds": "7", "send_seconds": "7",
        "org_requests_per_second": "7", "key_requests_per_second": "7", "failed_tokens_per_second": "0",
        "open_requests_per_second": "0",
        "tls_cert": "x", "tls_key": "x", "tls_client_ca": "x", "allow_plaintext": "true",
        "allow_private_jwks": "true", "allow_machine_ipv6": "true",
    }  # fmt: skip
    name: str = field.name  # type: ignore[attr-defined]  # a field of a data class
    pair: dict[str, str | None] = {"tls_cert": "c", "tls_key": "k"}
    given = {key: value for key, value in pair.items() if name.startswith("tls_") and key != name}
    settings = load(given, {"STATEWARD_DATA": "d", f"STATEWARD_{name.upper()}": values[name]}, None)
    assert str(getattr(settings, name)).lower() == values[name]


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"tls_cert": "c"}, "tls_key"),
        ({"tls_key": "k"}, "tls_cert"),
        ({"tls_client_ca": "a"}, "tls_cert"),
        ({"tls_cert": "c", "tls_client_ca": "a"}, "tls_key"),
    ],
)
def test_half_of_tls_is_refused(given: dict[str, str | None], missing: str):
    assert refusal(flags=given)[0] == missing


def test_a_file_says_true_or_false(tmp_path: Path):
    assert load({"data": "d"}, {}, write(tmp_path, "allow_plaintext = true")).allow_plaintext is True
    assert load({"data": "d"}, {}, write(tmp_path, "allow_plaintext = false")).allow_plaintext is False
    assert refusal(write(tmp_path, 'allow_plaintext = "true"'))[0] == "allow_plaintext"
    assert refusal(write(tmp_path, "allow_plaintext = 1"))[0] == "allow_plaintext"


def test_without_a_data_directory_the_server_says_how_to_name_one():
    with pytest.raises(InvalidArgument) as caught:
        load({}, {}, None)
    assert caught.value.metadata == {"field": "data"}
    assert "STATEWARD_DATA" in caught.value.message


def test_an_unknown_setting_in_the_file_is_named(tmp_path: Path):
    file = write(tmp_path, 'grcp = "h:1"\n')
    field, message = refusal(file)
    assert field == "grcp"
    assert str(file) in message


@pytest.mark.parametrize("text", ["=", "[data", b"\xff\xfe", 'data = "a"\ndata = "b"'])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, text: str | bytes):
    file = write(tmp_path, text)
    field, message = refusal(file)
    assert field == "config"
    assert str(file) in message


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    field, message = refusal(tmp_path / "none.toml")
    assert field == "config"
    assert "none.toml" in message


def test_a_file_is_utf8_whatever_the_locale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LC_ALL", "C")
    assert load({}, {}, write(tmp_path, 'data = "dätä"')).data == Path("dätä")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("data", ""),
        ("grpc", ""),
        ("grpc", "localhost"),
        ("grpc", ":7411"),
        ("http", "h:port"),
        ("http", "h:65536"),
        ("http", "h:-1"),
        ("http", "h:" + "9" * 5000),
        ("log_level", "INFO"),
        ("log_level", ""),
        ("log_format", "yaml"),
        ("tls_cert", ""),
        ("allow_plaintext", "yes"),
        ("allow_plaintext", ""),
        ("drain_seconds", "0"),
        ("drain_seconds", "-1"),
        ("drain_seconds", "1.5"),
        ("drain_seconds", "ten"),
        ("settle_seconds", "²"),
        ("host_processes", ""),
        ("host_processes", "9" * 5000),
    ],
)
def test_a_bad_value_is_named_with_its_source(key: str, value: str):
    assert refusal(flags={key: value})[0] == key
    variable = f"STATEWARD_{key.upper()}"
    field, message = refusal(flags={key: None}, env={"STATEWARD_DATA": "d", variable: value})
    assert field == key
    assert variable in message
    assert len(message) < 300


@pytest.mark.parametrize("value", ["true", "1.5", "[1]", "{a = 1}", '"7"', "0"])
def test_a_bad_value_in_the_file_is_named_with_the_file(tmp_path: Path, value: str):
    file = write(tmp_path, f"drain_seconds = {value}\n")
    field, message = refusal(file)
    assert field == "drain_seconds"
    assert str(file) in message


@pytest.mark.parametrize("value", ["true", "7", "[1]"])
def test_a_directory_in_the_file_is_text(tmp_path: Path, value: str):
    file = write(tmp_path, f"data = {value}\n")
    assert refusal(file, flags={"data": None})[0] == "data"


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("h:0", ("h", 0)),
        ("127.0.0.1:65535", ("127.0.0.1", 65535)),
        ("[::1]:7411", ("::1", 7411)),
        ("[::]:0", ("::", 0)),
    ],
)
def test_an_address_is_split_at_its_last_colon(text: str, split: tuple[str, int]):
    assert address(text, "grpc") == split


@pytest.mark.parametrize(("settle_seconds", "wait_ms"), [(10, 90_000), (600, 600_000)])
def test_who_waits_for_services_may_wait_as_long_as_they_may_run(settle_seconds: int, wait_ms: int) -> None:
    limits = limits_of(Settings(data=Path(), settle_seconds=settle_seconds))
    assert (limits.engine.settle_ms, limits.api.wait_ms) == (settle_seconds * 1_000, wait_ms)
