"""pytorch-lr-finder's `LRFinder`, over `clrfast.RangeTest`."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
import torch
from torch.utils.data import DataLoader

from clrfast import _check
from clrfast._pictures._axes import new_axes
from clrfast._range_test._context import RangeTest
from clrfast._range_test._training_step import move
from clrfast.compat.torch_lr_finder._initial_state import InitialState
from clrfast.compat.torch_lr_finder._loader_iters import DataLoaderIter as DataLoaderIter
from clrfast.compat.torch_lr_finder._loader_iters import TrainDataLoaderIter as TrainDataLoaderIter
from clrfast.compat.torch_lr_finder._loader_iters import ValDataLoaderIter as ValDataLoaderIter
from clrfast.logs import Log

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from clrfast.analysis import Suggestion


class LRFinder:
    """An LR range test, with the arguments, the results and the plot of pytorch-lr-finder's.

    Everything is put back at the end of `range_test`, not only at `reset`: whoever forgets that call, or
    interrupts the test, would else train on with weights that a rate far too high has spoilt.

    Args:
        model: The module to train.
        optimizer: Its optimizer. The rates of its groups are where the test starts, if it is given no other.
        criterion: Called as ``criterion(model(inputs), labels)``; returns a scalar tensor.
        device: Where the model and the batches are during the test; by default where the model is.
        memory_cache: False keeps what `reset` needs in a file instead of in memory. A test itself copies the
            state in memory in any case.
        cache_dir: The folder of that file; by default that for temporary files.
        amp_backend: "torch" for mixed precision, None for none.
        amp_config: The arguments of `torch.autocast`; by default the device's type alone.
        grad_scaler: A gradient scaler, which "torch" needs.

    Attributes:
        history: Two lists with an entry for each step: ``lr``, the rate of the first group, and ``loss``,
            smoothed.
        best_loss: The lowest of these losses; None before a test.
        log: A :class:`clrfast.Log` of the rates and the raw losses; empty before a test.

    Raises:
        TypeError: Something is not of the kind said above.
        ValueError: The backend is another, has no scaler, or there is no such folder.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        criterion: Callable[..., Any],
        device: torch.device | str | None = None,
        memory_cache: bool = True,
        cache_dir: str | None = None,
        amp_backend: str | None = None,
        amp_config: dict[str, Any] | None = None,
        grad_scaler: Any = None,
    ) -> None:
        """Copy the states of the model, the optimizer and the scaler."""
        if amp_backend == "apex":
            raise ValueError("amp_backend must be None or 'torch', got 'apex', which gave way to torch.amp")
        _check.choice("amp_backend", amp_backend, (None, "torch"))
        if amp_backend and grad_scaler is None:
            raise ValueError("grad_scaler must be a gradient scaler where amp_backend is 'torch', got None")
        folder = Path(cache_dir or tempfile.gettempdir())
        if not folder.is_dir():
            raise ValueError(f"cache_dir must be a folder that is there, got {cache_dir!r}")
        self.model, self.optimizer, self.criterion = model, optimizer, criterion
        self.device = torch.device(device) if device else next(model.parameters()).device
        self.amp_backend, self.amp_config, self.grad_scaler = amp_backend, amp_config, grad_scaler
        self.history: dict[str, list[float]] = {"lr": [], "loss": []}
        self.best_loss: float | None = None
        self.log = Log([], [])
        holders = {"model": model, "optimizer": optimizer}
        if grad_scaler is not None:
            holders["scaler"] = grad_scaler
        self._initial = InitialState(holders, None if memory_cache else folder)

    @property
    def suggestion(self) -> Suggestion:
        """The range of rates that clrfast suggests, from the raw losses.

        Raises:
            ValueError: There was no test, or its log is too short to lay a curve through.
        """
        return self.log.analyze().suggestion

    def reset(self) -> None:
        """Give the model, the optimizer and the scaler the states that they had when the finder was made.

        After a test they have them already; after a training they do not.
        """
        self._initial.put_back()

    def range_test(
        self,
        train_loader: DataLoader[Any] | TrainDataLoaderIter,
        val_loader: DataLoader[Any] | ValDataLoaderIter | None = None,
        start_lr: float | list[float] | None = None,
        end_lr: float = 10,
        num_iter: SupportsIndex = 100,
        step_mode: str = "exp",
        smooth_f: float = 0.05,
        diverge_th: float = 5,
        accumulation_steps: SupportsIndex = 1,
        non_blocking_transfer: bool = True,
    ) -> None:
        """Train with a rising rate, record the loss at each rate, and put everything back.

        What is put back, and that no signal breaks into it, see :func:`clrfast.range_test`. A test that was
        interrupted leaves what it recorded in `history` and `log`. A `TrainDataLoaderIter` or
        `ValDataLoaderIter` given is used from where it stands, and stands at the start of a pass then.

        Args:
            train_loader: Batches for training.
            val_loader: Batches for validation, all of which are passed after each step; the recorded loss is
                then the mean of theirs. None records the loss of training, before the step.
            start_lr: The first rate of all groups, or a list with one for each; None or 0 takes those that
                the optimizer has. Greater than 0.
            end_lr: The last rate of all groups, greater than the first ones.
            num_iter: Steps, >= 2.
            step_mode: 'exp' (equal ratios) or 'linear' (equal differences).
            smooth_f: The weight of a new loss in the average that is recorded, in [0, 1); 0 averages nothing.
            diverge_th: The test stops where the recorded loss is more than this many times the lowest one, as
                long as that is above 0, and at one that is not finite. Greater than 0; may be infinite.
            accumulation_steps: Batches for each step, >= 1; its loss is their mean.
            non_blocking_transfer: Whether batches are moved to the device without waiting for that.

        Raises:
            TypeError, ValueError: An argument is not as said above. Nothing was changed.
        """
        steps = _check.whole("num_iter", num_iter, least=2)
        mode = _check.choice("step_mode", str(step_mode).lower(), ("exp", "linear"))
        smoothing = _check.real("smooth_f", smooth_f, least=0.0, below=1.0)
        limit = math.inf if diverge_th == math.inf else _check.real("diverge_th", diverge_th, above=0.0)
        batches_a_step = _check.whole("accumulation_steps", accumulation_steps, least=1)
        _check_loader("train_loader", train_loader, TrainDataLoaderIter)
        if val_loader is not None:
            _check_loader("val_loader", val_loader, ValDataLoaderIter)
        groups = self.optimizer.param_groups
        test = RangeTest(
            *(self.model, self.optimizer),
            start_lr=start_lr
            if isinstance(start_lr, list)
            else [start_lr or group["lr"] for group in groups],
            end_lr=end_lr,
            steps=steps,
            shape="exponential" if mode == "exp" else "linear",
            stop_factor=math.inf,
            also=[] if self.grad_scaler is None else [self.grad_scaler],
            progress=True if find_spec("tqdm") else "plain",
        )
        self.history = {"lr": [], "loss": []}
        self.best_loss = None
        self.log = Log([], [])
        over = False
        try:
            with test, torch.enable_grad(), _iterators(test, train_loader, val_loader) as (train, val):
                self.model.to(self.device)
                for lr in test:
                    loss = self._train_batch(
                        train, batches_a_step, non_blocking_transfer=non_blocking_transfer
                    )
                    if val is not None:
                        loss = self._validate(val, non_blocking_transfer=non_blocking_transfer)
                    test.record(loss)
                    over = self._add(lr, loss, smoothing, limit)
                    if over:
                        break
        except BaseException as error:
            self.log = getattr(error, "clrfast_log", self.log)
            raise
        self.log = log = test.log
        if over and math.isfinite(log.loss[-1]):
            status = (
                f"Stopped after {len(log)} of {steps} steps: the loss was above {limit:g} times its best."
            )
            self.log = Log(log.lr, log.loss, log.step, status)
        print(f"{self.log.status} plot() shows the curve.")

    def _add(self, lr: float, loss: float, smoothing: float, limit: float) -> bool:
        """Add a step to the history; return whether the test is over."""
        losses = self.history["loss"]
        if losses and smoothing > 0:
            loss = smoothing * loss + (1 - smoothing) * losses[-1]
        self.history["lr"].append(lr)
        losses.append(loss)
        self.best_loss = loss if self.best_loss is None else min(self.best_loss, loss)
        # A multiple of a loss below 0 lies below it.
        return not math.isfinite(loss) or loss > limit * self.best_loss > 0

    # These three have the names and the arguments of pytorch-lr-finder's, whose users override them.

    def _train_batch(
        self, train_iter: TrainDataLoaderIter, accumulation_steps: int, non_blocking_transfer: bool = True
    ) -> float:
        self.model.train()
        self.optimizer.zero_grad()
        total: Any = 0.0
        for _ in range(accumulation_steps):
            inputs, labels = self._move_to_device(*next(train_iter), non_blocking=non_blocking_transfer)
            with self._autocast():
                loss = self.criterion(self.model(inputs), labels) / accumulation_steps
            (loss if self.amp_backend is None else self.grad_scaler.scale(loss)).backward()
            total = total + loss.detach()
        if self.amp_backend is None:
            self.optimizer.step()
        else:
            self.grad_scaler.step(self.optimizer)
            self.grad_scaler.update()
        return float(total)

    def _validate(self, val_iter: ValDataLoaderIter, non_blocking_transfer: bool = True) -> float:
        self.model.eval()
        total = 0.0
        with torch.no_grad():
            for pair in val_iter:
                inputs, labels = self._move_to_device(*pair, non_blocking=non_blocking_transfer)
                total += float(self.criterion(self.model(inputs), labels)) * len(labels)
        return total / len(val_iter.dataset)

    def _move_to_device(self, inputs: Any, labels: Any, non_blocking: bool = True) -> tuple[Any, Any]:
        return move(inputs, self.device, non_blocking), move(labels, self.device, non_blocking)

    def _autocast(self) -> Any:
        if self.amp_backend is None:
            return nullcontext()
        return torch.autocast(**(self.amp_config or {"device_type": self.device.type}))

    def plot(
        self,
        skip_start: SupportsIndex = 10,
        skip_end: SupportsIndex = 5,
        log_lr: bool = True,
        show_lr: float | None = None,
        ax: Axes | None = None,
        suggest_lr: bool = True,
    ) -> Axes | tuple[Axes, float]:
        """Draw the losses of `history` over the rates, and mark where they fall most steeply.

        Args:
            skip_start: Steps to leave out at the start, >= 0.
            skip_end: Steps to leave out at the end, >= 0.
            log_lr: Whether the axis of rates is logarithmic.
            show_lr: A rate to mark by a vertical line.
            ax: Where to draw; by default in a new figure, which is shown.
            suggest_lr: Whether to suggest a rate as pytorch-lr-finder does: where the difference of
                neighbouring losses is lowest. `suggestion` is less easily led astray.

        Returns:
            The axes; and that rate, where it is asked for.

        Raises:
            RuntimeError: Fewer than two steps are left to suggest a rate by.
            ImportError: matplotlib is missing.
        """
        begin = _check.whole("skip_start", skip_start)
        end = _check.whole("skip_end", skip_end)
        shown = None if show_lr is None else _check.real("show_lr", show_lr)
        rows = len(self.history["lr"])
        if suggest_lr and rows < begin + end + 2:
            raise RuntimeError(
                f"Need at least {begin + end + 2} recorded steps to suggest a rate, got {rows}"
            )
        lrs = self.history["lr"][begin : max(rows - end, 0)]
        losses = self.history["loss"][begin : max(rows - end, 0)]
        axes = ax if ax is not None else new_axes()
        axes.plot(lrs, losses)
        suggested = 0.0
        if suggest_lr:
            slopes = np.gradient(np.array(losses))
            steepest = int(np.where(np.isnan(slopes), np.inf, slopes).argmin())
            suggested = lrs[steepest]
            print(f"Suggested LR, where the loss falls most steeply: {suggested:.2E}")
            axes.scatter(
                *(suggested, losses[steepest]),
                s=75,
                marker="o",
                color="red",
                zorder=3,
                label="steepest gradient",
            )
            axes.legend()
        if log_lr:
            axes.set_xscale("log")
        axes.set_xlabel("Learning rate")
        axes.set_ylabel("Loss")
        if shown is not None:
            axes.axvline(x=shown, color="red")
        if ax is None:
            from matplotlib import pyplot as plt

            plt.show()
        return (axes, suggested) if suggest_lr else axes


@contextmanager
def _iterators(
    test: RangeTest, train_loader: Any, val_loader: Any
) -> Iterator[tuple[TrainDataLoaderIter, ValDataLoaderIter | None]]:
    """Give iterators over loaders, which are put back; those that were given begin anew in the end."""
    for loader in (train_loader, val_loader):
        if loader is not None:
            test._use(getattr(loader, "data_loader", loader))
    given = [loader for loader in (train_loader, val_loader) if isinstance(loader, DataLoaderIter)]
    try:
        train = TrainDataLoaderIter(train_loader) if isinstance(train_loader, DataLoader) else train_loader
        val = ValDataLoaderIter(val_loader) if isinstance(val_loader, DataLoader) else val_loader
        yield train, val
    finally:
        for iterator in given:
            iterator.begin()


def _check_loader(name: str, loader: Any, kind: type) -> None:
    if not isinstance(loader, (DataLoader, kind)):
        raise ValueError(
            f"`{name}` has unsupported type: must be a DataLoader or a {kind.__name__}, "
            f"got {type(loader).__name__}"
        )
