"""What the commands that upload a module share: their options, making the module, and sending it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from stateward import MachineVersion, errors
from stateward_server.cli import bundle, deno, values
from stateward_server.cli.session import Session

if TYPE_CHECKING:
    from stateward import Machine

F = TypeVar("F", bound=Callable[..., Any])

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def module_options(*, required: bool) -> Callable[[F], F]:
    """Give a command the options that name a module."""
    either = "One of --node and --file is needed." if required else "Not together with --file."

    def decorate(work: F) -> F:
        for option in (
            click.option(
                "--index-selectors",
                callback=values.checked(values.selectors),
                metavar="JSON",
                help='Where indexes find values, such as \'{"owner": "$.public.owner"}\'; those left out as'
                " in the current version.",
            ),
            click.option(
                "--client-info",
                default="",
                metavar="TEXT",
                help="A note to keep with the version, such as a commit.",
            ),
            click.option(
                "--xstate",
                type=click.Choice(["4", "5"]),
                help="XState's major version, if the project and the module do not tell.",
            ),
            click.option(
                "--file",
                "--js",
                "file",
                type=_FILE,
                metavar="FILE",
                help="Upload this self-contained module as it is.",
            ),
            click.option(
                "--node",
                type=_FILE,
                metavar="FILE",
                help=f"Upload this module, bundled with what it imports. {either}",
            ),
        ):
            work = option(work)
        return work

    return decorate


def prepare(
    session: Session, *, node: Path | None, file: Path | None, xstate: str | None
) -> bundle.Module | None:
    """Make the module that the options name; None if they name none."""
    if node is not None and file is not None:
        raise click.UsageError("Use either --node or --file, not both.")
    if file is not None:
        if xstate is not None:
            raise click.UsageError("--xstate goes with --node; --file is uploaded as it is.")
        return bundle.as_is(file)
    if node is None:
        return None
    bundler = bundle.needs_bundler(node)
    if not bundler:
        return bundle.from_entry(node, xstate=int(xstate) if xstate else None, bundler=False)
    with session.output.progress(f"Bundling {node.name} …"):
        module = bundle.from_entry(node, xstate=int(xstate) if xstate else None, bundler=True)
    session.output.note(f"Bundled {node} into {len(module.text.encode()):,} bytes.")
    return module


async def upload(
    session: Session,
    machine: Machine,
    module: bundle.Module,
    *,
    make_current: bool,
    client_info: str,
    index_selectors: dict[str, str] | None,
) -> MachineVersion:
    """Send a module, and say where in the user's own file a refusal points."""
    try:
        with session.output.progress(f"Uploading {module.path.name} …"):
            version = await machine.upload(
                module.text,
                language=module.language,
                make_current=make_current,
                client_info=client_info,
                index_selectors=index_selectors,
            )
    except errors.ModuleRejected as refused:
        raise _placed(refused, module) from refused
    if module.project_xstate not in (None, version.xstate_version):
        session.output.note(
            f"Note: the project has XState {module.project_xstate}, but this module is a machine for XState "
            f"{version.xstate_version} and runs on that. Use --xstate {module.project_xstate} if it is not."
        )
    return version


def _placed(refused: errors.ModuleRejected, module: bundle.Module) -> errors.StatewardError:
    """Put file:line:column before the message where line and column are those of the user's own file."""
    line, column = refused.metadata.get("line"), refused.metadata.get("column")
    if line is None or module.bundled:
        return refused
    message = refused.message.removesuffix(f" (line {line}, column {column})")
    place = f"{module.path}:{line}:{column}"
    if module.language == "typescript":
        # What parses as TypeScript can still be wrong as JavaScript, and that is what the server counts in.
        deno.imports(module.path)
        place, message = str(module.path), f"{message} (line {line} of the JavaScript it becomes)"
    return type(refused)(
        f"{place}: {message}",
        code=refused.code,
        reason=refused.reason,
        metadata={"file": str(module.path), **refused.metadata},
    )
