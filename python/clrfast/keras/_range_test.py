"""The range test of a compiled Keras model: as a call, and as a callback at the beginning of `fit`."""

from __future__ import annotations

import os
from typing import Any

import keras

from clrfast._range_test import range_test as _range_test
from clrfast._range_test import recover as _recover
from clrfast._range_test._length import with_total_steps
from clrfast.analysis import Suggestion
from clrfast.keras._backend import check_torch
from clrfast.logs import Log


def range_test(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    batch_size: int | None = None,
    sample_weight: Any = None,
    class_weight: dict[int, float] | None = None,
    shuffle: bool = True,
    **options: Any,
) -> Log:
    """Train a compiled Keras model with a rising rate, record the loss of each batch, restore everything.

    `clrfast.range_test` with the model's own `train_step`, on Keras' PyTorch backend. The loss is that of the
    batch alone, before the update at its rate, not Keras' running mean.

    However the test ends, these are put back bit for bit, in the same objects: weights, metrics, the
    optimizer's variables (one that was not built yet is so again), its iterations and loss scale, seed
    generators, Keras' own random state, and what `clrfast.range_test` names. A model that has seen no batch
    is built with its optimizer, as `fit` would do, and stays so.

    Args:
        model: The model. Its optimizer's ``learning_rate`` must be a number.
        x: What `fit` takes: arrays, tensors, a `keras.utils.PyDataset`, a `torch.utils.data.DataLoader` or a
            generator, which goes on where the test left it: give `fit` another.
        y: The targets of arrays.
        batch_size: Rows of arrays in a batch; None means 32, as in `fit`.
        sample_weight: A weight for each row of arrays.
        class_weight: A weight for each class.
        shuffle: Whether the rows of arrays are taken in random order.
        **options: Others of `clrfast.range_test`: `start_lr`, `end_lr`, `steps`, `total_steps`, `shape`,
            `stop_factor`, `also`, `progress`, `checkpoint`, `log_file`.

    Returns:
        The log, one row for each batch up to the one that stopped the test.

    Raises:
        RuntimeError: Keras does not run on PyTorch, or something could not be put back.
        TypeError: `model` is no Keras model, or its optimizer's rate is a schedule.
        ValueError: The model is not compiled, or Keras cannot make batches of the data.
        OSError: As `clrfast.range_test`.

    >>> log = clrfast.keras.range_test(model, x, y, batch_size=64)  # doctest: +SKIP
    """
    check_torch("a range test")
    from clrfast.keras._batches import FitBatches
    from clrfast.keras._optimizer import KerasOptimizer, check_optimizer

    check_optimizer(model)
    given = {"batch_size": batch_size, "sample_weight": sample_weight, "class_weight": class_weight}
    batches = FitBatches(x, y=y, shuffle=shuffle, **given)
    if not model.built:
        model._symbolic_build(data_batch=batches.first())

    def train_step(batch: Any) -> Any:
        if model.train_function is None:
            model.make_train_function()
        model.reset_metrics()  # so that what is reported as a mean is the loss of this batch
        logs = model.train_function([batch])
        if "loss" not in logs:
            raise ValueError(
                f"the model's train_step must report its 'loss', got {', '.join(logs) or 'nothing'}"
            )
        return logs["loss"]

    also = [*options.pop("also", ()), _KerasState()]
    optimizer: Any = KerasOptimizer(model)
    return _range_test(model, optimizer, None, batches, train_step=train_step, also=also, **options)


def recover(path: str | os.PathLike[str], model: Any) -> None:
    """Give a Keras model and its optimizer back what `range_test` saved before it was killed.

    Args:
        path: The file that was given to `range_test` as `checkpoint`. It stays.
        model: The model, built and compiled as it was then.

    Raises:
        OSError, ValueError: As `clrfast.recover`.
        RuntimeError, TypeError: As `range_test`.
    """
    check_torch("a range test")
    from clrfast.keras._optimizer import KerasOptimizer

    optimizer: Any = KerasOptimizer(model)
    _recover(path, model, optimizer)


class KerasRangeTest(keras.callbacks.Callback):  # type: ignore[misc] # Keras is not typed
    """Runs a range test at the beginning of `fit`, and lets the training begin as if there had been none.

    Args:
        x: What `fit` is given; callbacks do not see it. A generator must be another one than `fit`'s.
        y: The targets of arrays.
        apply: Whether the training then begins at the suggested `max_lr`; otherwise it is the same bit for
            bit as without the test.
        **options: The others of `range_test`: ``batch_size``, ``steps``, ... `total_steps` is that of the
            fit, unless it or `steps` is given.

    Attributes:
        log: The log of the last test, a `clrfast.Log`; None before the first.

    Raises:
        NoSuggestionError: At the beginning of `fit`: the log suggests no rate that could be applied.
        Others: At the beginning of `fit`, as `range_test`.

    >>> test = KerasRangeTest(x, y, batch_size=64, apply=True)  # doctest: +SKIP
    >>> model.fit(x, y, batch_size=64, callbacks=[test])  # doctest: +SKIP
    """

    def __init__(self, x: Any, y: Any = None, *, apply: bool = False, **options: Any) -> None:
        """Keep what the test will be given."""
        super().__init__()
        self._arguments, self._options = (x, y), options
        self.apply = bool(apply)
        self.log: Log | None = None

    @property
    def suggestion(self) -> Suggestion:
        """What the log suggests.

        Raises:
            RuntimeError: There was no test yet.
        """
        if self.log is None:
            raise RuntimeError("there must have been a range test to suggest a rate, got none yet: call fit")
        return self.log.analyze().suggestion

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Run the test."""
        total_steps = (self.params.get("epochs") or 0) * (self.params.get("steps") or 0)
        options = with_total_steps(self._options, total_steps)
        self.log = range_test(self.model, *self._arguments, **options)
        if self.apply:
            self.model.optimizer.learning_rate = self.suggestion.max_lr


class _KerasState:
    """What Keras keeps for this thread: seeds of layers that have none of their own, counters of names."""

    def __init__(self) -> None:
        """Refer to it, so that a snapshot finds it."""
        from keras.src.backend.common import global_state

        self.state = vars(global_state.GLOBAL_STATE_TRACKER)
