"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from stateward_server.cli import values

F = TypeVar("F", bound=Callable[..., Any])

machine_option = click.option("--machine", "-m", required=True, metavar="NAME", help="The machine.")
instance_option = click.option("--instance", "-i", required=True, metavar="NAME", help="The instance.")
auth_context_option = click.option(
    "--auth-context",
    callback=values.checked(values.json_object),
    metavar="JSON",
    help="Act for an end user: what allowRead and allowWrite get as authContext.",
)
limit_option = click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="Show at most this many; all by default."
)
wait_option = click.option(
    "--wait",
    callback=values.checked(values.wait),
    metavar="WHAT",
    help="What to wait for: committed, settled (the default), done, state=PATH or tag=TAG.",
)
timeout_option = click.option(
    "--timeout",
    callback=values.checked(values.duration),
    metavar="DURATION",
    help="How long to wait for it, such as 5s.",
)


def named(noun: str) -> Callable[[F], Callable[..., Any]]:
    """Take the name of a thing as an argument, or as an option of the same name."""

    def decorate(work: F) -> Callable[..., Any]:
        @click.argument("name", required=False)
        @click.option(f"--{noun}", f"-{noun[0]}", noun, metavar="NAME", help="The same as the argument NAME.")
        @wraps(work)
        def callback(*, name: str | None, **options: Any) -> Any:
            given = [word for word in (name, options[noun]) if word is not None]
            if len(set(given)) != 1:
                raise click.UsageError(f"Name one {noun}, as NAME or with --{noun} NAME.")
            options[noun] = given[0]
            return work(**options)

        return callback

    return decorate
