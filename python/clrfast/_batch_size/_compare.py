"""Batch sizes compared: a range test of each, a training of each to one loss, and the noise of gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np

from clrfast import _check
from clrfast._batch_size._batch_sizes import BatchSizes
from clrfast._batch_size._fastest import train_all
from clrfast._batch_size._noise_scale import check_alone
from clrfast._batch_size._size_trainer import SizeTrainer
from clrfast._batch_size._steps_to_loss import critical_size, exponent, smoothed_rates
from clrfast._batch_size._verdict import verdict
from clrfast._range_test._context import RangeTest
from clrfast._require import require
from clrfast.analysis import Analysis, NoSuggestionError, analyze

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from clrfast._batch_size._gradient_noise import NoiseScale
    from clrfast._range_test._progress import Asked
    from clrfast.logs import Log

_LARGEST_STEPS = 50  # of the largest size's training, unless `total_samples` says otherwise
_FEWEST = 20  # steps of a training, or its warm-up is half of it
_NOISE_STEPS = (50, 400)  # at least and at most


def batch_sizes(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss_fn: Callable[..., Tensor] | None,
    make_loader: Callable[[int], Iterable[Any]],
    sizes: Iterable[SupportsIndex] = (16, 32, 64, 128, 256, 512),
    *,
    steps: SupportsIndex = 200,
    total_samples: SupportsIndex | None = None,
    loss: float | None = None,
    accumulate_above: SupportsIndex | None = None,
    autocast: AbstractContextManager[Any] | None = None,
    scaler: torch.amp.GradScaler | None = None,
    device: torch.device | str | None = None,
    also: Iterable[Any] = (),
    progress: Asked = False,
) -> BatchSizes:
    """Find a rate for each batch size and the largest size that still pays, and restore everything.

    Every part begins from one restored state. First each size has a range test of as many steps as the
    others: with the same samples instead, ramps of large batches would be too short to place a rate. Then
    each is trained at its `max_lr`, at half and twice of it, and further on where one of these is better: the
    largest size for `total_samples`, the others until they have its loss. All warm up for ten steps. Their
    steps tell from where on doubling the batch no longer halves them. Last, the noise scale of the gradients
    is measured along the training of a middle size (see `noise_scale`). The size that pays grows as the loss
    falls: what fits these first trainings may be small later.

    A batch that memory is too short for is made of smaller ones, whose gradients are accumulated, and so are
    all larger ones. This needs a loss that is a mean over the batch.

    Args:
        model: The module, in one process.
        optimizer: Its optimizer.
        loss_fn: As in `range_test`, as are the forms of batches.
        make_loader: Called with a number of samples; returns batches of so many, best drawn at random. It may
            be called several times for each size.
        sizes: The batch sizes, >= 1, two at least, in any order; three tell something of the size that pays.
        steps: Steps of each range test, >= 2.
        total_samples: Samples of each training at most, 20 times the largest size or more. None, the default,
            is 50 times. More look further into the training, where larger batches pay.
        loss: The loss of training that all are trained to; None, the default, is what the largest size
            reaches with `total_samples`.
        accumulate_above: Larger sizes are made of batches of this size, or a divisor; None makes them whole
            as long as memory allows.
        autocast: A context entered around each forward pass.
        scaler: A gradient scaler. The noise is measured without it and without `autocast`.
        device: Where batches are moved to; the model's own by default.
        also: Further modules, optimizers or other objects to restore.
        progress: As in `range_test`; told of each test and training on its own.

    Returns:
        The rates, the steps, both witnesses, and the size.

    Raises:
        TypeError, ValueError: An argument is not as said above, a loader is empty or its batches are of
            another size, or no range test suggests a rate. Everything has been restored.
        RuntimeError, ImportError: As for `range_test`; memory is too short for the smallest size.
    """
    require("torch", "batch_sizes()", extra="torch")
    from clrfast._range_test import _generators

    asked = _sizes(sizes)
    count = _check.whole("steps", steps, least=2)
    budget = _LARGEST_STEPS * asked[-1]
    if total_samples is not None:
        budget = _check.whole("total_samples", total_samples, least=_FEWEST * asked[-1])
    target = math.nan if loss is None else _check.real("loss", loss)
    most = None if accumulate_above is None else _check.whole("accumulate_above", accumulate_above, least=1)
    if not callable(make_loader):
        raise TypeError(f"make_loader must be callable, got {make_loader!r}")
    options: dict[str, Any] = {"also": list(also), "progress": progress}
    RangeTest(model, optimizer, **options)  # checks what it is given
    check_alone(model)
    trainer = SizeTrainer(
        model,
        optimizer,
        loss_fn,
        make_loader,
        {"autocast": autocast, "scaler": scaler, "device": device},
        options,
        most,
    )
    restore = _generators.save_shared()  # a loader that is made may draw from them
    try:
        return _compare(trainer, asked, count, budget, target)
    finally:
        for undo in restore:
            undo()


def _sizes(sizes: Iterable[SupportsIndex]) -> list[int]:
    if isinstance(sizes, (str, bytes)) or not isinstance(sizes, Iterable):
        raise TypeError(f"sizes must be a list of batch sizes, got {sizes!r}")
    found = sorted({_check.whole(f"sizes[{i}]", size, least=1) for i, size in enumerate(sizes)})
    if len(found) < 2:
        raise ValueError(f"sizes must be two different ones at least, got {found}")
    return found


def _compare(trainer: SizeTrainer, sizes: list[int], steps: int, budget: int, loss: float) -> BatchSizes:
    """Make all tests and trainings, and judge."""
    analyses = [_analysis(size, trainer.ramp(size, steps)) for size in sizes]
    columns = np.array(sizes, dtype=np.float64)
    suggested = [analysis.suggestion.bounds[1] for analysis in analyses]
    max_lr = np.array([math.nan if rate is None else rate for rate in suggested])
    if not np.isfinite(max_lr).any():
        why = [f"{size}: {'; '.join(one.suggestion.reasons)}" for size, one in zip(sizes, analyses)]
        raise NoSuggestionError(f"there is no max_lr at any batch size ({', '.join(why)})", tuple(why))
    loss, lr, taken = train_all(trainer, sizes, smoothed_rates(columns, max_lr).tolist(), budget, loss)
    middle = len(sizes) // 2
    noise, missed = _noise(trainer, sizes[middle], float(lr[middle]), taken[middle])
    critical = critical_size(columns, taken)
    size, trust, doubts = verdict(np.array(sizes), critical, noise)
    missing = [size for size, rate in zip(sizes, max_lr) if math.isnan(rate)]
    if missing:
        doubts.append(f"no rate is suggested at {missing}: those of the neighbours stand in")
    spent = np.array([trainer.spent_steps[size] for size in sizes])
    return BatchSizes(
        sizes=np.array(sizes),
        accumulate=np.array([trainer.accumulate[size] for size in sizes]),
        analyses=tuple(analyses),
        lr=lr,
        loss=loss,
        steps=taken,
        spent_steps=spent,
        spent_samples=spent * np.array(sizes),
        lr_exponent=exponent(columns, np.where(np.isfinite(taken), lr, math.nan)),
        max_lr_exponent=exponent(columns, max_lr),
        critical=math.nan if critical is None else critical.size,
        critical_interval=(0.0, math.inf) if critical is None else critical.interval,
        noise=noise,
        batch_size=size,
        confidence=trust,
        reasons=(*doubts, *missed),
    )


def _analysis(size: int, log: Log) -> Analysis:
    try:
        return analyze(log)
    except ValueError as error:
        raise ValueError(f"sizes must each show a curve of losses, got none at {size}: {error}") from error


def _noise(trainer: SizeTrainer, size: int, lr: float, taken: float) -> tuple[NoiseScale | None, list[str]]:
    """Return the noise scale along the training of a size; or None, and why."""
    from clrfast._batch_size._memory import unless_too_large

    low, high = _NOISE_STEPS
    steps = low if math.isnan(taken) else int(min(max(taken, low), high))
    try:
        found: NoiseScale | None = unless_too_large(lambda: trainer.noise(size, lr, steps))
    except (TypeError, ValueError) as error:
        return None, [f"the noise of gradients could not be measured: {error}"]
    return found, [] if found is not None else ["memory is too short to measure the noise of gradients"]
