"""Find a learning-rate range, turn it into a schedule, drive a PyTorch optimizer with it."""

from __future__ import annotations

from importlib.metadata import version as _version

try:
    from clrfast import _core as _core
except ImportError as error:
    raise ImportError(
        "clrfast's compiled core cannot be loaded. In a source tree, build it with 'pip install .' and "
        f"import clrfast from another directory. ({error})"
    ) from error

from clrfast import schedules as schedules
from clrfast._core import build_config as build_config
from clrfast._core import schedule as schedule
from clrfast._schedule import Schedule as Schedule

Schedule.__module__ = "clrfast"
__version__ = _version("clrfast")
__all__ = ["Schedule", "build_config", "schedule", "schedules"]


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
