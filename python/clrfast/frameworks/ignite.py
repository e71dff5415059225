"""The range test in PyTorch-Ignite: a handler for any Engine that trains (needs pytorch-ignite)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, SupportsIndex

from clrfast import _check
from clrfast._range_test._reachable import reachable
from clrfast._require import require
from clrfast.frameworks._shared import RunsRangeTest, attributes_kept, mean, state_in

require("ignite.engine", "clrfast.frameworks.ignite", "frameworks")

from ignite.engine import Engine, Events  # noqa: E402 - after the check

if TYPE_CHECKING:
    import torch

__all__ = ["IgniteRangeTest"]


class IgniteRangeTest(RunsRangeTest):
    """Runs a range test when an Engine starts to train, and leaves all that it trains as it was.

    Each step calls the engine's process function and fires no event: handlers, and so schedulers, loggers
    and checkpoints, hear nothing of the test. The engine's state (`iteration`, `epoch`, `batch`, `output`) is
    in the test as in training, and put back. An engine that resumes is not tested.

    Args:
        model: The module that the process function trains.
        optimizer: Its optimizer.
        output_transform: Gets the loss out of what the process function returns; by default that is the loss.
        accumulate: Calls of the process function for each step of the optimizer, >= 1.
        scheduler: For `apply`: the optimizer's scheduler, torch's or Ignite's handler around it, or several.
        apply: Whether the suggested `max_lr` is put in place, as by `clrfast.apply_lr`. Where there is none,
            the rate stays, and a UserWarning says why.
        **options: `start_lr`, `end_lr`, `steps` and the others of `clrfast.range_test`; `total_steps` is
            what the engine says, unless it or `steps` is given.

    Attributes:
        log: What the test recorded; None before it.
        suggestion: What that suggests.

    Raises:
        TypeError, ValueError: An argument is not as said. When the engine starts: as `clrfast.range_test` and
            `clrfast.apply_lr`; nothing is changed then.

    >>> IgniteRangeTest(model, optimizer, apply=True).attach(trainer)  # doctest: +SKIP
    """

    def __init__(
        self,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        output_transform: Callable[[Any], Any] = lambda output: output,
        accumulate: SupportsIndex = 1,
        scheduler: Any = None,
        apply: bool = False,
        **options: Any,
    ) -> None:
        """Check, and test nothing yet."""
        self._take(apply, options)
        if not callable(output_transform):
            raise TypeError(f"output_transform must be a function, got {output_transform!r}")
        self._model, self._optimizer, self._scheduler = model, optimizer, scheduler
        self._output_transform = output_transform
        self._accumulate = _check.whole("accumulate", accumulate, least=1)

    def attach(self, engine: Engine) -> None:
        """Let the engine run the test when it starts.

        Raises:
            TypeError: It is not an Engine.
        """
        if not isinstance(engine, Engine):
            raise TypeError(f"engine must be an ignite Engine, got {type(engine).__name__}")
        engine.add_event_handler(Events.STARTED, self._on_start)

    def _on_start(self, engine: Any) -> None:
        if engine.state.iteration > 0:
            return
        data = engine.state.dataloader
        loader = [None] * engine.state.epoch_length if data is None else data
        state = engine.state
        iterations = state.max_iters or (state.max_epochs or 0) * (state.epoch_length or 0)
        process = engine._process_function
        found = [part for part in reachable(process) if part is not data and not isinstance(part, Engine)]

        def step(batches: list[Any]) -> Any:
            losses = []
            for batch in batches:
                engine.state.iteration += 1
                engine.state.batch = batch
                engine.state.output = process(engine, batch)
                losses.append(self._output_transform(engine.state.output))
            return mean(losses)

        self._check_apply(self._optimizer, self._scheduler)
        with attributes_kept(engine, engine.state):
            engine.state.epoch = 1
            self._run(
                self._model,
                self._optimizer,
                loader,
                step,
                batches_a_step=self._accumulate,
                also=[*found, *state_in(engine.state, data)],
                schedulers=self._scheduler,
                total_steps=iterations // self._accumulate,
            )
        self._put_into(self._optimizer, self._scheduler)
