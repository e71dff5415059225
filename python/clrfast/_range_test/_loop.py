"""The LR range test in one call: train as PyTorch's users do, at a rising rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex

import numpy as np

from clrfast import _check
from clrfast._range_test._context import RangeTest
from clrfast._range_test._length import steps_for
from clrfast._range_test._training import Training
from clrfast._range_test._verify import check_verify, verified
from clrfast.logs import Log

if TYPE_CHECKING:
    from os import PathLike

    import torch
    from torch import Tensor

    from clrfast._range_test._context import Models, Optimizers
    from clrfast._range_test._progress import Asked
    from clrfast._range_test._rates import OneOrEach


def range_test(
    model: Models,
    optimizer: Optimizers,
    loss_fn: Callable[..., Tensor] | None,
    loader: Iterable[Any],
    *,
    start_lr: OneOrEach | None = None,
    end_lr: OneOrEach = 10.0,
    steps: SupportsIndex | None = None,
    total_steps: SupportsIndex | None = None,
    shape: Literal["exponential", "linear"] = "exponential",
    hold: SupportsIndex = 1,
    stop_factor: float = 4.0,
    accumulate: SupportsIndex = 1,
    autocast: AbstractContextManager[Any] | None = None,
    scaler: torch.amp.GradScaler | None = None,
    device: torch.device | str | None = None,
    train_step: Callable[[Any], Tensor | float] | None = None,
    validation: Iterable[Any] | Callable[[], Tensor | float] | None = None,
    repeats: SupportsIndex = 1,
    verify: SupportsIndex | None = None,
    also: Iterable[Any] = (),
    progress: Asked = False,
    checkpoint: str | PathLike[str] | None = None,
    log_file: str | PathLike[str] | None = None,
    process_group: torch.distributed.ProcessGroup | None = None,
) -> Log:
    """Train with a rising rate, record the loss at each rate, and restore everything, bit for bit.

    Smith, arXiv:1506.01186, section 3.3. A row's loss is that of its batch before the update at its rate.
    `RangeTest` does the same around a loop of your own.

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
    hit the very first or last instruction of it. Whatever ends the test carries the log so far as
    `clrfast_log`.

    Modules in eval mode stay so; a model that is in eval mode as a whole is put into train mode.

    A device is not asked for the loss at each step: the losses stay there, and so does the decision to stop,
    which is read back every 10 steps (5 % of them if that is more); what was recorded after the decisive
    loss is cut off. Progress and a log's file read the losses back as often.

    Where several processes train one model, each calls this with its own batches. Losses are averaged where
    the decision to stop is read, and nowhere else; each process gets the same log, and all end together when
    one has a loss that is not finite, has no more batches, or raises (the others then raise RuntimeError).
    One that breaks off in the midst of a pass frees the others by ending, or by their group's timeout.

    Args:
        model: The module to train; with `train_step` several, a list or a dictionary of them.
        optimizer: Its optimizer; with `train_step` several, which must not share parameters. Groups whose
            rates differ keep their ratios, and the recorded rate is the largest of them; if all are 0,
            `initial_lr`, as schedulers leave it, gives the ratios. Rates held in tensors are filled in place.
        loss_fn: Called as ``loss_fn(model(*inputs), target)`` for batches ``(*inputs, target)``, as
            ``loss_fn(model(**inputs), target)`` for batches ``(inputs, target)`` with a mapping, and as
            ``loss_fn(model(batch), batch)`` for batches that are one tensor, ``(tensor,)``, or a mapping
            (``model(**batch)``). None takes the loss that the model's own output is or has (``output.loss``,
            ``output["loss"]``, as in Hugging Face's models), or that the `training_step` of a LightningModule
            returns; what that logs is dropped.
        loader: The batches, iterated anew when they end. One that can only be passed once ends the test.
        start_lr: The first rate, > 0; or one for each parameter group, those of all optimizers one after
            another. Then the recorded rate is that of the group whose `end_lr` is the highest. None, the
            default, is 1e-7, and with `total_steps` a rate from 1e-8 to 1e-5 that the first steps find.
        end_lr: The last one, greater than `start_lr`; or one for each group.
        steps: Steps of the test, >= 2. None, the default, is 200, or what `total_steps` says. The curve is as
            noisy as its batches are, so more steps place the range better; fewer than 100 over many decades
            place it badly.
        total_steps: Steps of the training to come, >= 1, if they are known. The test then takes a tenth of
            them, at least 50 and at most 600, beyond which more gain nothing; a UserWarning says where all
            tests together may take more than a quarter of the training. And it finds its start: the rate is
            1e-8 in the first step, 1e-7 in the second one, and a decade higher in the next, up to 1e-5, as
            long as the change that ten times the last step makes to the loss, to first order, is below 1 %
            of the range of the losses so far, and ten times its way below 1e-4 of the parameters' norm. From
            there on the ramp rises as usual. It starts at 1e-7 where gradients are zeroed after the step, in
            several processes, and with stairs, lines, less than 16 steps, or rates for each group. Up to two
            steps wait for a device. Measured by `benchmarks/range_test_length.py`.
        shape: 'exponential' (equal ratios) or 'linear' (equal differences).
        hold: Steps at each rate, which make a staircase; at most half of `steps`.
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
        validation: Batches on which the loss that counts is measured, in eval mode and without gradients,
            before the first update at each rate: one row for each rate, which is held for `hold` steps. They
            are all kept in memory, so give few, such as ``list(itertools.islice(val_loader, 8))``; the loss
            is the mean of theirs. With `train_step`: a function that returns this loss.
        repeats: Tests, >= 1, each from the same state; all but the first with random generators seeded anew.
            More than one give a log of so many runs, for ``log.analyze_repeats()``.
        verify: Steps, >= 10, of each of a few probes after the ramp (see `clrfast.probe`): at a 4.6th of the
            rate that it suggests, at this rate and at 4.6 times it, or at one rate in each of five decades
            where it suggests none; and up to three further on where a better one may lie. They become the
            log's `probes`, by which its analysis confirms its suggestion, moves it, or has none where nothing
            can be learned. 100 do well; None or 0, the default, makes none.
        also: Further modules, optimizers or other objects to restore, which `train_step` changes.
        progress: True shows a bar, which needs tqdm, or lines where there is no terminal; 'plain' always
            shows lines. A function is called with a `Progress` about every 10 steps (5 % of them if that is
            more) and at the end. A list of these does several.
        checkpoint: A file, which must not be there, for the state before the test: `clrfast.recover` and
            ``clrfast recover`` give it back if the process is killed. Removed when all has been put back. In
            several processes each writes its own, with its rank at the end of the name.
        log_file: A CSV file for the log so far, written anew at each check, and at the end in any case.
        process_group: The group of processes that train the model; by default that of a model which is
            wrapped (`DistributedDataParallel`, `fully_shard`), and none where it is not.

    Returns:
        The log, one row for each step up to the one that stopped the test, which `status` explains.

    Raises:
        TypeError, ValueError: An argument is not as said above, the loader is empty, a batch or a loss has no
            such form, or no step has changed a parameter. Everything has been restored.
        OSError: `checkpoint` is there already, or a file cannot be written. Everything has been restored.
        RuntimeError: Another process failed; or something could not be put back after several attempts, and
            the checkpoint, if any, stays.
        ImportError: torch is missing, or tqdm for a bar.
    """
    tests = _check.whole("repeats", repeats, least=1)
    probe_steps = check_verify(verify)
    steps = steps_for(total_steps, steps, tests)
    updates = 1
    if validation is not None:  # a row for each rate
        updates = _check.whole("hold", hold, least=1)
        steps, hold = -(-_check.whole("steps", steps, least=2 * updates) // updates), 1
    options: dict[str, Any] = {
        **{"start_lr": start_lr, "end_lr": end_lr, "steps": steps, "shape": shape, "hold": hold},
        **{"stop_factor": stop_factor, "also": list(also), "progress": progress},
        **{"checkpoint": checkpoint, "log_file": log_file, "process_group": process_group},
    }
    RangeTest(model, optimizer, **options)  # checks what it is given
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
        validation=validation,
    )
    log = ramps(training, options, tests, updates, total_steps is not None and start_lr is None)
    return verified(log, training, options, probe_steps) if probe_steps else log


def ramps(
    training: Training, options: dict[str, Any], tests: int = 1, updates: int = 1, finds_start: bool = True
) -> Log:
    """Train with a rising rate, once or several times from the same state; the log of all.

    Args:
        training: What is trained.
        options: What `RangeTest` is given for it.
        tests: How many ramps.
        updates: Updates at each rate, where the loss that counts is measured before the first of them.
        finds_start: Whether the first steps find where the ramp begins.
    """
    import torch

    batches_a_step, usual, validation = training.accumulate, training.usual, training.validation

    def train(test: RangeTest) -> None:
        training.begin(test)
        measure: Callable[[], Any] | None = None
        if callable(validation):
            measure = validation
        elif validation is not None and usual is not None:
            test._use(validation)
            measure = partial(usual.validate, usual.on(list(validation)))
        loss: Any = math.nan
        for taken in test._batches(training.loader, batches_a_step * updates):
            measured = math.nan if measure is None else measure()
            for begin in range(0, len(taken), batches_a_step):
                loss = training.step(taken[begin : begin + batches_a_step])
            test.record(loss if measure is None else measured)

    runs: dict[str, Log] = {}
    test = RangeTest(training.model, training.optimizer, **options)
    for number in range(1, tests + 1):
        if number > 1:
            seed = _seed(torch.initial_seed(), number)
            test = RangeTest(training.model, training.optimizer, seed=seed, **options)
        training.enter_into(test, batches_a_step * updates)
        test._epoch = number - 1
        test._finds_start = finds_start
        if tests > 1:
            test._run, test._title, test._earlier = str(number), f"range test {number} of {tests}", runs
        with test:
            train(test)
        runs[str(number)] = test.log
    return Log.of_runs(runs) if tests > 1 else test.log


def _seed(begin: int, number: int) -> int:
    """Return a seed for a repeated test that follows from the user's own."""
    return int(np.random.SeedSequence([begin, number]).generate_state(1)[0])
