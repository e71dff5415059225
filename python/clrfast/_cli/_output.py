"""All that the command prints, and the checks of where it saves.

Names of files, runs and columns come from outside: none reaches the terminal but through here.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NoReturn

from clrfast._visible import visible
from clrfast.logs._readers._files import File, Member


def show(text: str) -> None:
    """Print a result to standard output, as many lines as it has.

    Raises:
        OSError: Standard output is closed.
    """
    if sys.stdout is None:
        raise OSError("standard output is closed")
    _print("\n".join(map(visible, text.split("\n"))), sys.stdout)


def terminal_width() -> int | None:
    """Return how many characters a line of standard output has room for; None where it is no terminal."""
    terminal = sys.stdout is not None and sys.stdout.isatty()
    return shutil.get_terminal_size().columns if terminal else None


def as_json(found: object) -> str:
    """Return the JSON of a result: in ASCII, and so without a character that steers a terminal."""
    return json.dumps(found, indent=2, allow_nan=False).replace("\x7f", "\\u007f")


def tell(text: str) -> None:
    """Print what is no result to standard error, on one line; where that is closed, nobody listens."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            _print(visible(text), sys.stderr)


def warn(text: str) -> None:
    """Tell what may be wrong."""
    tell(f"clrfast: warning: {text}")


def _print(text: str, stream: IO[str]) -> None:
    """Print with what the stream cannot encode escaped: better a name that reads badly than no result."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream)


def finish() -> None:
    """Send what is still on its way to standard output.

    Raises:
        OSError: It cannot be; nothing more is tried then.
    """
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError):  # so that Python does not fail at it once more
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


@contextlib.contextmanager
def warnings_told() -> Iterator[None]:
    """Print Python's warnings, too, in the way of all others."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: warn(str(message))
        yield


class Parser(argparse.ArgumentParser):
    """A parser whose messages, which repeat what was typed, go the same way."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong on one line, and exit with 2."""
        super().error(visible(message))

    def _print_message(self, message: str, file: Any = None) -> None:
        for line in message.splitlines():
            show(line) if file is sys.stdout else tell(line)


def output(*suffixes: str) -> Callable[[str], Path]:
    """Return the check of a path to write to, which may come a long time after reading began."""

    def path(text: str) -> Path:
        path = Path(text)
        if path.suffix.lower() not in suffixes:
            raise argparse.ArgumentTypeError(f"must end in {' or '.join(suffixes)}, got {text!r}")
        if not path.parent.is_dir():
            raise argparse.ArgumentTypeError(f"there is no folder {str(path.parent)!r}")
        if path.is_dir() or not _writable(path):
            raise argparse.ArgumentTypeError(f"{text!r} cannot be written")
        return path

    return path


def _writable(path: Path) -> bool:
    """Whether a file can be replaced, for which its folder must be writable, or, if it is none, written."""
    folder = Path(os.path.realpath(path)).parent
    exists = path.exists()
    return (not exists or os.access(path, os.W_OK)) and (
        (exists and not path.is_file()) or os.access(folder, os.W_OK)
    )


def refuse_inputs(outputs: Iterable[tuple[str, Path | None]], inputs: Iterable[File]) -> None:
    """Raise a ValueError if an output is an input or another output, by whatever name or link.

    Args:
        outputs: The flag and the path of each; None where nothing is written.
        inputs: All files that are read.
    """
    taken: dict[tuple[int, int], str] = {}
    for file in inputs:
        source = file.archive if isinstance(file, Member) else file
        taken[_identity(source)] = str(source)
    for flag, path in outputs:
        if path is None or not path.exists():
            continue
        other = taken.get(_identity(path))
        if other is not None:
            raise ValueError(f"{flag} must be another file than {other}, got {path}")
        taken[_identity(path)] = f"that of {flag}"


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino
