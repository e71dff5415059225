"""The noise scale of gradients, measured on parts of batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np

from clrfast import _check
from clrfast._batch_size._gradient_noise import NoiseScale, noise_scale_of
from clrfast._range_test._candidates import HeldRates
from clrfast._range_test._context import RangeTest
from clrfast._range_test._training import Training
from clrfast._require import require

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from clrfast._range_test._progress import Asked

_FEWEST = 10  # steps, or there is no jackknife to speak of


def noise_scale(
    model: nn.Module,
    loss_fn: Callable[..., Tensor] | None,
    loader: Iterable[Any],
    *,
    steps: SupportsIndex = 100,
    optimizer: torch.optim.Optimizer | None = None,
    lr: float | None = None,
    accumulate: SupportsIndex = 1,
    autocast: AbstractContextManager[Any] | None = None,
    device: torch.device | str | None = None,
    also: Iterable[Any] = (),
    progress: Asked = False,
) -> NoiseScale:
    """Measure from which batch size on gradients are more signal than noise, and restore everything.

    McCandlish, Kaplan, Amodei et al., arXiv:1812.06162, appendix A: the gradients of the two halves of a
    batch differ by their noise and agree in what there is to learn. Without an optimizer the model stays as
    it is, and all halves of all batches are compared with each other, so that 100 steps tell even a scale
    that is many times the batch size. With one, each step also trains the model, as the batch would, and the
    result is the mean along this training, by the two halves of each step alone, which takes more steps. The
    scale
    grows as training goes on, often by a factor of ten and more: measure it where it matters.

    Everything is put back, bit for bit, as `range_test` does: weights, buffers, gradients, optimizer, random
    generators, the loader. A pass is made forward and backward for each half, in train mode unless modules
    are in eval mode. In batch norm a sample's gradient depends on the others of its half: the result says so
    in its reasons. Dropout is part of the noise. A loss that is a sum over the batch gives the same scale as
    its mean, where all batches are of one size, but other squared gradients.

    Args:
        model: The module, in one process; of one that is wrapped give its ``module``.
        loss_fn: As in `range_test`, as are the forms of batches.
        loader: The batches, iterated anew when they end. Every tensor of one has its samples along the first
            dimension. Give batches that are drawn at random; in steps beyond one pass the same samples come
            again, as if they were others.
        steps: Steps to measure, >= 10; fewer where a loader that can be passed once ends.
        optimizer: Trains the model from step to step; None, the default, leaves it as it is.
        lr: The rate it trains at, > 0, to which it rises in the first tenth of the steps; None is its own.
        accumulate: Batches for each step, >= 1. One is halved. Two and more are not halved: each batch is a
            part, which suits batches of one sample, and those that cannot be cut.
        autocast: A context entered around each forward pass. Gradients are not scaled: measure what trains in
            float16 without it, or in bfloat16.
        device: Where batches are moved to; the model's own by default.
        also: Further modules, optimizers or other objects to restore.
        progress: As in `range_test`.

    Returns:
        The scale, its interval, what it is made of.

    Raises:
        TypeError, ValueError: An argument is not as said above, a batch has no two halves, or the losses or
            gradients of fewer than 10 steps are finite. Everything has been restored.
        ImportError: torch is missing.
    """
    count = _check.whole("steps", steps, least=_FEWEST)
    require("torch", "noise_scale()", extra="torch")
    import torch

    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    driven = optimizer
    rate: dict[str, Any] = {} if lr is None else {"lr": _check.real("lr", lr, above=0.0)}
    if driven is None:
        if lr is not None:
            raise ValueError(f"lr must be None where no optimizer is given, got {lr!r}")
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        if not trained:
            raise ValueError("model must have parameters that require gradients, got none")
        driven = torch.optim.SGD(trained, lr=1.0)  # which makes no step: what restores asks for one
        rate = {"lr": 0.0}
    test = RangeTest(model, driven, stop_factor=math.inf, also=also, progress=progress)
    training = Training(
        model,
        driven,
        loss_fn,
        loader,
        accumulate=accumulate,
        autocast=autocast,
        scaler=None,
        device=device,
        train_step=None,
    )
    check_alone(model)
    test._rates = HeldRates(test._rates, rate, count)
    return _measure(test, training, model, driven, is_trained=optimizer is not None)


def check_alone(model: nn.Module) -> None:
    """Raise where several processes train the model: each would see its own gradients."""
    from clrfast._range_test._processes import find

    if find([model], None) is not None:
        raise ValueError("model must be trained by one process here, got one that is wrapped for several")


def _measure(
    test: RangeTest,
    training: Training,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    is_trained: bool,
) -> NoiseScale:
    """Take the steps, put everything back, and return what they say."""
    import torch

    from clrfast._batch_size._gradients import Gradients
    from clrfast._batch_size._halves import halves, samples_of

    step = training.usual
    assert step is not None
    if is_trained and step._needs_closure:
        raise ValueError("optimizer must step without a closure, got one that needs it")
    test._trains = True  # nothing need change
    test._title, test._caller = "noise scale", "noise_scale()"
    training.enter_into(test, training.accumulate)
    parameters = [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
    if not parameters:
        raise ValueError("optimizer must hold parameters that require gradients, got none")
    gradients = Gradients(parameters, is_fixed=not is_trained)
    samples: list[int] = []
    losses: list[Tensor] = []
    with test:
        training.begin(test)
        mixes_samples = _mixes_samples(model)
        for batches in test._batches(training.loader, training.accumulate):
            if training.accumulate == 1 and samples and samples_of(batches[0]) < 2:
                continue  # the last one of a pass
            parts = halves(batches[0]) if training.accumulate == 1 else batches
            sizes = [samples_of(part) for part in parts]
            found = []
            for part, size in zip(parts, sizes):
                found.append(step._backward([part]))
                gradients.add(size)
            if is_trained:
                gradients.put_mean()
                optimizer.step()
            loss = torch.stack([one.reshape(()) for one in found]).mean()
            if gradients.end_step():
                samples.append(sum(sizes))
                losses.append(loss)
            elif is_trained:
                break
            test.record(loss)
        passes = 0 if is_trained else test._passes[0].passes
    if len(samples) < _FEWEST:
        raise ValueError(
            f"loader must give {_FEWEST} steps with finite losses and gradients, got {len(samples)}"
        )
    reasons = list(_reasons(mixes_samples, len(test.log) - len(samples), passes))
    if is_trained and not isinstance(optimizer, torch.optim.SGD):
        reasons.append(f"made for SGD: under {type(optimizer).__name__} it tells the order of magnitude")
    recorded = torch.stack(losses).double().cpu().numpy()
    return noise_scale_of(gradients.parts(), np.array(samples), recorded, is_trained, reasons)


def _mixes_samples(model: nn.Module) -> bool:
    from torch.nn.modules.batchnorm import _BatchNorm

    return any(isinstance(module, _BatchNorm) and module.training for module in model.modules())


def _reasons(mixes_samples: bool, left_out: int, passes: int) -> Iterator[str]:
    """Yield what makes the scale less sure than its interval."""
    if mixes_samples:
        yield "in batch norm a sample's gradient depends on the others of its part of the batch"
    if left_out > 0:
        yield f"{left_out} steps whose gradients were not finite are left out"
    if passes > 0:
        yield "the loader was passed more than once: what the same samples share counts as signal"
