"""Probes: short trainings from one state, on the same batches, one for each candidate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np

from clrfast import _check
from clrfast._range_test._candidates import Candidate, HeldRates, check_candidates
from clrfast._range_test._context import RangeTest
from clrfast._range_test._training import Training
from clrfast.analysis import Probes
from clrfast.logs import Log

if TYPE_CHECKING:
    from os import PathLike

    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from clrfast._range_test._context import Models, Optimizers
    from clrfast._range_test._progress import Asked

FEWEST = 10  # steps of a probe: of fewer, the middle has no standard error to speak of


def probe(
    model: Models,
    optimizer: Optimizers,
    loss_fn: Callable[..., Tensor] | None,
    loader: Iterable[Any],
    candidates: Iterable[Candidate],
    *,
    steps: SupportsIndex = 100,
    accumulate: SupportsIndex = 1,
    autocast: AbstractContextManager[Any] | None = None,
    scaler: torch.amp.GradScaler | None = None,
    device: torch.device | str | None = None,
    train_step: Callable[[Any], Tensor | float] | None = None,
    also: Iterable[Any] = (),
    progress: Asked = False,
    checkpoint: str | PathLike[str] | None = None,
    process_group: torch.distributed.ProcessGroup | None = None,
) -> Probes:
    """Train briefly with each candidate, from the same state and on the same batches, and compare.

    Each probe trains for some steps at one rate, to which it rises linearly in the first tenth of them; then
    everything is put back, bit for bit, as `range_test` does, and the next one begins. As the state of the
    loader and of all random generators is part of that, each gets the same batches and the same dropout, so
    that losses can be compared step by step, and little of their noise remains. A loader that can only be
    passed once is asked once, and its batches are kept in memory; one that gives other batches whenever it is
    iterated makes a comparison that is not paired, which the result says (`Probes.paired`).

    A candidate whose loss is no longer finite ends there, and the others go on. Beside the candidates, the
    untouched start is measured on the same batches: a pass forward for each, or, with `train_step`, whole
    steps at the rate 0.

    Args:
        model: The module to train; with `train_step` several, a list or a dictionary of them.
        optimizer: Its optimizer; with `train_step` several.
        loss_fn: As in `range_test`, as are the forms of batches.
        loader: The batches, iterated anew when they end.
        candidates: Rates, each > 0; or dictionaries of hyperparameters by the names that the parameter groups
            have for them, such as ``{"lr": 1e-3, "weight_decay": 0.1}``; what one does not name is as it is.
            A rate is that of the group whose rate is the highest. Rates, and other numbers that differ
            between groups, keep their ratios; what is held in a tensor is filled in place.
        steps: Steps of each probe, >= 10.
        accumulate: Batches for each step, >= 1; the step's loss is their mean.
        autocast: A context entered around each forward pass.
        scaler: A gradient scaler; `train_step` uses it by itself.
        device: Where batches are moved to; the model's own by default.
        train_step: Does one whole training step with a batch and returns its loss: see `range_test`.
        also: Further modules, optimizers or other objects to restore, which `train_step` changes.
        progress: As in `range_test`; told of each probe on its own.
        checkpoint: A file for the state before each probe: see `range_test`.
        process_group: The group of processes that train the model: see `range_test`.

    Returns:
        The losses, and what they say.

    Raises:
        TypeError, ValueError: An argument is not as said above, the loader has batches for fewer than 10
            steps, or no step of the highest rate has changed a parameter. Everything has been restored.
        OSError, RuntimeError, ImportError: As for `range_test`.
    """
    count = _check.whole("steps", steps, least=FEWEST)
    options: dict[str, Any] = {
        **{"also": list(also), "progress": progress, "checkpoint": checkpoint},
        **{"process_group": process_group},
    }
    unused = RangeTest(model, optimizer, **options)  # checks what it is given
    training = Training(
        model,
        optimizer,
        loss_fn,
        loader,
        accumulate=accumulate,
        autocast=autocast,
        scaler=scaler,
        device=device,
        train_step=train_step,
    )
    return Prober(training, options, count).probe(check_candidates(candidates, unused._rates))


class Prober:
    """Probes candidates, and more of them on the same batches.

    Args:
        training: What is trained.
        options: What `RangeTest` is given: ramps (for how rates go together), and what else is restored.
        steps: Steps of each probe.
        checks: Whether to raise where no parameter changes.
    """

    def __init__(self, training: Training, options: dict[str, Any], steps: int, checks: bool = True) -> None:
        """Train nothing yet."""
        self._training, self._options, self._steps, self._checks = training, options, steps, checks
        self._loader = training.loader
        self._start: NDArray[np.float64] | None = None
        self._candidates: list[dict[str, Any]] = []
        self._lr: list[float] = []
        self._losses: list[NDArray[np.float64]] = []

    def probe(self, candidates: list[dict[str, Any]]) -> Probes:
        """Return what these show, and those probed before."""
        if self._start is None:
            self._start = self._measure_start()
        highest = max(one.get("lr", 0.0) for one in candidates)
        for i, candidate in enumerate(candidates):
            checks = self._checks and candidate.get("lr", 0.0) == highest
            title = f"probe {i + 1} of {len(candidates)}"
            lr, log = self._train(candidate, title, self._training.step, checks)
            self._candidates.append(candidate)
            self._lr.append(lr)
            self._losses.append(self._row(log))
        return Probes(tuple(self._candidates), np.array(self._lr), np.stack(self._losses), self._start)

    def _measure_start(self) -> NDArray[np.float64]:
        """Return the losses of the start, and keep batches that will not come again."""
        usual = self._training.usual
        step = self._training.step if usual is None else usual.look
        kept: list[Any] | None = [] if isinstance(self._loader, Iterator) else None
        _, log = self._train({"lr": 0.0}, "the start", step, False, kept)
        if kept is not None:
            self._loader, self._steps = kept, len(log)
            if self._steps < FEWEST:
                raise ValueError(f"loader must give batches for {FEWEST} steps, got {self._steps}")
        return self._row(log)

    def _row(self, log: Log) -> NDArray[np.float64]:
        """Return the losses of a log, NaN where there are none, or none that are finite."""
        losses = np.full(self._steps, math.nan)
        losses[: len(log)] = np.where(np.isfinite(log.loss), log.loss, math.nan)
        return losses

    def _train(
        self,
        candidate: dict[str, Any],
        title: str,
        step: Callable[[list[Any]], Any],
        checks: bool,
        kept: list[Any] | None = None,
    ) -> tuple[float, Log]:
        """Return the rate and the log of one probe; `kept` collects its batches."""
        test = RangeTest(
            self._training.model, self._training.optimizer, stop_factor=math.inf, **self._options
        )
        test._rates = rates = HeldRates(test._rates, candidate, self._steps)
        test._trains = not checks
        test._title, test._caller = title, "probe()"
        self._training.enter_into(test, self._training.accumulate)
        with test:
            self._training.begin(test)
            for batches in test._batches(self._loader, self._training.accumulate):
                if kept is not None:
                    kept.extend(batches)
                test.record(step(batches))
        return rates.lr, test.log
