"""``clrfast recover``: the state before a range test that was killed, as files that any script can load."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from clrfast._range_test._checkpoint import load
from clrfast._write import write_through


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments, and what it does, to its parser."""
    parser.description = (
        "Writes what range_test(checkpoint=FILE) saved before its process was killed as FILE.model.pt and "
        "FILE.optimizer.pt, for load_state_dict(torch.load(...)). In a script, clrfast.recover(FILE, model, "
        "optimizer) does all of it."
    )
    parser.set_defaults(run=_recover)
    parser.add_argument("file", metavar="FILE", type=Path, help="the checkpoint; it stays")
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help="where the files are written (default: beside FILE)"
    )


def _recover(options: argparse.Namespace) -> None:
    saved = load(options.file)
    import torch

    folder = options.out or options.file.parent
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"model": saved["model"], "optimizer": saved["optimizer"]}
    parts |= {f"also{i}": state for i, state in enumerate(saved["also"]) if state is not None}
    for name in parts:
        path = folder / f"{options.file.name}.{name}.pt"
        if path.exists():
            raise FileExistsError(f"--out must be a folder without {path.name}, got {str(folder)!r}")
    for name, state in parts.items():
        path = folder / f"{options.file.name}.{name}.pt"
        write_through(path, lambda file, state=state: torch.save(state, file))  # type: ignore[misc]
        print(path)
    if saved["buffers"]:
        print("clrfast: buffers that no state_dict holds come back with recover() alone", file=sys.stderr)
