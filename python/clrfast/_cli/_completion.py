"""Completion in a shell: shtab makes the script for it from the parser."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any

from clrfast._cli._output import show
from clrfast._require import require


class PrintCompletion(argparse.Action):
    """Prints the script for a shell, and ends the command."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Print, and exit."""
        require("shtab", "completion in a shell", extra="completion")
        import shtab

        if values not in shtab.SUPPORTED_SHELLS:
            parser.error(f"{option_string} must be one of {', '.join(shtab.SUPPORTED_SHELLS)}, got {values}")
        places = {
            **dict.fromkeys(("FILE", "OUT", "PATH"), shtab.FILE),
            **dict.fromkeys(("DIR", "FOLDER"), shtab.DIRECTORY),
        }
        for action in _actions(parser):
            if action.metavar in places:
                action.complete = places[action.metavar]  # type: ignore[attr-defined]  # where shtab looks
        show(shtab.complete(parser, shell=str(values)))
        parser.exit()


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the arguments of a parser, and those of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
