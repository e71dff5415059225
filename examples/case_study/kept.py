"""Results that outlive an interrupt: one small file each."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import clrfast

_VERSIONS = {"clrfast": clrfast.__version__, "torch": torch.__version__}


class Kept:
    """A folder of results, each beside the settings that it comes from.

    Args:
        folder: Where the files are; made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, name: str, settings: dict[str, Any], compute: Callable[[], Any]) -> Any:
        """Return what is kept under this name, or compute it and keep it.

        Args:
            name: Of the file, without its suffix; may have folders.
            settings: All that the result depends on, as JSON has it. A file with other ones, or of other
                versions of the libraries, is written anew.
            compute: Returns the result, as JSON has it.
        """
        path = self._folder / f"{name}.json"
        wanted = json.loads(json.dumps({**settings, **_VERSIONS}))
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # missing, cut, or something else
            found = json.loads(path.read_text(encoding="utf-8"))
            if found["settings"] == wanted:
                return found["result"]
        result = json.loads(json.dumps(compute()))
        _write(path, json.dumps({"settings": wanted, "result": result}))
        return result

    def __len__(self) -> int:
        """How many results there are."""
        return sum(1 for _ in self._folder.rglob("*.json"))


def _write(path: Path, text: str) -> None:
    """Write beside the place, then move: who is interrupted leaves a whole file, or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
