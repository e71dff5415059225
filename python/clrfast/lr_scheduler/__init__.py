"""A drop-in for torch.optim.lr_scheduler: all of its names, with faster classes of its closed-form ones.

``from clrfast import lr_scheduler`` in place of ``from torch.optim import lr_scheduler`` is all that changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clrfast._require import require as _require

_require("torch", "clrfast.lr_scheduler", "torch")

import torch.optim.lr_scheduler as _torch_lr_scheduler  # noqa: E402 - after the check that says how to install it
from torch.optim.lr_scheduler import __all__ as _torch_names  # noqa: E402

if TYPE_CHECKING:  # type checkers would take torch's classes for ours if a star had brought both
    from torch.optim.lr_scheduler import ChainedScheduler as ChainedScheduler
    from torch.optim.lr_scheduler import ConstantLR as ConstantLR
    from torch.optim.lr_scheduler import CosineAnnealingLR as CosineAnnealingLR
    from torch.optim.lr_scheduler import ExponentialLR as ExponentialLR
    from torch.optim.lr_scheduler import LambdaLR as LambdaLR
    from torch.optim.lr_scheduler import LinearLR as LinearLR
    from torch.optim.lr_scheduler import LRScheduler as LRScheduler
    from torch.optim.lr_scheduler import MultiplicativeLR as MultiplicativeLR
    from torch.optim.lr_scheduler import MultiStepLR as MultiStepLR
    from torch.optim.lr_scheduler import PolynomialLR as PolynomialLR
    from torch.optim.lr_scheduler import ReduceLROnPlateau as ReduceLROnPlateau
    from torch.optim.lr_scheduler import SequentialLR as SequentialLR
    from torch.optim.lr_scheduler import StepLR as StepLR
else:
    from torch.optim.lr_scheduler import *  # noqa: F403

from clrfast.lr_scheduler._cyclic import CyclicLR as CyclicLR  # noqa: E402
from clrfast.lr_scheduler._device import DeviceScheduleLR as DeviceScheduleLR  # noqa: E402
from clrfast.lr_scheduler._joint import JointScheduleLR as JointScheduleLR  # noqa: E402
from clrfast.lr_scheduler._joint import ratios as ratios  # noqa: E402
from clrfast.lr_scheduler._one_cycle import OneCycleLR as OneCycleLR  # noqa: E402
from clrfast.lr_scheduler._schedule_lr import ScheduleLR as ScheduleLR  # noqa: E402
from clrfast.lr_scheduler._warm_restarts import (  # noqa: E402
    CosineAnnealingWarmRestarts as CosineAnnealingWarmRestarts,
)

__all__ = [*_torch_names, "DeviceScheduleLR", "JointScheduleLR", "ScheduleLR", "ratios"]

if not TYPE_CHECKING:  # for type checkers a name that is misspelt must stay an error

    def __getattr__(name: str) -> Any:
        """What torch's module has besides its public names, as EPOCH_DEPRECATION_WARNING."""
        return getattr(_torch_lr_scheduler, name)


def __dir__() -> list[str]:
    return sorted(__all__)
