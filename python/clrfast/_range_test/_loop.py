"""The LR range test: raise the rate step by step, record the loss, put everything back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex

import numpy as np

from clrfast import _check
from clrfast._require import require
from clrfast.logs import Log
from clrfast.schedules import ramp

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def range_test(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    loss_fn: Callable[..., Tensor] | None,
    loader: Iterable[Any],
    *,
    start_lr: float = 1e-7,
    end_lr: float = 10.0,
    num_iter: SupportsIndex = 200,
    mode: Literal["exp", "linear"] = "exp",
    stop_factor: float = 4.0,
    accumulate: SupportsIndex = 1,
    autocast: AbstractContextManager[Any] | None = None,
    scaler: torch.amp.GradScaler | None = None,
    device: torch.device | str | None = None,
    train_step: Callable[[Any], Tensor | float] | None = None,
    also: Iterable[Any] = (),
    progress: bool | Callable[[int, int], object] = False,
) -> Log:
    """Train with a rising rate, record the loss at each rate, and restore everything, bit for bit.

    Smith, arXiv:1506.01186, section 3.3. A row's loss is that of its batch before the update at its rate.

    The test runs in train mode. However it ends (an exception and Ctrl-C included), these are put back in
    place before it returns or raises, with the same tensor objects: parameters, buffers, gradients,
    `requires_grad`, each module's mode, the optimizer's state, groups and plain attributes (a scheduler
    attached to it notices nothing), the scaler, the random generators of Python, NumPy (the global one),
    PyTorch (CPU, CUDA, MPS) and the loader. The copies are held in memory: room for the model and the
    optimizer's state once more. Other attributes of modules, and what the loader's data set does, are not.

    A device is not asked for the loss at each step: the losses stay there, and so does the decision to stop,
    which is read back every 10 steps (5 % of them if that is more); what was recorded after the decisive
    loss is cut off.

    Where several processes train one model, all must stop at the same step: let `train_step` return the mean
    of their losses.

    Args:
        model: The module to train.
        optimizer: Its optimizer. Groups whose rates differ keep their ratios, and the recorded rate is the
            largest of them; if all are 0, `initial_lr`, as schedulers leave it, gives the ratios. Rates held
            in tensors are filled in place.
        loss_fn: Called as ``loss_fn(model(*inputs), target)`` for batches ``(*inputs, target)``, and as
            ``loss_fn(model(**batch), batch)`` for mappings; None takes the loss that the model's output for a
            mapping has (``output.loss`` or ``output["loss"]``, as in Hugging Face's models).
        loader: The batches, iterated anew when they end. One that can only be passed once ends the test.
        start_lr: The first rate, > 0.
        end_lr: The last one, greater than `start_lr`.
        num_iter: Steps of the ramp, >= 2. The curve is as noisy as its batches are, so more steps place the
            range better; fewer than 100 over many decades place it badly.
        mode: 'exp' (equal ratios) or 'linear' (equal differences).
        stop_factor: The test stops when the loss has risen above its lowest level by this many times the fall
            to that level, > 0; infinity stops at nothing but NaN and infinite losses, which always stop.
            Losses may be negative, and a rise must outlast a few steps and the noise of the first losses.
        accumulate: Batches for each step, >= 1; the step's loss is their mean.
        autocast: A context entered around each forward pass, for example ``torch.autocast("cuda")``.
        scaler: A gradient scaler; `train_step` uses it by itself.
        device: Where batches are moved to; the model's own by default.
        train_step: Called with each batch, as the loader gives it, in place of everything above: it does one
            whole training step, with the optimizer, and returns its loss, a scalar tensor or a number. Needs
            ``loss_fn=None``.
        also: Further modules, optimizers or schedulers to restore, which `train_step` changes.
        progress: True shows a bar (needs tqdm); a function is called with the steps done and `num_iter`.

    Returns:
        The log, one row for each step up to the one that stopped the test, which `status` explains.

    Raises:
        TypeError, ValueError: An argument is not as said above, the loader is empty, or a batch or a loss has
            no such form. Everything has been restored.
        ImportError: torch is missing, or tqdm for ``progress=True``.
    """
    require("torch", "range_test()", extra="torch")
    if progress is True:
        require("tqdm", "progress=True", extra="demo")
    elif progress is not False and not callable(progress):
        raise TypeError(f"progress must be True, False or a function, got {progress!r}")
    first = _check.real("start_lr", start_lr, above=0.0)
    last = _check.real("end_lr", end_lr, above=first)
    steps = _check.whole("num_iter", num_iter, least=2)
    shape = {"exp": "exponential", "linear": "linear"}[_check.choice("mode", mode, ["exp", "linear"])]
    rates = ramp(first, last, steps, shape=shape).values(0, steps)
    factor = math.inf if stop_factor == math.inf else _check.real("stop_factor", stop_factor, above=0.0)
    batches_a_step = _check.whole("accumulate", accumulate, least=1)
    extra = list(also)
    _check_objects(model, optimizer, loader, extra)
    groups = _ratios(optimizer)

    import torch

    from clrfast._range_test._snapshot import Snapshot
    from clrfast._range_test._stop_rule import Watch
    from clrfast._range_test._training_step import Batches, Step, check_loss

    if train_step is None:
        if loss_fn is not None and not callable(loss_fn):
            raise TypeError(f"loss_fn must be callable or None, got {loss_fn!r}")
        step: Callable[[list[Any]], Tensor | float] = Step(
            model, optimizer, loss_fn, autocast or nullcontext(), scaler, device
        )
    else:
        _check_alone(train_step, loss_fn=loss_fn, accumulate=accumulate, autocast=autocast, device=device)
        whole = train_step
        step = lambda batches: whole(batches[0])  # noqa: E731

    modules = [holder for holder in (model, loss_fn, *extra) if isinstance(holder, torch.nn.Module)]
    others = [holder for holder in (optimizer, scaler, *extra) if holder is not None]
    watch = Watch(steps, factor)
    with ExitStack() as context:
        context.enter_context(Snapshot([*modules, *others], loader))
        context.enter_context(torch.enable_grad())
        tell = context.enter_context(_bar(steps)) if progress is True else progress
        for module in modules:
            module.train()
        batches = Batches(loader)
        for done, rate in enumerate(rates.tolist(), start=1):
            taken = batches.take(batches_a_step)
            if not taken:
                break
            for group, ratio in groups:
                _set_rate(group, rate * ratio)
            loss = step(taken)
            check_loss(loss, "train_step")
            stop = watch.add(loss)
            if tell:
                tell(done, steps)
            if stop:
                break
        losses, stopped = watch.result()
    if not losses:
        raise ValueError("loader must give a batch for each step, got none")
    lrs = rates[: len(losses)]
    status = _status(losses[-1], float(lrs[-1]), len(losses), steps, stopped)
    return Log(lrs, np.array(losses), np.arange(len(losses)), status)


def _check_objects(model: Any, optimizer: Any, loader: Any, extra: list[Any]) -> None:
    import torch

    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    if not hasattr(optimizer, "param_groups") or not hasattr(optimizer, "step"):
        raise TypeError(f"optimizer must be a torch.optim.Optimizer, got {type(optimizer).__name__}")
    if not isinstance(loader, Iterable):
        raise TypeError(f"loader must be an iterable of batches, got {type(loader).__name__}")
    for holder in extra:
        if not hasattr(holder, "__dict__"):
            raise TypeError(f"also must hold modules, optimizers or schedulers, got {holder!r}")
    parameters = dict(model.named_parameters())
    for name, parameter in parameters.items():
        if torch.nn.parameter.is_lazy(parameter):
            raise ValueError(f"model must have seen a batch: its parameter {name!r} has no shape yet")
    driven = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    if driven.isdisjoint(map(id, parameters.values())):
        raise ValueError("optimizer must hold parameters of model, got none: was one of them made anew?")


def _check_alone(train_step: object, **others: Any) -> None:
    if not callable(train_step):
        raise TypeError(f"train_step must be callable, got {train_step!r}")
    for name, value in others.items():
        idle = 1 if name == "accumulate" else None
        if value != idle:
            raise ValueError(f"{name} must be {idle} where train_step is given, got {value!r}")


def _ratios(optimizer: torch.optim.Optimizer) -> list[tuple[dict[str, Any], float]]:
    """Return each parameter group with its rate's ratio to the largest."""
    groups = optimizer.param_groups
    for key in ("lr", "initial_lr"):
        rates = [
            _check.real(f"optimizer.param_groups[{i}][{key!r}]", group.get(key), least=0.0)
            for i, group in enumerate(groups)
            if key == "lr" or key in group
        ]
        if len(rates) == len(groups) and max(rates) > 0:
            return [(group, rate / max(rates)) for group, rate in zip(groups, rates)]
    return [(group, 1.0) for group in groups]


def _set_rate(group: dict[str, Any], rate: float) -> None:
    if hasattr(group["lr"], "fill_"):  # others hold this tensor: a compiled step, a scheduler
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


@contextmanager
def _bar(steps: int) -> Iterator[Callable[[int, int], object]]:
    from tqdm import tqdm

    with tqdm(total=steps, desc="range test", unit="step") as bar:
        yield lambda done, total: bar.update()


def _status(loss: float, lr: float, done: int, steps: int, stopped: bool) -> str:
    where = f"after {done} of {steps} steps, at lr {lr:.3g}"
    if stopped and not math.isfinite(loss):
        return f"Stopped {where}: the loss was {loss}."
    if stopped:
        return f"Stopped {where}: the loss had risen to {loss:.3g}, far above its lowest level."
    if done < steps:
        return f"Ended {where}: the loader can be passed only once and gave no more batches."
    return f"Ran all {steps} steps, up to lr {lr:.3g}."
