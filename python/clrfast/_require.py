"""Optional dependencies: where one is missing, say which extra brings it."""

from __future__ import annotations

import importlib


def require(module: str, purpose: str, extra: str) -> None:
    """Raise an ImportError that names the extra if `module`, which `purpose` needs, is not installed."""
    try:
        importlib.import_module(module)
    except ImportError as error:
        if error.name != module:  # it is there, but broken: its own words say more
            raise
        raise ImportError(
            f"{purpose} needs {module}, which is not installed: pip install 'clrfast[{extra}]'", name=module
        ) from error
