"""The range test of a Keras model: the training that follows is, bit for bit, the one without the test."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")

import clrfast  # noqa: E402
import clrfast.keras as ours  # noqa: E402

# Keras 3.15 turns its variables to arrays in a way that NumPy 2 no longer likes.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
ROWS, SIZE = 60, 10
SOURCE = np.random.default_rng(0)
X = SOURCE.normal(size=(ROWS, 8)).astype("float32")
Y = SOURCE.integers(3, size=ROWS)


class Batches(keras.utils.PyDataset):  # type: ignore[misc,name-defined]
    """Shuffled anew after each epoch, from generators of its own and of NumPy."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.order, self.own = np.arange(ROWS), np.random.default_rng(5)

    def __len__(self) -> int:
        return ROWS // SIZE

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        rows = self.order[index * SIZE : (index + 1) * SIZE]
        return X[rows] + 0.01 * np.float32(np.random.normal()), Y[rows]

    def on_epoch_end(self) -> None:
        self.own.shuffle(self.order)


class Threaded(Batches):
    def __init__(self) -> None:
        super().__init__(workers=2)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        rows = self.order[index * SIZE : (index + 1) * SIZE]
        return X[rows], Y[rows]


def generated() -> Iterator[tuple[Any, Any]]:
    for start in range(0, 20 * ROWS, SIZE):
        yield X[start % ROWS : start % ROWS + SIZE], Y[start % ROWS : start % ROWS + SIZE]


class Doubling(keras.Model):  # type: ignore[misc,name-defined]
    """A model with a training step of its own, and noise from Keras' shared seeds."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.head = keras.layers.Dense(7, activation="tanh"), keras.layers.Dense(3)
        self.seen = keras.metrics.Sum(name="seen")

    def call(self, x: Any, training: bool = False) -> Any:
        if training:
            x = x + 0.1 * keras.random.normal(x.shape)
        return self.head(self.hidden(x))

    def train_step(self, data: Any) -> Any:
        self.seen.update_state(1.0)
        return super().train_step(data)


def layers() -> list[Any]:
    return [
        keras.layers.Dense(9, activation="relu", kernel_regularizer="l2"),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.3),
        keras.layers.GaussianNoise(0.1, seed=3),
        keras.layers.Dense(3),
    ]


def dense() -> Any:
    return keras.Sequential([keras.Input((8,)), *layers()])


def unbuilt() -> Any:
    return keras.Sequential(layers())


def quiet() -> Any:
    """No noise, for which Keras takes PyTorch's own generator, as does what shuffles."""
    return keras.Sequential([keras.Input((8,)), *layers()[:2], keras.layers.Dense(3)])


MODELS: dict[str, Callable[[], Any]] = {
    "dense": dense,
    "unbuilt": unbuilt,
    "own step": Doubling,
    "quiet": quiet,
}
OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "adam": lambda: keras.optimizers.Adam(0.01, amsgrad=True),
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "nadam": lambda: keras.optimizers.Nadam(0.01),
    "muon": lambda: keras.optimizers.Muon(0.01),
    "average": lambda: keras.optimizers.AdamW(0.01, use_ema=True, ema_overwrite_frequency=3),
    "accumulate": lambda: keras.optimizers.RMSprop(0.01, momentum=0.5, gradient_accumulation_steps=3),
    "scaled": lambda: keras.optimizers.LossScaleOptimizer(
        keras.optimizers.Adam(0.01), initial_scale=1024.0, dynamic_growth_steps=4
    ),
}
DATA: dict[str, Callable[[], tuple[Any, ...]]] = {
    "arrays": lambda: (X, Y),
    "tensors": lambda: (torch.from_numpy(X), torch.from_numpy(Y)),
    "dataset": lambda: (Batches(),),
    "threaded dataset": lambda: (Threaded(),),
    "loader": lambda: (
        DataLoader(TensorDataset(torch.from_numpy(X), torch.from_numpy(Y)), batch_size=SIZE, shuffle=True),
    ),
}


def make(model: str = "dense", optimizer: str = "adam", policy: str = "float32") -> Any:
    keras.utils.clear_session()
    keras.utils.set_random_seed(1)
    keras.config.set_dtype_policy(policy)
    try:
        net = MODELS[model]()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        net.compile(OPTIMIZERS[optimizer](), loss=loss, metrics=["accuracy"])
    finally:
        keras.config.set_dtype_policy("float32")
    return net


def bits(variables: list[Any]) -> list[tuple[str, bytes]]:
    return [(variable.path, keras.ops.convert_to_numpy(variable).tobytes()) for variable in variables]


def state(net: Any) -> Any:
    """All that a training leaves behind, and the generators."""
    _, keys, place, *_ = np.random.get_state()
    return (
        *(bits(net.variables), bits(net.optimizer.variables), bits(net.metrics_variables)),
        *(net.optimizer.built, net.built, float(net.optimizer.learning_rate)),
        *(random.getstate(), keys.tolist(), place, torch.get_rng_state().tolist()),
        keras.random.normal((2,)).tolist(),  # from seeds that all layers without one share
    )


def fit(net: Any, data: tuple[Any, ...], callbacks: Any = (), epochs: int = 1) -> Any:
    size = SIZE if len(data) == 2 else None
    steps = ROWS // SIZE if isinstance(data[0], Iterator) else None
    shuffle = not isinstance(data[0], (Iterator, DataLoader))
    history = net.fit(
        *data,
        batch_size=size,
        epochs=epochs,
        verbose=0,
        shuffle=shuffle,
        callbacks=list(callbacks),
        steps_per_epoch=steps,
    )
    return history.history, state(net)


def measured(net: Any, data: tuple[Any, ...], **options: Any) -> clrfast.Log:
    size = SIZE if len(data) == 2 else None
    return ours.range_test(net, *data, batch_size=size, **{"steps": 25, **options})


@pytest.mark.parametrize(
    ("model", "optimizer", "data", "trained"),
    [
        *(("dense", name, "arrays", False) for name in OPTIMIZERS),
        *(("dense", name, "arrays", True) for name in ("adam", "scaled", "accumulate")),
        *(("dense", "momentum", name, True) for name in DATA),
        *((model, "adam", "arrays", False) for model in ("unbuilt", "own step")),
        ("unbuilt", "adam", "dataset", False),
    ],
)
def test_training_goes_on_as_without_the_test(model: str, optimizer: str, data: str, trained: bool) -> None:
    def run(test: bool) -> Any:
        net, given = make(model, optimizer), DATA[data]()
        before = fit(net, given) if trained else None
        if test:
            log = measured(net, given)
            assert len(log.loss) == 25 or log.status.startswith("Stopped")
            assert np.isfinite(log.loss[:10]).all()
        return before, fit(net, given)

    assert run(test=True) == run(test=False)


@pytest.mark.parametrize(
    ("model", "data"),
    [
        *(("dense", name) for name in DATA),
        ("unbuilt", "arrays"),
        ("unbuilt", "dataset"),
        ("own step", "loader"),
    ],
)
def test_the_callback_lets_fit_train_as_without_it(model: str, data: str) -> None:
    given = DATA[data]()
    test = ours.KerasRangeTest(*given, batch_size=SIZE if len(given) == 2 else None, steps=25)
    with pytest.raises(RuntimeError, match="must have been a range test"):
        test.suggestion  # noqa: B018
    assert fit(make(model), given, [test]) == fit(make(model), DATA[data]())
    assert test.log is not None
    assert len(test.log.loss) > 10


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("trained", [False, True], ids=["new", "trained"])
def test_everything_is_put_back_in_place(optimizer: str, trained: bool) -> None:
    net = make(optimizer=optimizer)
    if trained:
        fit(net, (X, Y))

    def tensors() -> list[int]:
        variables = [*net.variables, *net.optimizer.variables, *net.metrics_variables]
        return [id(variable.value) for variable in variables]

    keras.utils.set_random_seed(4)
    before, places, attributes = state(net), tensors(), dict(vars(net))
    keras.utils.set_random_seed(4)
    measured(net, (X, Y))
    assert state(net) == before
    assert tensors() == places
    assert all(vars(net)[name] is value for name, value in attributes.items())


def test_losses_are_those_of_each_batch_and_rates_are_in_force() -> None:
    """A loop written by hand, with Keras' own train_on_batch."""
    log = measured(make("quiet"), (X, Y), shuffle=False, stop_factor=float("inf"))
    net = make("quiet")
    losses = []
    for step, rate in enumerate(log.lr):
        net.optimizer.learning_rate = rate
        rows = slice(step * SIZE % ROWS, step * SIZE % ROWS + SIZE)
        losses.append(net.train_on_batch(X[rows], Y[rows])[0])
    assert len(losses) == 25
    assert log.loss.tolist() == losses
    assert max(losses) > 2 * losses[0]  # the rates were


def test_weights_of_rows_and_classes_count() -> None:
    weights = np.where(Y == 0, 3.0, 1.0).astype("float32")
    by_rows = measured(make(), (X, Y), sample_weight=weights)
    by_class = measured(make(), (X, Y), class_weight={0: 3.0, 1: 1.0, 2: 1.0})
    assert by_rows.loss.tolist() == by_class.loss.tolist() != measured(make(), (X, Y)).loss.tolist()


def test_a_generator_is_passed_once() -> None:
    net = make()
    with pytest.warns(UserWarning, match="a generator, goes on where the test left it"):
        log = measured(net, (generated(),), steps=500, stop_factor=float("inf"))
    assert len(log.loss) == 20 * ROWS // SIZE
    assert "passed only once" in log.status
    test = ours.KerasRangeTest(generated(), steps=25)
    net = make()
    with pytest.warns(UserWarning, match="a generator"):
        seen = fit(net, (generated(),), [test])
    assert seen == fit(make(), (generated(),))


def test_the_suggestion_is_applied() -> None:
    net = make(optimizer="scaled")
    test = ours.KerasRangeTest(X, Y, batch_size=SIZE, steps=100, apply=True)
    rates = []
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: rates.append(float(net.optimizer.learning_rate))
    )
    fit(net, (X, Y), [test, watch])
    assert test.log is not None
    assert test.suggestion.max_lr == test.log.analyze().suggestion.max_lr
    assert set(rates) == {np.float32(test.suggestion.max_lr)}


def test_nothing_to_apply_is_an_error() -> None:
    test = ours.KerasRangeTest(X, Y, batch_size=SIZE, steps=25, start_lr=1e-12, end_lr=1e-11, apply=True)
    net = make()
    with pytest.raises(clrfast.NoSuggestionError, match="there is no max_lr"):
        fit(net, (X, Y), [test])
    assert float(net.optimizer.learning_rate) == np.float32(0.01)
    assert float(net.optimizer.iterations) == 0


def test_mixed_precision() -> None:
    def run(test: bool) -> Any:
        net = make(optimizer="momentum", policy="mixed_float16")
        assert isinstance(net.optimizer, keras.optimizers.LossScaleOptimizer)
        if test:
            measured(net, (X, Y), end_lr=1e6)
        return fit(net, (X, Y))

    assert run(test=True) == run(test=False)


def test_an_exception_puts_everything_back() -> None:
    class Breaks(Batches):
        def __getitem__(self, index: int) -> tuple[Any, Any]:
            if self.breaks and index == 4:
                raise KeyError("the disk")
            return super().__getitem__(index)

    breaks, sound = Breaks(), Breaks()
    breaks.breaks, sound.breaks = True, False
    net = make()
    with pytest.raises(KeyError, match="the disk") as caught:
        measured(net, (breaks,), shuffle=False)
    assert len(caught.value.clrfast_log.loss) == 4  # type: ignore[attr-defined]
    breaks.breaks = False
    assert fit(net, (breaks,)) == fit(make(), (sound,))


def test_what_cannot_be_tested_is_refused() -> None:
    net = make()
    with pytest.raises(TypeError, match=r"model must be a keras\.Model, got Linear"):
        ours.range_test(torch.nn.Linear(2, 1), X, Y)
    with pytest.raises(ValueError, match="model must be compiled"):
        ours.range_test(dense(), X, Y)
    decay = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    for rate in (decay, lambda: 0.1):
        net.compile(keras.optimizers.SGD(rate), loss="mse")
        with pytest.raises(TypeError, match="learning_rate must be a number, got a schedule"):
            ours.range_test(net, X, Y)
    net = make()
    with pytest.raises(ValueError, match="cardinality"):
        ours.range_test(net, X, Y[:-1])
    with pytest.raises(ValueError, match="steps must be"):
        ours.range_test(net, X, Y, steps=1)
    with pytest.raises(ValueError, match="accumulate must be 1 where train_step is given"):
        ours.range_test(net, X, Y, accumulate=2)

    class Silent(keras.Sequential):  # type: ignore[misc,name-defined]
        def train_step(self, data: Any) -> Any:
            return {"error": super().train_step(data)["loss"]}

    net = Silent([keras.Input((8,)), keras.layers.Dense(3)])
    net.compile("sgd", loss="mse")
    before = state(net)[:6]
    with pytest.raises(ValueError, match="train_step must report its 'loss', got error"):
        ours.range_test(net, X, np.eye(3)[Y])
    assert state(net)[:6] == before


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
import test_keras_range_test as here
net = here.make()
here.fit(net, (here.X, here.Y))
def kill(now):
    if now.step == 10:
        os.kill(os.getpid(), signal.SIGKILL)
here.measured(net, (here.X, here.Y), checkpoint=sys.argv[2], progress=kill)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_killed_test_is_recovered(tmp_path: Path) -> None:
    file = tmp_path / "before.pt"
    code = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(file)]
    done = subprocess.run(code, env={**os.environ, "KERAS_BACKEND": "torch"}, check=False)
    assert done.returncode == -signal.SIGKILL
    expected = make()
    fit(expected, (X, Y))
    for trained in (False, True):
        net = make()
        if trained:
            fit(net, (X, Y), epochs=5)
        ours.recover(file, net)
        assert bits(net.variables) == bits(expected.variables)
        assert bits(net.optimizer.variables) == bits(expected.optimizer.variables)
    other = make(optimizer="momentum")
    with pytest.raises(ValueError, match="the optimizer must be the one that the state is of"):
        ours.recover(file, other)


def imports(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if name not in ("KERAS_BACKEND", "KERAS_HOME")}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**plain, **environment},
        text=True,
        capture_output=True,
        check=False,
    )


@pytest.mark.skipif(find_spec("tensorflow") is not None, reason="tensorflow is installed")
def test_a_missing_backend_is_said_in_clear_words(tmp_path: Path) -> None:
    done = imports("import clrfast.keras", KERAS_HOME=str(tmp_path))
    assert done.returncode == 1
    assert (
        "ImportError: keras takes the backend 'tensorflow', which is not installed: set the environment "
        "variable KERAS_BACKEND to one that is, such as 'torch', before keras is first imported"
        in done.stderr
    )
    again = """
import os, clrfast
try:
    clrfast.keras
except ImportError:
    os.environ["KERAS_BACKEND"] = "torch"  # in time: no half of Keras was left behind
print(clrfast.keras.CyclicLR().clr())
"""
    assert imports(again, KERAS_HOME=str(tmp_path)).stdout == "0.001\n"


def test_another_backend_is_named() -> None:
    pytest.importorskip("jax")
    code = """
import numpy as np, keras, clrfast.keras
from clrfast import schedules
net = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
net.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss="mse")
data = np.ones((4, 2)), np.ones((4, 1))
half = schedules.constant(0.5)
for call in (
    lambda: clrfast.keras.range_test(net, *data),
    lambda: net.fit(*data, verbose=0, callbacks=[clrfast.keras.ScheduleCallback(momentum=half)]),
):
    try:
        call()
    except RuntimeError as error:
        print(error)
net.fit(*data, verbose=0, callbacks=[clrfast.keras.ScheduleCallback(lr=half)])
print(float(net.optimizer.learning_rate))
"""
    done = imports(code, KERAS_BACKEND="jax")
    asked = (
        ", got 'jax': set the environment variable KERAS_BACKEND to 'torch' before keras is first imported"
    )
    assert done.stdout.splitlines() == [
        f"Keras' backend must be 'torch' for a range test{asked}",
        f"Keras' backend must be 'torch' for a momentum that changes{asked}",
        "0.5",
    ], done.stderr


def test_the_length_of_the_fit_chooses_that_of_the_test() -> None:
    test = ours.KerasRangeTest(X, Y, batch_size=SIZE)
    total = 3 * (-(-ROWS // SIZE))
    with pytest.warns(UserWarning, match=f"up to 50 steps, more than a quarter of the {total} of the"):
        fit(make(), (X, Y), [test], epochs=3)
    assert test.log is not None
    assert " 50 steps" in test.log.status
