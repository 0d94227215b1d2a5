"""A group of commands, as its help shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

_WHOLE = 1_000
"""Longer than any first sentence of a command's help."""


class Commands(click.Group):
    """Shows what its commands do in whole sentences, which Click would cut off where the line ends."""

    sections: Mapping[str, Sequence[click.Command]] = {}
    """The commands under headings, in the order in which somebody new needs them; none is one for all."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        for heading, commands in (self.sections or {"Commands": self._sorted(ctx)}).items():
            with formatter.section(heading):
                formatter.write_dl([(each.name or "", each.get_short_help_str(_WHOLE)) for each in commands])

    def _sorted(self, ctx: click.Context) -> list[click.Command]:
        return [self.commands[name] for name in self.list_commands(ctx)]
