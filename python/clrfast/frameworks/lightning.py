"""The range test in PyTorch Lightning: a callback of its Trainer (needs pytorch-lightning)."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from clrfast._require import require
from clrfast.frameworks._shared import RunsRangeTest, attributes_kept, state_in

require("pytorch_lightning", "clrfast.frameworks.lightning", "frameworks")

from pytorch_lightning import Callback, LightningModule  # noqa: E402 - after the check
from pytorch_lightning.loggers.logger import DummyLogger  # noqa: E402
from pytorch_lightning.profilers import PassThroughProfiler  # noqa: E402
from pytorch_lightning.trainer import call  # noqa: E402

if TYPE_CHECKING:
    from clrfast.logs import Log

__all__ = ["LightningRangeTest"]


class LightningRangeTest(RunsRangeTest, Callback):  # type: ignore[misc] # Lightning is not followed
    """Runs a range test when a Trainer has its first batch, and leaves all that it trains as it was.

    Each step is Lightning's own: `training_step` on the strategy's device, in the precision plugin's autocast
    and with its scaler, `accumulate_grad_batches` batches, clipping, and the module's hooks around a batch
    and a step. Callbacks, loggers, schedulers and the profiler hear nothing of the test, and what `self.log`
    is given in it is dropped. In manual optimization `training_step` must return its loss. A run that
    resumes, or has `fast_dev_run`, is not tested.

    Args:
        apply: Whether the suggested `max_lr` is put in place, as by `clrfast.apply_lr`, in the optimizer and
            its schedulers. Where there is none, the rate stays, and a UserWarning says why.
        **options: `start_lr`, `end_lr`, `steps` and the others of `clrfast.range_test`; `total_steps` is
            what the Trainer says, unless it or `steps` is given.

    Attributes:
        log: What the test recorded; None before it.
        suggestion: What that suggests.

    Raises:
        TypeError: An argument is not as said.
        TypeError, ValueError, RuntimeError: When training starts, as `clrfast.range_test` and
            `clrfast.apply_lr`; or there are several optimizers, `training_step` takes the loader's iterator,
            or it returns no loss. Nothing is changed then.

    >>> trainer = Trainer(callbacks=[LightningRangeTest(apply=True)])  # doctest: +SKIP
    """

    def __init__(self, *, apply: bool = False, **options: Any) -> None:
        """Check, and test nothing yet."""
        self._take(apply, options)
        self._is_due = False

    @property
    def log(self) -> Log | None:
        """What the test recorded; None before it."""
        return self._log

    @log.setter
    def log(self, of_module: object) -> None:
        """Decline the module's own `log`, which Lightning gives to every callback."""

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Wait for the first batch: by then the module's own hooks at the start have run."""
        self._is_due = trainer.global_step == 0 and not trainer.fast_dev_run

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Test, before the first batch."""
        if not self._is_due:
            return
        self._is_due = False
        if len(trainer.optimizers) != 1:
            raise ValueError(
                f"LightningRangeTest needs a module with one optimizer, got {len(trainer.optimizers)}: "
                "test each in a loop of your own"
            )
        if type(trainer.fit_loop._data_fetcher).__name__ == "_DataLoaderIterDataFetcher":
            raise ValueError("training_step must take a batch for a range test, got one for dataloader_iter")
        (optimizer,) = trainer.optimizers
        schedulers = [config.scheduler for config in trainer.lr_scheduler_configs]
        self._check_apply(optimizer, schedulers)
        loop = trainer.fit_loop.epoch_loop
        modules = [module for module in pl_module.modules() if isinstance(module, LightningModule)]
        loader = _Loader(trainer.fit_loop._combined_loader)
        total_steps = trainer.estimated_stepping_batches
        taken = 0

        def step(batches: list[Any]) -> Any:
            nonlocal taken
            for module in modules:
                module._trainer = trainer
            losses = []
            for its in batches:
                losses.append(_one_batch(trainer, pl_module, its, taken))
                taken += 1
            return sum(losses)  # each is divided by their number already

        with _silenced(trainer, modules):
            self._run(
                trainer.model,
                optimizer,
                loader,
                step,
                batches_a_step=trainer.accumulate_grad_batches,
                also=[
                    trainer.precision_plugin,
                    loop.batch_progress,
                    loop.automatic_optimization.optim_progress,
                    loop.manual_optimization.optim_step_progress,
                    *state_in(trainer._logger_connector),
                ],
                schedulers=schedulers,
                total_steps=total_steps,
            )
        self._put_into(optimizer, schedulers)


def _one_batch(trainer: Any, module: Any, batch: Any, index: int) -> Any:
    """Do with a batch what Lightning's own loop does, as far as it trains; return the loss."""
    loop = trainer.fit_loop.epoch_loop
    batch = trainer.precision_plugin.convert_input(batch)
    batch = module._on_before_batch_transfer(batch, dataloader_idx=0)
    batch = call._call_strategy_hook(trainer, "batch_to_device", batch, dataloader_idx=0)
    loop.batch_progress.current.ready = index + 1
    loop.batch_progress.is_last_batch = False
    trainer._logger_connector.on_batch_start(batch)
    call._call_lightning_module_hook(trainer, "on_train_batch_start", batch, index)
    call._call_strategy_hook(trainer, "on_train_batch_start", batch, index)
    arguments = loop._build_kwargs(OrderedDict(), batch, index)
    if module.automatic_optimization:
        output = loop.automatic_optimization.run(trainer.optimizers[0], index, arguments)
    else:
        output = loop.manual_optimization.run(arguments)
    call._call_lightning_module_hook(trainer, "on_train_batch_end", output, batch, index)
    if output.get("loss") is None:
        raise ValueError(f"training_step must return its loss for a range test, got {output or None!r}")
    return output["loss"]


class _Loader:
    """The Trainer's batches, anew: its own pass over them has begun, and goes on after the test."""

    def __init__(self, combined: Any) -> None:
        self._combined = type(combined)(combined.iterables, combined._mode)
        self._combined.limits = combined.limits

    def __iter__(self) -> Iterator[Any]:
        for batch, _, _ in self._combined:
            yield batch


@contextmanager
def _silenced(trainer: Any, modules: list[Any]) -> Iterator[None]:
    """Let nobody hear of what the module logs, and put back what the Trainer counts and remembers."""
    fit_loop = trainer.fit_loop
    loop, logs = fit_loop.epoch_loop, trainer._logger_connector
    manual, wrappers = loop.manual_optimization, trainer.strategy._lightning_optimizers
    with attributes_kept(trainer, fit_loop, loop, loop.automatic_optimization, manual, logs, *wrappers):
        try:
            trainer.callbacks = []
            trainer.loggers = [DummyLogger() for _ in trainer.loggers]
            trainer.profiler = PassThroughProfiler()
            fit_loop.max_batches = math.inf
            loop._results = type(loop._results)(training=True)
            logs._first_loop_iter = None
            for module in modules:
                module._trainer = None  # the range test follows attributes, and this one leads to the data
            yield
        finally:
            for module in modules:
                module._trainer = trainer
