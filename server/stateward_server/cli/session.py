"""What every client command has in common: `--profile`, `--json`, a connection, and errors with a next step.

`@client_command` turns `async def verb(session, …)` into a click callback. The connection is made when the
command asks for it, so that a file can be bundled, and a slip found, before there is a server to talk to.
The client is loaded with it, and named by its package until then: help should come at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import click

import stateward
from stateward import TLS, Profile, RetryPolicy, errors
from stateward_server.cli.failure import USAGE, Failure
from stateward_server.cli.output import Output
from stateward_server.cli.profiles import default_place
from stateward_server.cli.refusals import failure_of

P = ParamSpec("P")

# Long enough for a server that is being restarted, short enough for someone who waits at a terminal.
_RETRY = RetryPolicy(attempts=5)
_TLS_OPTIONS = {"ca": "ca", "certificate": "client_cert", "key": "client_key", "server_name": "server_name"}
TLS_HINT = (
    'say in the profile whom to trust: "tls": {"ca": FILE}, or {} for public authorities; '
    'or, where the network is trusted, "allow_plaintext": true. '
    "When logging in: stateward --ca FILE login, login --tls, or login --allow-plaintext"
)


class Session:
    """One run of a client command."""

    def __init__(
        self,
        profile: Path | None,
        output: Output,
        *,
        tls: Mapping[str, str | None],
        org: str | None,
        acting: bool = False,
    ) -> None:
        """`tls` and `org` go before what the profile says: any of the names of a `TLS`, and an id.

        `acting` tells whether the user has said for whom the command is.
        """
        self.profile = profile.expanduser() if profile else default_place()
        self._tls = {name: value for name, value in tls.items() if value is not None}
        self._org = org
        self._acting = acting
        self.output = output

    @asynccontextmanager
    async def connect(self, *, naming_org: bool = True) -> AsyncIterator[stateward.Client]:
        """Open a connection as the profile says, and explain whatever goes wrong on it.

        `naming_org` is off for calls that are about no organisation: one that is named has to be there.
        """
        profile = _read(self.profile)
        org = (self._org or profile.org) if naming_org else None
        tls = self._encryption(profile.tls)
        async with self.reach(replace(profile, tls=tls, org=org)) as client:
            yield client

    @property
    def org(self) -> str | None:
        """The organisation that is named to the server."""
        return self._org or _read(self.profile).org

    def way_in(self, target: str, tls: TLS | None, *, allow_plaintext: bool) -> Profile:
        """Return how to reach a server that no profile is there for yet, without a token."""
        return Profile(target, None, self._encryption(tls), allow_plaintext, self._org)

    @asynccontextmanager
    async def reach(self, profile: Profile) -> AsyncIterator[stateward.Client]:
        """Open a connection like this, and explain whatever goes wrong on it."""
        try:
            async with _client(profile) as client:
                yield client
        except errors.StatewardError as error:
            raise failure_of(error, server=profile.target, acting=self._acting) from error

    def _encryption(self, said: TLS | None) -> TLS | None:
        try:
            return replace(said or TLS(), **self._tls) if self._tls else said
        except ValueError as wrong:
            raise Failure(str(wrong), reason="TLS", hint=TLS_HINT, exit_code=USAGE) from wrong


def _client(profile: Profile) -> stateward.Client:
    try:
        return stateward.Client.connect(
            profile.target,
            org=profile.org,
            token=profile.token,
            tls=profile.tls or False,
            allow_plaintext=profile.allow_plaintext,
            retry=_RETRY,
        )
    except errors.StatewardError:
        raise
    except OSError as wrong:
        text = f"cannot read {wrong.filename}: {wrong.strerror}"
        raise Failure(text, reason="TLS", hint=TLS_HINT, exit_code=USAGE) from wrong
    except ValueError as wrong:
        raise Failure(str(wrong), reason="TLS", hint=TLS_HINT, exit_code=USAGE) from wrong


def client_command(
    work: Callable[Concatenate[Session, P], Awaitable[None]],
) -> Callable[..., None]:
    """Make a click callback of an async function, and give it the options that all client commands have."""

    @click.option(
        "--profile",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar="STATEWARD_PROFILE",
        show_envvar=True,
        help="Address and token of the server; by default what `stateward login` wrote.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Write one JSON document instead of text.")
    @wraps(work)
    def callback(*args: Any, profile: Path | None, as_json: bool, **options: Any) -> None:
        before = click.get_current_context().find_root().params
        tls = {name: before.get(option) for name, option in _TLS_OPTIONS.items()}
        session = Session(
            _chosen(profile),
            Output(as_json=as_json or before["as_json"]),
            tls=tls,
            org=before["org"],
            acting=options.get("auth_context") is not None,
        )
        asyncio.run(_run(work(session, *args, **options)))

    return callback


def _chosen(profile: Path | None) -> Path | None:
    """Prefer what stands before the command to the environment, and what stands behind it to both."""
    ctx = click.get_current_context()
    before: Path | None = ctx.find_root().params.get("profile")
    behind = ctx.get_parameter_source("profile") is click.core.ParameterSource.COMMANDLINE
    return profile if behind or before is None else before


async def _run(work: Awaitable[None]) -> None:
    await work


def _read(profile: Path) -> Profile:
    """Most first runs fail here, and deserve a plain answer."""
    hint = (
        "log in: stateward login --grpc HOST:PORT; or use the one that the server writes to its data "
        "directory: --profile DIR/admin.json, or set STATEWARD_PROFILE"
    )
    try:
        found = Profile.read(profile)
    except FileNotFoundError as missing:
        raise Failure(
            f"there is no profile at {profile}", reason="PROFILE", hint=hint, exit_code=USAGE
        ) from missing
    except OSError as wrong:
        text = f"cannot read the profile {profile}: {wrong.strerror}"
        raise Failure(text, reason="PROFILE", hint=hint, exit_code=USAGE) from wrong
    except ValueError as wrong:
        raise Failure(str(wrong), reason="PROFILE", hint=hint, exit_code=USAGE) from wrong
    if found.token is None:
        text = f'{profile} is not a profile: it has no "token"'
        raise Failure(text, reason="PROFILE", hint=hint, exit_code=USAGE)
    return found
