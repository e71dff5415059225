"""The command line: results go to standard output, talk to standard error."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import clrfast
from clrfast._cli import _recover, _sweep
from clrfast._cli._analyze import add_arguments
from clrfast._cli._completion import PrintCompletion
from clrfast._cli._output import Parser, as_json, finish, show, tell, warnings_told
from clrfast._require import require


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments`, by default the process's own.

    Returns:
        The exit status: 0 if all went well, 1 if the input is bad or something is missing, which a line on
        standard error explains, or nobody reads the output. Wrong usage exits with 2.
    """
    failed = True
    try:
        with warnings_told():
            options = _parser().parse_args(arguments)
            options.run(options)
        failed = False
    except BrokenPipeError:  # whoever reads, such as head, has had enough
        pass
    except (ImportError, OSError, ValueError) as error:
        tell(f"clrfast: {error}")
    except SystemExit as stop:  # after --help, --version or wrong usage
        if _arrived() or stop.code:
            raise
        return 1
    return 0 if _arrived() and not failed else 1


def _arrived() -> bool:
    """Say whether all of the output has arrived where it goes."""
    try:
        finish()
    except BrokenPipeError:
        return False
    except OSError as error:
        tell(f"clrfast: standard output: {error}")
        return False
    return True


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="clrfast", description=clrfast.__doc__)
    parser.add_argument("--version", action="version", version=f"clrfast {clrfast.__version__}")
    parser.add_argument(
        "--print-completion",
        metavar="SHELL",
        action=PrintCompletion,
        help='print what makes bash, zsh or another shell complete this command: eval "$(clrfast '
        '--print-completion bash)"',
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    analyze = commands.add_parser("analyze", help="find the phases of range tests' logs, suggest ranges")
    add_arguments(analyze)

    sweep = commands.add_parser(
        "sweep", help="what a search left behind: the best rate, its basin, how it moves"
    )
    _sweep.add_arguments(sweep)

    recover = commands.add_parser("recover", help="the state before a range test that was killed")
    _recover.add_arguments(recover)

    demo = commands.add_parser("demo", help="range test, then three ways to train, on real data")
    demo.set_defaults(run=_demo)
    demo.add_argument("--data", choices=["digits", "fashion"], default="digits", help="default: %(default)s")
    demo.add_argument("--data-dir", metavar="DIR", type=Path, help="where Fashion-MNIST's four files are")
    demo.add_argument(
        "--out", metavar="DIR", type=Path, default=Path("clrfast-demo"), help="default: %(default)s"
    )
    demo.add_argument(
        "--seeds", metavar="N", type=_count, default=5, help="runs of each way (default: %(default)s)"
    )
    demo.add_argument("--plain", action="store_true", help="show progress as lines, in a terminal too")
    demo.add_argument("--json", action="store_true", help="print JSON and nothing else")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return int(text)


def _demo(options: argparse.Namespace) -> None:
    for module in ("torch", "matplotlib", "tqdm", *(["sklearn"] if options.data == "digits" else [])):
        require(module, "clrfast demo", extra="demo")
    from clrfast._cli._demo import demo

    result = demo(options.data, options.data_dir, options.seeds, options.out, plain=options.plain)
    show(as_json(result.to_dict()) if options.json else str(result))
