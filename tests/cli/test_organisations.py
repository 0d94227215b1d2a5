"""Logging in, organisations, members, keys, providers and tokens: the command against a real server."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click.testing
import jwt
import pytest
from tests.certificates import NAME, authority, issued
from tests.servers import Server, serving

from stateward import tokens
from stateward_server.cli.main import main

pytestmark = pytest.mark.slow

Result = click.testing.Result
Command = Callable[..., Result]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where a person's own profile is."""
    return tmp_path / "stateward" / "profile.json"


@pytest.fixture
def person(tmp_path: Path) -> Command:
    """Run the command as somebody who has nothing but a home."""

    def run(*words: str | Path, stdin: str | bytes = "", **env: str) -> Result:
        where = {"XDG_CONFIG_HOME": str(tmp_path), "STATEWARD_PROFILE": None, **env}
        return click.testing.CliRunner().invoke(main, [str(word) for word in words], input=stdin, env=where)

    return run


@pytest.fixture
def admin(server: Server, person: Command) -> Command:
    """Run the command as the administrator of the server."""

    def run(*words: str | Path, stdin: str | bytes = "", **env: str) -> Result:
        return person(*words, stdin=stdin, STATEWARD_PROFILE=str(server.data / "admin.json"), **env)

    return run


def body(result: Result) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def done(result: Result) -> str:
    assert result.exit_code == 0, result.stderr
    return result.stdout


def refused(result: Result, code: int = 1) -> str:
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    return result.stderr


@pytest.fixture
def ann(server: Server, admin: Command, person: Command, home: Path) -> dict[str, Any]:
    """Let a developer in; return the profile that logging in has written."""
    invited = body(admin("invitations", "create", "--role", "developer", "--json"))
    done(
        person("login", "--grpc", server.grpc, "--invitation", "--name", "Ann", stdin=invited["code"] + "\n")
    )
    profile: dict[str, Any] = json.loads(home.read_text())
    return profile


# ------------------------------------------------------------------ login


def test_an_invitation_is_a_way_in_that_other_commands_find(server, person, ann, home):
    assert stat.S_IMODE(home.stat().st_mode) == 0o600
    assert {path.name for path in home.parent.iterdir()} == {"profile.json"}
    assert (ann["grpc"], ann["org"]) == (server.grpc, server.profile["org"])
    me = body(person("whoami", "--json"))
    assert (me["display_name"], me["role"], me["org"]) == ("Ann", "developer", server.profile["org"])
    assert me["expire_time"] is None
    assert "machines.write" in me["scopes"]
    shown = done(person("whoami"))
    assert "developer" in shown
    assert ann["token"] not in shown


def test_an_access_token_is_a_way_in(server, person, ann, home, tmp_path):
    token = body(person("access-tokens", "create", "--name", "laptop", "--json"))
    other = tmp_path / "other.json"
    answer = body(person("login", "--grpc", server.grpc, "--profile", other, "--json", stdin=token["secret"]))
    assert answer == {"profile": str(other), "grpc": server.grpc, "org": ann["org"]}
    assert json.loads(other.read_text())["token"] == token["secret"]
    assert body(person("whoami", "--json", "--profile", other))["display_name"] == "Ann"


def test_a_token_that_is_none_leaves_no_profile(server, person, home):
    complaint = refused(person("login", "--grpc", server.grpc, stdin="sba_hidden"))
    assert "TOKEN_INVALID" in complaint
    assert "sba_hidden" not in complaint
    assert list(home.parent.iterdir()) == []


def test_a_used_invitation_says_how_to_get_another(server, person, admin):
    code = body(admin("invitations", "create", "--role", "viewer", "--json"))["code"]
    done(person("login", "--grpc", server.grpc, "--invitation", stdin=code))
    complaint = refused(person("login", "--grpc", server.grpc, "--invitation", stdin=code))
    assert "stateward invitations create" in complaint
    assert code not in complaint


def test_no_token_is_wrong_usage(server, person):
    assert "there is no access token on standard input" in refused(
        person("login", "--grpc", server.grpc, stdin="\n"), 2
    )


def test_a_servers_own_profile_is_neither_overwritten_nor_deleted(server, admin):
    before = (server.data / "admin.json").read_bytes()
    assert "written by a server" in refused(admin("login", "--grpc", server.grpc, stdin="x"), 2)
    assert "written by a server" in refused(admin("logout"), 2)
    assert (server.data / "admin.json").read_bytes() == before


@pytest.mark.parametrize("invitation", [(), ("--invitation",)])
def test_secrets_do_not_travel_unencrypted(person, home, invitation):
    complaint = refused(person("login", "--grpc", "example.com:7411", *invitation, stdin="sbx_hidden"), 2)
    assert "would travel unencrypted to example.com:7411" in complaint
    assert "login --tls" in complaint
    assert "sbx_hidden" not in complaint
    assert not home.exists()


def test_what_is_said_about_the_connection_goes_into_the_profile(person, home, tmp_path, monkeypatch):
    ca = authority()
    (tmp_path / "ca.pem").write_bytes(ca.pem)
    certificate, key = issued(ca).write(tmp_path)
    monkeypatch.chdir(tmp_path)
    with serving(tmp_path, settings={"tls_cert": certificate, "tls_key": key}) as server:
        trust = ("--ca", "ca.pem", "--server-name", NAME)
        done(person(*trust, "login", "--grpc", server.grpc, stdin=server.profile["token"]))
        profile = json.loads(home.read_text())
        assert profile["tls"] == {"ca": str(tmp_path / "ca.pem"), "server_name": NAME}
        monkeypatch.chdir("/")
        assert body(person("whoami", "--json"))["role"] == "owner"
        assert "cannot read" in refused(person("--ca", "none.pem", "login", "--grpc", "x:1", stdin="x"), 2)


def typed(question: str, answer: str, *words: str, env: dict[str, str]) -> tuple[int, str]:
    """Run the command on a real terminal and answer its question; return its exit code and all that is seen.

    What is typed is seen, too, unless the command keeps it from that.
    """
    ours, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STATEWARD_")}
    command = [sys.executable, "-m", "stateward_server", *words]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env={**kept, **env}) as run:
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError):  # what reading raises once nobody has the terminal
            while question.encode() not in seen:
                seen += os.read(ours, 1024)
            os.write(ours, answer.encode() + b"\n")
            while more := os.read(ours, 1024):
                seen += more
        code = run.wait(20)
    os.close(ours)
    return code, seen.decode()


def test_a_terminal_asks_for_a_token_and_does_not_show_it(server, tmp_path):
    token = server.profile["token"]
    words = ("login", "--grpc", server.grpc)
    code, seen = typed("Access token:", token, *words, env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert (code, "Logged in" in seen, token in seen) == (0, True, False)
    code, seen = typed("Replace", "n", *words, env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert (code, "Logged in" in seen) == (130, False)


def test_a_terminal_asks_before_a_key_is_revoked(server, admin):
    key = body(admin("keys", "create", "--use", "ci", "--json"))["key"]
    env = {"STATEWARD_PROFILE": str(server.data / "admin.json")}
    code, seen = typed("Revoke key", "n", "keys", "delete", key, env=env)
    assert (code, "Revoked" in seen) == (130, False)
    assert key in done(admin("keys", "list"))
    code, seen = typed("Revoke key", "y", "keys", "delete", key, env=env)
    assert (code, f"Revoked key {key}." in seen) == (0, True)


def test_logout_deletes_the_profile_once(person, ann, home):
    assert body(person("logout", "--json")) == {"profile": str(home), "deleted": True}
    assert not home.exists()
    assert body(person("logout", "--json"))["deleted"] is False
    assert "stateward login --grpc HOST:PORT" in refused(person("whoami"), 2)


def test_logout_can_revoke_the_token(server, person, ann, home):
    done(person("logout", "--revoke"))
    assert not home.exists()
    assert "TOKEN_INVALID" in refused(person("login", "--grpc", server.grpc, stdin=ann["token"]))


def test_a_token_that_cannot_be_revoked_stays_where_it_is(server, person, home):
    profile = server.profile
    token = tokens.sign(profile["key_id"], profile["key_secret"], {})
    done(person("login", "--grpc", server.grpc, stdin=token))
    assert "PERSON_REQUIRED" in refused(person("logout", "--revoke"))
    assert json.loads(home.read_text())["token"] == token


def test_a_profile_that_cannot_be_written_costs_no_invitation(server, admin, person, tmp_path):
    code = body(admin("invitations", "create", "--role", "viewer", "--json"))["code"]
    (tmp_path / "file").write_text("")
    words = ("login", "--grpc", server.grpc, "--invitation")
    assert "cannot write the profile" in refused(
        person(*words, "--profile", tmp_path / "file" / "p.json", stdin=code), 2
    )
    done(person(*words, stdin=code))


# ------------------------------------------------------------------ organisations


def test_organisations_are_created_chosen_and_changed(person, ann, home):
    created = body(person("orgs", "create", "Side project", "--deny-anonymous", "--json"))
    assert (created["display_name"], created["anonymous_access"], created["role"]) == (
        "Side project",
        False,
        "owner",
    )
    assert body(person("orgs", "get", "--json"))["org"] == ann["org"]
    assert body(person("orgs", "use", "Side project", "--json"))["org"] == created["org"]
    assert json.loads(home.read_text()) == {**ann, "org": created["org"]}
    assert stat.S_IMODE(home.stat().st_mode) == 0o600
    changed = body(person("orgs", "update", "--name", "Main project", "--allow-anonymous", "--json"))
    assert (changed["org"], changed["display_name"], changed["anonymous_access"]) == (
        created["org"],
        "Main project",
        True,
    )
    found = body(person("orgs", "list", "--json"))["orgs"]
    assert {each["org"]: each["current"] for each in found} == {ann["org"]: False, created["org"]: True}
    assert "Main project" in done(person("orgs", "list"))
    assert body(person("--org", ann["org"], "orgs", "get", "--json"))["org"] == ann["org"]
    assert body(person("orgs", "get", "--json", STATEWARD_ORG=ann["org"]))["org"] == ann["org"]


def test_an_organisation_that_one_does_not_belong_to_leads_to_the_list(person, ann, home):
    assert "stateward orgs list" in refused(person("orgs", "use", "org_x"))
    assert "stateward orgs list" in refused(person("--org", "org_" + "x" * 22, "orgs", "get"))
    assert "not a valid organisation name" in refused(person("--org", "no/org", "orgs", "get"))
    assert json.loads(home.read_text()) == ann


def test_who_must_choose_is_told_how(server, person, ann, home):
    done(person("orgs", "create", "Second"))
    again = person("login", "--grpc", server.grpc, stdin=ann["token"])
    assert "stateward orgs use ORG" in again.stderr
    assert "org" not in json.loads(home.read_text())
    assert "stateward orgs use ORG" in refused(person("orgs", "get"))
    done(person("--org", ann["org"], "login", "--grpc", server.grpc, stdin=ann["token"]))
    assert json.loads(home.read_text())["org"] == ann["org"]


def test_changing_nothing_is_wrong_usage(person, ann):
    assert "--allow-anonymous" in refused(person("orgs", "update"), 2)


# ------------------------------------------------------------------ members


def test_members_are_listed_promoted_and_removed(admin, person, ann):
    me = body(person("whoami", "--json"))["subject"].removeprefix("users/")
    found = {each["member"]: each["role"] for each in body(admin("members", "list", "--json"))["members"]}
    assert found[me] == "developer"
    assert "Ann" in done(admin("members", "list"))
    assert body(admin("members", "set-role", me, "--role", "viewer", "--json"))["role"] == "viewer"
    assert "stateward whoami" in refused(person("members", "set-role", me, "--role", "owner"))
    assert done(admin("members", "remove", me)) == f"Removed {me}.\n"
    assert "stateward members list" in refused(admin("members", "remove", me))


def test_the_last_owner_is_told_what_to_do(admin):
    me = body(admin("whoami", "--json"))["subject"].removeprefix("users/")
    assert "set-role MEMBER --role owner" in refused(admin("members", "remove", me, "--yes"))


def test_invitations_show_their_code_once(admin):
    made = admin(
        "invitations", "create", "--role", "viewer", "--note", "ben@example.com", "--valid-hours", "2"
    )
    facts = dict(line.split(maxsplit=1) for line in done(made).splitlines())
    assert "not shown again" in made.stderr
    listed = done(admin("invitations", "list"))
    assert facts["invitation"] in listed
    assert "ben@example.com" in listed
    assert facts["code"] not in listed
    assert done(admin("invitations", "delete", facts["invitation"]))
    assert "stateward invitations list" in refused(admin("invitations", "delete", facts["invitation"]))


def test_a_person_with_a_profile_joins_another_organisation(server, admin, person, ann):
    other = body(person("orgs", "create", "Other", "--json"))["org"]
    code = body(person("--org", other, "invitations", "create", "--role", "viewer", "--json"))["code"]
    invited = body(admin("invitations", "create", "--role", "viewer", "--json"))
    assert "MEMBER_EXISTS" in refused(person("invitations", "accept", stdin=invited["code"]))
    joined = admin("invitations", "accept", "--json", stdin=code)
    assert (body(joined)["org"], body(joined)["role"]) == (other, "viewer")
    # Nothing has changed for the organisation that the profile names.
    assert body(admin("orgs", "get", "--json"))["org"] == server.profile["org"]
    me = body(admin("whoami", "--json"))["subject"].removeprefix("users/")
    done(admin("--org", other, "members", "remove", me))


# ------------------------------------------------------------------ keys and tokens


def test_a_key_signs_tokens_until_it_is_revoked(server, admin, person, tmp_path):
    made = admin(
        "keys", "create", "--use", "production", "--scope", "machines.read", "--name", "web", "--json"
    )
    key = body(made)
    assert "machines.read" in key["scopes"]
    listed = done(admin("keys", "list"))
    assert key["key"] in listed
    assert key["secret"] not in listed
    words = ("tokens", "generate", "--key", key["key"], "--claims", '{"sub": "ann"}')
    profile = tmp_path / "signed.json"
    for token in (
        done(person(*words, stdin=key["secret"] + "\n")).strip(),
        done(person(*words, STATEWARD_KEY_SECRET=key["secret"])).strip(),
    ):
        profile.write_text(json.dumps({"grpc": server.grpc, "token": token}))
        me = body(person("whoami", "--json", "--profile", profile))
        assert (me["subject"], me["auth_context"]) == (f"keys/{key['key']}", {"sub": "ann"})
        assert "stateward login" in refused(person("access-tokens", "list", "--profile", profile))
    assert done(admin("keys", "delete", key["key"])) == f"Revoked key {key['key']}.\n"
    assert "stateward login" in refused(person("whoami", "--profile", profile))
    assert "stateward keys list" in refused(admin("keys", "delete", key["key"]))


def test_a_new_secret_says_that_it_is_shown_once(admin):
    made = admin("keys", "create", "--use", "ci")
    assert "sbsec_" in done(made)
    assert "not shown again" in made.stderr
    assert "Say what the key is for" in refused(admin("keys", "create"), 2)


def test_the_servers_profile_has_a_key_to_sign_with(server, admin):
    token = done(admin("tokens", "generate", "--claims", '{"sub": "ann"}', "--ttl", "10m")).strip()
    secret = server.profile["key_secret"]
    claims = jwt.decode(token, secret, algorithms=["HS256"], audience=tokens.AUDIENCE)
    assert claims["act"] == {"sub": "ann"}
    assert claims["exp"] - claims["iat"] == 600
    assert jwt.get_unverified_header(token)["kid"] == server.profile["key_id"]


def test_signing_needs_a_key_and_its_secret(person):
    assert "--key ID" in refused(person("tokens", "generate", "--claims", "{}"), 2)
    assert "--key ID" in refused(person("tokens", "generate", "--claims", "{}", "--key", "web"), 2)
    words = ("tokens", "generate", "--key", "sbk_x", "--claims", "{}")
    assert "there is no key secret" in refused(person(*words), 2)
    mixed_up = refused(person(*words, stdin="sba_hidden"), 2)
    assert "begins with sbsec_" in mixed_up
    assert "hidden" not in mixed_up
    assert "not an object" in refused(person("tokens", "generate", "--key", "sbk_x", "--claims", "1"), 2)


def test_access_tokens_come_and_go(person, ann):
    made = person("access-tokens", "create", "--name", "laptop")
    assert "not shown again" in made.stderr
    facts = dict(line.split(maxsplit=1) for line in done(made).splitlines())
    listed = body(person("access-tokens", "list", "--json"))["access_tokens"]
    assert {each["display_name"]: each["current"] for each in listed} == {"invitation": True, "laptop": False}
    assert facts["secret"] not in done(person("access-tokens", "list"))
    done(person("access-tokens", "delete", facts["token"]))
    assert "stateward access-tokens list" in refused(person("access-tokens", "delete", facts["token"]))


# ------------------------------------------------------------------ providers


def test_an_identity_provider_with_a_key_from_a_file_or_stdin(admin, tmp_path):
    secret = "a shared secret of thirty-two bytes"
    (tmp_path / "key").write_text(f"{secret}\n")
    words = ("identity-providers", "put", "--issuer", "https://us.example/", "--algorithm", "HS256", "--json")
    first = body(admin(*words, "--key-file", tmp_path / "key"))
    again = body(admin(*words, "--key-file", "-", "--mapping", '{"id.$": "$.sub"}', stdin=secret))
    assert first["mapping"] == {"sub.$": "$.sub"}
    assert again == {**first, "mapping": {"id.$": "$.sub"}}
    listed = done(admin("identity-providers", "list"))
    assert "https://us.example/" in listed
    assert secret not in listed
    done(admin("identity-providers", "delete", first["identity_provider"]))
    assert "stateward identity-providers list" in refused(
        admin("identity-providers", "delete", first["identity_provider"])
    )


@pytest.mark.parametrize(
    ("words", "issuer", "audience"),
    [
        (
            ("put-auth0", "--domain", "acme.eu.auth0.com"),
            "https://acme.eu.auth0.com/",
            "https://acme.eu.auth0.com/api/v2/",
        ),
        (
            ("put-cognito", "--region", "eu-central-1", "--user-pool", "eu-central-1_AbC", "--client", "c1"),
            "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbC",
            "c1",
        ),
        (
            ("put-supabase", "--project", "abc", "--secret-file", "-"),
            "https://abc.supabase.co/auth/v1",
            "authenticated",
        ),
    ],
)
def test_well_known_identity_providers_have_short_forms(admin, words, issuer, audience):
    put = body(admin("identity-providers", *words, "--json", stdin="a secret of at least thirty-two bytes"))
    assert (put["issuer"], put["audience"]) == (issuer, audience)
    done(admin("identity-providers", "delete", put["identity_provider"]))


def test_token_providers_are_put_listed_and_deleted(server, admin):
    key = server.profile["key_id"]
    put = body(admin("token-providers", "put", "web", "--key", key, "--json"))
    assert (put["token_provider"], put["key"], put["mapping"]) == ("web", key, None)
    put = body(
        admin("token-providers", "put", "web", "--key", key, "--mapping", '{"sub.$": "$.sub"}', "--json")
    )
    assert put in body(admin("token-providers", "list", "--json"))["token_providers"]
    assert '{"sub.$": "$.sub"}' in done(admin("token-providers", "list"))
    done(admin("token-providers", "delete", "web"))
    assert "stateward token-providers list" in refused(admin("token-providers", "delete", "web"))
    assert "stateward keys list" in refused(
        admin("token-providers", "put", "web", "--key", "sbk_" + "x" * 22)
    )


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("put", "--algorithm", "RS256", "--issuer", "x"), "--jwks-url URL or --key-file FILE"),
        (("put", "--algorithm", "HS256", "--issuer", "x", "--key-file", "missing"), "cannot read missing"),
        (("put-auth0", "--domain", "not a host"), "is not an Auth0 domain"),
        (("put-supabase", "--project", "abc", "--mapping", "["), "is not JSON"),
    ],
)
def test_slips_with_identity_providers_are_wrong_usage(admin, words, complaint):
    assert complaint in refused(admin("identity-providers", *words), 2)
