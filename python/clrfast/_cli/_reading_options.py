"""The options that commands share which read what others recorded."""

from __future__ import annotations

import argparse

from clrfast import _check
from clrfast._cli._output import output
from clrfast.logs._readers._limits import MAX_EXPANSION


def add_reading_options(parser: argparse.ArgumentParser, *, picture: str, page: str) -> None:
    """Add ``--json``, ``--plot``, ``--html``, ``--max-expansion`` and ``--progress``.

    Args:
        parser: Where to.
        picture: What ``--plot`` saves.
        page: What ``--html`` saves.
    """
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    parser.add_argument(
        "--plot",
        metavar="OUT",
        type=output(".png", ".svg", ".pdf"),
        help=f"save {picture}: .png, .svg, .pdf",
    )
    parser.add_argument(
        "--html",
        metavar="OUT",
        type=output(".html", ".htm"),
        help=f"save {page}, to zoom into, that loads nothing: .html",
    )
    parser.add_argument(
        "--max-expansion",
        metavar="N",
        type=_expansion,
        default=MAX_EXPANSION,
        help="how many times larger compressed files may become (default: %(default)g)",
    )
    parser.add_argument("--progress", action="store_true", help="show how much has been read")


def flag(argument: str) -> str:
    """Return what an argument of a reader is called on the command line."""
    return f"--{argument.replace('_', '-')}"


def _expansion(text: str) -> float:
    try:
        return _check.real("it", float(text), least=1)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number of at least 1, got {text!r}") from None
