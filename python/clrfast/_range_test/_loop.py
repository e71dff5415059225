"""The LR range test: raise the rate step by step, record the loss, put everything back."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex

from clrfast import _check
from clrfast._range_test._arguments import check_alone, check_objects, ratios
from clrfast._require import require
from clrfast.logs import Log
from clrfast.schedules import ramp

if TYPE_CHECKING:
    from os import PathLike

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
    steps: SupportsIndex = 200,
    shape: Literal["exponential", "linear"] = "exponential",
    stop_factor: float = 4.0,
    accumulate: SupportsIndex = 1,
    autocast: AbstractContextManager[Any] | None = None,
    scaler: torch.amp.GradScaler | None = None,
    device: torch.device | str | None = None,
    train_step: Callable[[Any], Tensor | float] | None = None,
    also: Iterable[Any] = (),
    progress: bool | Callable[[int, int], object] = False,
    checkpoint: str | PathLike[str] | None = None,
    log_file: str | PathLike[str] | None = None,
    process_group: torch.distributed.ProcessGroup | None = None,
) -> Log:
    """Train with a rising rate, record the loss at each rate, and restore everything, bit for bit.

    Smith, arXiv:1506.01186, section 3.3. A row's loss is that of its batch before the update at its rate.

    However the test ends (an exception and Ctrl-C included), these are put back in place before it returns or
    raises, with the same objects: of modules parameters, buffers, gradients, modes and all other attributes,
    through containers and the objects that these hold; optimizers, those inside of others too, and the
    scaler; the random generators of Python, NumPy (the global one) and PyTorch (CPU, CUDA, MPS); of the
    loader, its samplers and its data set, generators, counters and what else is small; and whatever can save
    its state (averages of weights, second optimizers, schedulers) that `train_step` or `loss_fn` reaches by
    its closure, defaults, object or globals. What cannot be put back is named in a warning: an iterator that
    goes on, a large frozen tensor that was written unseen. What the class of an object holds, and what lies
    outside of the process, are not looked after.

    Copies are held in memory: room for the model and the optimizer's state once more. Frozen tensors of 1 MiB
    and more are copied only when an operation of PyTorch writes them, if they sum up to more than 32 MiB.
    Nothing is written that did not change. In the main thread, signals for which Python has a handler wait
    while things are put back, and are delivered then; what is thrown into another thread asynchronously may
    hit the very last instructions of it. Whatever ends the test carries the log so far as `clrfast_log`.

    Modules in eval mode stay so; a model that is in eval mode as a whole is put into train mode.

    A device is not asked for the loss at each step: the losses stay there, and so does the decision to stop,
    which is read back every 10 steps (5 % of them if that is more); what was recorded after the decisive
    loss is cut off.

    Where several processes train one model, each calls this with its own batches. Losses are averaged where
    the decision to stop is read, and nowhere else; each process gets the same log, and all end together when
    one has a loss that is not finite, has no more batches, or raises (the others then raise RuntimeError).
    One that breaks off in the midst of a pass frees the others by ending, or by their group's timeout.

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
        steps: Steps of the test, >= 2. The curve is as noisy as its batches are, so more steps place the
            range better; fewer than 100 over many decades place it badly.
        shape: 'exponential' (equal ratios) or 'linear' (equal differences).
        stop_factor: The test stops when the loss has risen above its lowest level by this many times the fall
            to that level, > 0; infinity stops at nothing but NaN and infinite losses, which always stop.
            Losses may be negative, and a rise must outlast a few steps and the noise of the first losses.
        accumulate: Batches for each step, >= 1; the step's loss is their mean.
        autocast: A context entered around each forward pass, for example ``torch.autocast("cuda")``.
        scaler: A gradient scaler; `train_step` uses it by itself.
        device: Where batches are moved to; the model's own by default.
        train_step: Called with each batch, as the loader gives it, in place of everything above: it does one
            whole training step, with the optimizer, and returns its loss, a scalar tensor or a real number.
            Needs ``loss_fn=None``.
        also: Further modules, optimizers or other objects to restore, which `train_step` changes.
        progress: True shows a bar (needs tqdm); a function is called with the steps done and `steps`.
        checkpoint: A file, which must not be there, for the state before the test: `clrfast.recover` and
            ``clrfast recover`` give it back if the process is killed. Removed when all has been put back. In
            several processes each writes its own, with its rank at the end of the name.
        log_file: A CSV file for the log so far, written anew at each check, and at the end in any case.
        process_group: The group of processes that train the model; by default that of a model which is
            wrapped (`DistributedDataParallel`, `fully_shard`), and none where it is not.

    Returns:
        The log, one row for each step up to the one that stopped the test, which `status` explains.

    Raises:
        TypeError, ValueError: An argument is not as said above, the loader is empty, or a batch or a loss has
            no such form. Everything has been restored.
        OSError: `checkpoint` is there already, or a file cannot be written. Everything has been restored.
        RuntimeError: Another process failed; or something could not be put back after several attempts, and
            the checkpoint, if any, stays.
        ImportError: torch is missing, or tqdm for ``progress=True``.
    """
    require("torch", "range_test()", extra="torch")
    if progress is True:
        require("tqdm", "progress=True", extra="demo")
    elif progress is not False and not callable(progress):
        raise TypeError(f"progress must be True, False or a function, got {progress!r}")
    first = _check.real("start_lr", start_lr, above=0.0)
    last = _check.real("end_lr", end_lr, above=first)
    count = _check.whole("steps", steps, least=2)
    _check.choice("shape", shape, ("exponential", "linear"))
    rates = ramp(first, last, count, shape=shape).values(0, count)
    factor = math.inf if stop_factor == math.inf else _check.real("stop_factor", stop_factor, above=0.0)
    batches_a_step = _check.whole("accumulate", accumulate, least=1)
    extra = list(also)
    check_objects(model, optimizer, loader, extra)
    groups = ratios(optimizer)

    import torch

    from clrfast._range_test._checkpoint import Checkpoint
    from clrfast._range_test._in_step import train_in_step
    from clrfast._range_test._processes import SharedWatch, find
    from clrfast._range_test._reachable import reachable
    from clrfast._range_test._record import Record
    from clrfast._range_test._signals import Signals, guarded
    from clrfast._range_test._snapshot import Snapshot, numbered
    from clrfast._range_test._stop_rule import Watch
    from clrfast._range_test._training_step import Batches, Step, check_loss, train_alone

    if train_step is None:
        if loss_fn is not None and not callable(loss_fn):
            raise TypeError(f"loss_fn must be callable or None, got {loss_fn!r}")
        step: Callable[[list[Any]], Any] = Step(
            model, optimizer, loss_fn, autocast or nullcontext(), scaler, device
        )
    else:
        check_alone(train_step, loss_fn=loss_fn, accumulate=accumulate, autocast=autocast, device=device)
        whole = train_step
        step = lambda batches: whole(batches[0])  # noqa: E731

    processes = find(model, process_group)
    starting: Callable[[], AbstractContextManager[None]] = processes.starting if processes else nullcontext
    with starting():
        saved_to = None if checkpoint is None else Checkpoint(checkpoint)
        holders = {"model": model, "optimizer": optimizer, "scaler": scaler, **numbered(extra, "also")}
        holders |= numbered(reachable(train_step or loss_fn), "train_step" if train_step else "loss_fn")
        snapshot = Snapshot(holders, loader)
        if snapshot.kept_out:
            _warn("cannot put back", snapshot.kept_out)
    batches = Batches(loader)
    watch = SharedWatch(count, factor, processes) if processes else Watch(count, factor)
    is_first = processes is None or processes.rank == 0
    record = Record(rates, watch, Path(log_file) if log_file is not None and is_first else None)
    lost: list[str] = []

    def one_step(taken: list[Any], rate: float) -> Tensor | float:
        for group, ratio in groups:
            _set_rate(group, rate * ratio)
        return check_loss(step(taken), "train_step")

    def train(signals: Signals) -> Log:
        with starting():
            signals.release()
            if saved_to is not None:
                saved_to.write(model, optimizer, extra)
            snapshot.lay_aside()
            torch.set_grad_enabled(True)
            if not model.training:
                model.train()
            if not batches.look_ahead(batches_a_step):
                raise ValueError("loader must give a batch for each step, got none")
            signals.pause()
        with _progress(progress, count, is_first) as tell, snapshot.watch or nullcontext():
            if isinstance(watch, SharedWatch):
                train_in_step(record, watch, signals, batches, batches_a_step, one_step, tell)
            else:
                train_alone(record, signals, batches, batches_a_step, one_step, tell)
        log = record.log()
        record.write(log)
        return log

    def put_back() -> None:
        try:
            batches.close()
        finally:
            lost.extend(snapshot.restore())
        if saved_to is not None:
            saved_to.remove()

    try:
        return guarded(train, put_back, record.keep)
    except BaseException as error:
        record.keep(error)
        raise
    finally:
        if lost:
            _warn("could not put back", lost)


def _warn(what: str, objects: list[str]) -> None:
    listed = "; ".join(objects)
    warnings.warn(f"range_test() {what}: {listed}", UserWarning, stacklevel=3)


def _set_rate(group: dict[str, Any], rate: float) -> None:
    if hasattr(group["lr"], "fill_"):  # others hold this tensor: a compiled step, a scheduler
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


@contextmanager
def _progress(
    progress: bool | Callable[[int, int], object], steps: int, shows_bar: bool
) -> Iterator[Callable[[int, int], object] | None]:
    """Give the function that is told how far the test is, or None."""
    if progress is not True or not shows_bar:
        yield None if isinstance(progress, bool) else progress
        return
    from tqdm import tqdm

    with tqdm(total=steps, desc="range test", unit="step") as bar:
        yield lambda done, total: bar.update()
