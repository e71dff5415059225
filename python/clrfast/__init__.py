"""Find a learning-rate range, turn it into a schedule, drive a PyTorch optimizer with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

try:
    from clrfast import _core as _core
except ImportError as error:
    raise ImportError(
        "clrfast's compiled core cannot be loaded. In a source tree, build it with 'pip install .' and "
        f"import clrfast from another directory. ({error})"
    ) from error

from clrfast import analysis as analysis
from clrfast import logs as logs
from clrfast import rules as rules
from clrfast import schedules as schedules
from clrfast import smoothing as smoothing
from clrfast import trackers as trackers
from clrfast._apply_lr import apply_lr as apply_lr
from clrfast._core import build_config as build_config
from clrfast._core import schedule as schedule
from clrfast._range_test import Progress as Progress
from clrfast._range_test import RangeTest as RangeTest
from clrfast._range_test import probe as probe
from clrfast._range_test import range_test as range_test
from clrfast._range_test import recover as recover
from clrfast.analysis import Analysis as Analysis
from clrfast.analysis import NoSuggestionError as NoSuggestionError
from clrfast.analysis import Probes as Probes
from clrfast.analysis import Suggestion as Suggestion
from clrfast.analysis import analyze as analyze
from clrfast.logs import Log as Log
from clrfast.schedules import Schedule as Schedule

__version__: str
__all__ = [
    "Analysis",
    "BatchSizes",
    "Choice",
    "Log",
    "Move",
    "NoSuggestionError",
    "NoiseScale",
    "Probes",
    "Progress",
    "RangeTest",
    "Recipe",
    "Schedule",
    "Suggestion",
    "Sweep",
    "SweptRun",
    "analysis",
    "analyze",
    "apply_lr",
    "batch_sizes",
    "build_config",
    "logs",
    "noise_scale",
    "pictures",
    "probe",
    "range_test",
    "recover",
    "rules",
    "schedule",
    "schedules",
    "smoothing",
    "sweep",
    "trackers",
    "tune",
]


# What these need takes a second to import, or is not installed: they are loaded when they are touched.
_LOADED_WHEN_TOUCHED = ("dask", "frameworks", "keras", "lr_scheduler", "pictures")
# What whole searches need, which many never touch.
_NAMES_LOADED_WHEN_TOUCHED = {
    **dict.fromkeys(("BatchSizes", "NoiseScale", "batch_sizes", "noise_scale"), "clrfast._batch_size"),
    **dict.fromkeys(("Move", "Sweep", "SweptRun", "sweep"), "clrfast._sweep"),
    **dict.fromkeys(("Choice", "Recipe", "tune"), "clrfast._tune"),
}


def __dir__() -> list[str]:
    return sorted({*__all__, *_LOADED_WHEN_TOUCHED, "__version__"})


if TYPE_CHECKING:  # which see no __getattr__: to them it would mean that every name is there
    from clrfast import dask as dask
    from clrfast import frameworks as frameworks
    from clrfast import keras as keras
    from clrfast import lr_scheduler as lr_scheduler
    from clrfast import pictures as pictures
    from clrfast._batch_size import BatchSizes as BatchSizes
    from clrfast._batch_size import NoiseScale as NoiseScale
    from clrfast._batch_size import batch_sizes as batch_sizes
    from clrfast._batch_size import noise_scale as noise_scale
    from clrfast._sweep import Move as Move
    from clrfast._sweep import Sweep as Sweep
    from clrfast._sweep import SweptRun as SweptRun
    from clrfast._sweep import sweep as sweep
    from clrfast._tune import Choice as Choice
    from clrfast._tune import Recipe as Recipe
    from clrfast._tune import tune as tune
else:

    def __getattr__(name: str) -> Any:
        import importlib

        if name in _LOADED_WHEN_TOUCHED:
            return importlib.import_module(f"clrfast.{name}")
        if name in _NAMES_LOADED_WHEN_TOUCHED:
            return getattr(importlib.import_module(_NAMES_LOADED_WHEN_TOUCHED[name]), name)
        if name == "__version__":  # read when asked for: the standard library takes its time over it
            from importlib.metadata import version

            return version("clrfast")
        raise AttributeError(f"module 'clrfast' has no attribute {name!r}")
