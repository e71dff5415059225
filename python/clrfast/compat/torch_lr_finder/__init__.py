"""The names of pytorch-lr-finder (davidtvs, 0.2.2): ``from clrfast.compat.torch_lr_finder import LRFinder``.

Its users change the import and nothing else. What is better here:

- The model, the optimizer, the scaler, the loader and the random generators are as before when `range_test`
  is over, whether it ended or was interrupted; `reset` need not be called, and a second test needs nothing.
- `LRFinder.log` has the raw losses and `LRFinder.suggestion` a range of rates that noise does not move.
- An optimizer may have a scheduler. A loss that is NaN ends the test, one below 0 does not.
"""

from __future__ import annotations

from clrfast._require import require

require("torch", "clrfast.compat.torch_lr_finder", extra="torch")

from clrfast.compat.torch_lr_finder.lr_finder import (  # noqa: E402 - after the check that says how to install
    DataLoaderIter as DataLoaderIter,
)
from clrfast.compat.torch_lr_finder.lr_finder import LRFinder as LRFinder  # noqa: E402
from clrfast.compat.torch_lr_finder.lr_finder import TrainDataLoaderIter as TrainDataLoaderIter  # noqa: E402
from clrfast.compat.torch_lr_finder.lr_finder import ValDataLoaderIter as ValDataLoaderIter  # noqa: E402

__all__ = ["DataLoaderIter", "LRFinder", "TrainDataLoaderIter", "ValDataLoaderIter"]
