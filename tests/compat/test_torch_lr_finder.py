"""`clrfast.compat.torch_lr_finder` against pytorch-lr-finder itself, on the same seeds in one process."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

import clrfast
from clrfast.compat import torch_lr_finder as ours
from experiments import fingerprint, generators

pytestmark = pytest.mark.filterwarnings("ignore:.*(lr_scheduler.step|tqdm|IProgress)")


@pytest.fixture(scope="module")
def theirs() -> ModuleType:
    return pytest.importorskip("torch_lr_finder", exc_type=ImportError)


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    plt.close("all")


def data(rows: int = 96, names: bool = False) -> Any:
    source = torch.Generator().manual_seed(3)
    x, y = torch.randn(rows, 8, generator=source), torch.randint(3, (rows,), generator=source)
    return [{"x": a, "y": b} for a, b in zip(x, y)] if names else TensorDataset(x, y)


def loader(rows: int = 96, names: bool = False) -> DataLoader[Any]:
    return DataLoader(data(rows, names), batch_size=8, shuffle=True)


def experiment(groups: bool = False, momentum: float = 0.9) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))
    parts: Any = [
        {"params": model[0].parameters(), "lr": 1e-3},
        {"params": model[4].parameters(), "lr": 1e-5},
    ]
    return model, torch.optim.SGD(parts if groups else model.parameters(), lr=1e-4, momentum=momentum)


def finder_of(module: ModuleType, groups: bool = False, made: Any = None, **options: Any) -> Any:
    """A finder of one of the two libraries, after its test."""
    model, optimizer = experiment(groups)
    finder = module.LRFinder(model, optimizer, F.cross_entropy, **(made(model) if made else {}))
    train = options.pop("train", lambda _: loader())(module)
    if "val_loader" in options:
        options["val_loader"] = options["val_loader"](module)
    finder.range_test(train, **{"num_iter": 40, **options})
    return finder


def named(module: ModuleType, kind: str) -> type:
    def pair(self: Any, batch_data: Any) -> tuple[Any, Any]:
        return batch_data["x"], batch_data["y"]

    return type("Named", (getattr(module, kind),), {"inputs_labels_from_batch": pair})


CASES: dict[str, dict[str, Any]] = {
    "exp": {},
    "linear": {"step_mode": "linear", "end_lr": 0.5},
    "raw": {"smooth_f": 0},
    "smooth": {"smooth_f": 0.3},
    "first rate": {"start_lr": 1e-3},
    "a rate of 0 is none": {"start_lr": 0},
    "diverging": {"end_lr": 1e4, "num_iter": 100},
    "diverging soon": {"end_lr": 100, "diverge_th": 1.2, "num_iter": 100},
    "never diverging": {"end_lr": 10, "diverge_th": math.inf},
    "accumulation": {"accumulation_steps": 3},
    "validation": {"val_loader": lambda _: loader(24)},
    "accumulation, validation": {"accumulation_steps": 2, "val_loader": lambda _: DataLoader(data(20), 7)},
    "groups": {"groups": True},
    "groups, linear": {"groups": True, "step_mode": "LINEAR"},
    "groups, first rates": {"groups": True, "start_lr": [1e-2, 1e-3], "end_lr": 1},
    "an iterator": {"train": lambda module: module.TrainDataLoaderIter(loader())},
    "dictionaries": {
        "train": lambda module: named(module, "TrainDataLoaderIter")(loader(names=True)),
        "val_loader": lambda module: named(module, "ValDataLoaderIter")(loader(16, names=True)),
    },
    "a file": {"made": lambda _: {"memory_cache": False}},
    "blocking": {"non_blocking_transfer": False},
    "bfloat16": {
        "made": lambda _: {
            "amp_backend": "torch",
            "amp_config": {"device_type": "cpu", "dtype": torch.bfloat16},
            "grad_scaler": torch.amp.GradScaler("cpu", init_scale=8.0),
        },
    },
}


@pytest.mark.parametrize("case", CASES)
def test_it_records_the_same(case: str, theirs: ModuleType) -> None:
    mine, other = finder_of(ours, **CASES[case]), finder_of(theirs, **CASES[case])
    np.testing.assert_allclose(mine.history["lr"], other.history["lr"], rtol=1e-12)
    np.testing.assert_allclose(mine.history["loss"], other.history["loss"], rtol=1e-6)
    assert mine.best_loss == pytest.approx(other.best_loss, rel=1e-6)
    stopped = mine.history["loss"][-1] > CASES[case].get("diverge_th", 5) * mine.best_loss
    assert stopped or len(mine.log) == CASES[case].get("num_iter", 40)
    assert mine.log.status.startswith("Stopped after" if stopped else "Ran all")
    assert stopped or not case.startswith("diverging")


@pytest.mark.parametrize("skips", [{}, {"skip_start": 0, "skip_end": 0}, {"skip_start": 3, "skip_end": 9}])
@pytest.mark.parametrize(
    "options", [{}, {"suggest_lr": False}, {"log_lr": False, "show_lr": 0.1}, {"show_lr": 0.01}], ids=repr
)
def test_it_draws_the_same(
    skips: dict[str, int], options: dict[str, Any], theirs: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, other = finder_of(ours), finder_of(theirs)
    capsys.readouterr()
    found = [finder.plot(ax=plt.subplots()[1], **skips, **options) for finder in (mine, other)]
    printed = capsys.readouterr().out
    if options.get("suggest_lr", True):
        (axes, lr), (their_axes, their_lr) = found
        assert lr == pytest.approx(their_lr, rel=1e-12)
        assert printed.count(f"{lr:.2E}") == 2
        dots = [each.collections[0] for each in (axes, their_axes)]
        np.testing.assert_allclose(dots[0].get_offsets(), dots[1].get_offsets(), rtol=1e-6)
        assert dots[0].get_sizes() == dots[1].get_sizes()
        texts = [[text.get_text() for text in each.get_legend().get_texts()] for each in (axes, their_axes)]
        assert texts[0] == texts[1]
    else:
        axes, their_axes = found
        assert not axes.collections
        assert printed == ""
    assert len(axes.lines) == len(their_axes.lines) == 1 + ("show_lr" in options)
    for line, their_line in zip(axes.lines, their_axes.lines):
        np.testing.assert_allclose(line.get_xydata(), their_line.get_xydata(), rtol=1e-6)
        assert line.get_color() == their_line.get_color()
    for name in ("get_xscale", "get_yscale", "get_xlabel", "get_ylabel"):
        assert getattr(axes, name)() == getattr(their_axes, name)()


def test_a_figure_of_its_own_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[bool] = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(True))
    finder = finder_of(ours)
    axes, _ = finder.plot()
    assert axes.figure.number in plt.get_fignums()
    finder.plot(ax=axes)
    assert shown == [True]


def test_both_imports_move(theirs: ModuleType) -> None:
    inner = importlib.import_module("clrfast.compat.torch_lr_finder.lr_finder")
    for name in ("LRFinder", "TrainDataLoaderIter", "ValDataLoaderIter"):
        assert getattr(inner, name) is getattr(ours, name)
        assert hasattr(theirs, name)
    assert inner.DataLoaderIter is ours.DataLoaderIter


def everything(model: nn.Module, optimizer: Any, scaler: Any, batches: DataLoader[Any]) -> Any:
    state = batches.generator.get_state().tolist()
    return fingerprint(model), fingerprint(optimizer), scaler.state_dict(), state, generators()


class Trained:
    """Some steps of a training, with all that a test could leave changed."""

    def __init__(self, module: ModuleType, criterion: Any = F.cross_entropy, **options: Any) -> None:
        self.model, self.optimizer = experiment()
        source = torch.Generator().manual_seed(5)
        self.loader = DataLoader(data(), batch_size=8, shuffle=True, generator=source)
        self.scaler = torch.amp.GradScaler("cpu", init_scale=2.0, growth_interval=3)
        self.train(3)
        self.model[1].eval()
        self.model[0].bias.requires_grad_(False)  # type: ignore[union-attr]
        self.finder = module.LRFinder(
            *(self.model, self.optimizer, criterion),
            **{"amp_backend": "torch", "grad_scaler": self.scaler, "amp_config": {"device_type": "cpu"}},
            **options,
        )

    def train(self, steps: int) -> None:
        for _, (x, y) in zip(range(steps), self.loader):
            self.optimizer.zero_grad()
            self.scaler.scale(F.cross_entropy(self.model(x), y)).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()

    def now(self) -> Any:
        return everything(self.model, self.optimizer, self.scaler, self.loader)


def test_everything_is_back_at_the_end_of_the_test_and_after_reset() -> None:
    trained = Trained(ours)
    before = trained.now()
    for _ in range(2):  # a second test needs no reset
        trained.finder.range_test(trained.loader, val_loader=loader(16), num_iter=20)
        assert len(trained.finder.log) == 20
        assert trained.now() == before
    trained.finder.reset()
    assert trained.now() == before


def test_theirs_leaves_changed_what_ours_does_not(theirs: ModuleType) -> None:
    trained = Trained(theirs)
    model, optimizer, scaler, source, random = trained.now()
    trained.finder.range_test(trained.loader, num_iter=20)
    trained.finder.reset()
    now = trained.now()
    for then, later in zip((model, optimizer, scaler, source, random), now):
        assert then != later


class Stop(KeyboardInterrupt):
    pass


class Interrupting:
    """A loss that is interrupted in one of its calls."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self, outputs: Tensor, labels: Tensor) -> Tensor:
        self.left -= 1
        if self.left == 0:
            raise Stop
        return F.cross_entropy(outputs, labels)


@pytest.mark.parametrize("at", [1, 2, 7, 16])
def test_an_interrupt_leaves_nothing_changed_and_keeps_what_was_recorded(at: int) -> None:
    trained = Trained(ours, Interrupting(at))
    before = trained.now()
    batches = ours.TrainDataLoaderIter(loader())
    before = trained.now()
    with pytest.raises(Stop):
        trained.finder.range_test(batches, num_iter=20)
    assert trained.now() == before
    finder = trained.finder
    assert len(finder.history["lr"]) == len(finder.history["loss"]) == len(finder.log) == at - 1
    assert "Interrupted" in finder.log.status
    trained.finder.range_test(batches, num_iter=20)
    assert len(finder.log) == 20
    assert trained.now() == before


def test_an_iterator_begins_anew_and_gives_the_same_again() -> None:
    model, optimizer = experiment()
    finder = ours.LRFinder(model, optimizer, F.cross_entropy)
    train, val = (
        ours.TrainDataLoaderIter(DataLoader(data(), 8)),
        ours.ValDataLoaderIter(DataLoader(data(), 9)),
    )
    losses = []
    for _ in range(2):
        finder.range_test(train, val, num_iter=15)
        losses.append(finder.history["loss"])
    assert losses[0] == losses[1]
    torch.testing.assert_close(next(train)[0], data().tensors[0][:8])
    assert len(list(val)) == 11


@pytest.mark.parametrize("memory_cache", [True, False])
def test_reset_undoes_a_training_too(memory_cache: bool, tmp_path: Path) -> None:
    trained = Trained(ours, memory_cache=memory_cache, cache_dir=str(tmp_path))
    assert len(list(tmp_path.iterdir())) == (not memory_cache)
    state = [{k: v.clone() for k, v in trained.model.state_dict().items()}, trained.scaler.state_dict()]
    momenta = [s["momentum_buffer"].clone() for s in trained.optimizer.state.values()]
    for _ in range(2):  # it can be done again and again
        trained.train(4)
        trained.optimizer.param_groups[0]["lr"] = 7.0
        trained.finder.reset()
        torch.testing.assert_close([dict(trained.model.state_dict()), trained.scaler.state_dict()], state)
        found = [s["momentum_buffer"] for s in trained.optimizer.state.values()]
        torch.testing.assert_close(found, momenta, rtol=0, atol=0)
        assert trained.optimizer.param_groups[0]["lr"] == 1e-4
    del trained
    assert list(tmp_path.iterdir()) == []


def test_the_log_has_raw_losses_and_a_suggestion_of_ours() -> None:
    raw = finder_of(ours, smooth_f=0, num_iter=120, diverge_th=math.inf).history
    finder = finder_of(ours, num_iter=120)
    assert finder.log.loss.tolist() == raw["loss"][: len(finder.log)]
    assert finder.log.lr.tolist() == finder.history["lr"]
    assert finder.log.step.tolist() == list(range(len(finder.log)))
    assert finder.suggestion.bounds == clrfast.analyze(finder.log).suggestion.bounds
    assert 1e-4 < finder.suggestion.max_lr < 10


def test_a_finder_without_a_test_has_an_empty_log_and_no_suggestion() -> None:
    finder = ours.LRFinder(*experiment(), F.cross_entropy)
    assert len(finder.log) == 0
    with pytest.raises(ValueError, match="rates"):
        _ = finder.suggestion


def test_an_optimizer_may_have_a_scheduler(theirs: ModuleType) -> None:
    model, optimizer = experiment()
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    with pytest.raises(RuntimeError, match="scheduler"):
        theirs.LRFinder(model, optimizer, F.cross_entropy)
    before = fingerprint(optimizer)
    ours.LRFinder(model, optimizer, F.cross_entropy).range_test(loader(), num_iter=10)
    assert fingerprint(optimizer) == before
    assert scheduler.get_last_lr() == [1e-4]


def constant(values: Any) -> Any:
    """A loss that has these values, whatever is learned."""
    left = iter(values)
    return lambda outputs, labels: outputs.mean() * 0 + next(left)


def test_losses_below_0_do_not_stop_it_as_they_stop_theirs(theirs: ModuleType) -> None:
    values = [*np.linspace(1.0, -3.0, 30), *np.linspace(-3.0, -2.0, 10)]
    found = []
    for module in (ours, theirs):
        finder = module.LRFinder(*experiment(), constant(values))
        finder.range_test(loader(), num_iter=40)
        found.append(len(finder.history["loss"]))
    assert found[0] == 40
    assert found[1] < 30


def test_nan_ends_it_and_is_no_suggestion(theirs: ModuleType) -> None:
    values = [*np.linspace(3.0, 2.0, 25), *[math.nan] * 5]
    finder = ours.LRFinder(*experiment(), constant(values))
    finder.range_test(loader(), num_iter=30)
    assert len(finder.log) == len(finder.history["loss"]) == 26
    assert "nan" in finder.log.status
    _, lr = finder.plot(skip_start=0, skip_end=0, ax=plt.subplots()[1])
    assert lr in finder.history["lr"][:25]
    other = theirs.LRFinder(*experiment(), constant(values))
    other.range_test(loader(), num_iter=30)
    assert len(other.history["loss"]) == 30
    _, lr = other.plot(skip_start=0, skip_end=0, ax=plt.subplots()[1])
    assert lr in other.history["lr"][24:]


def test_what_users_override_is_called() -> None:
    class Finder(ours.LRFinder):
        moved = validated = trained = 0

        def _move_to_device(self, inputs: Any, labels: Any, non_blocking: bool = True) -> tuple[Any, Any]:
            self.moved += 1
            return super()._move_to_device(inputs, labels, non_blocking=non_blocking)

        def _validate(self, val_iter: Any, non_blocking_transfer: bool = True) -> float:
            self.validated += 1
            return super()._validate(val_iter, non_blocking_transfer=non_blocking_transfer)

        def _train_batch(self, train_iter: Any, accumulation_steps: int, **options: Any) -> float:
            self.trained += 1
            return super()._train_batch(train_iter, accumulation_steps, **options)

    finder = Finder(*experiment(), F.cross_entropy)
    finder.range_test(loader(), DataLoader(data(16), 8), num_iter=10, accumulation_steps=2)
    assert (finder.trained, finder.validated, finder.moved) == (10, 10, 10 * (2 + 2))


def test_rates_in_tensors_are_filled() -> None:
    model, _ = experiment()
    rate = torch.tensor(1e-3)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    finder = ours.LRFinder(model, optimizer, F.cross_entropy)
    finder.range_test(loader(), num_iter=10)
    assert optimizer.param_groups[0]["lr"] is rate
    assert rate == torch.tensor(1e-3)
    np.testing.assert_allclose(finder.history["lr"], np.geomspace(1e-3, 10, 10), rtol=1e-6)


class Counting(Dataset[Any]):
    """A data set that counts what was asked of it."""

    def __init__(self) -> None:
        self.asked = 0

    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        self.asked += 1
        return torch.zeros(8), 0


@pytest.mark.parametrize("given", [False, True])
def test_data_sets_are_put_back_too(given: bool) -> None:
    sets = Counting(), Counting()
    loaders: Any = [DataLoader(each, batch_size=8) for each in sets]
    if given:
        loaders = ours.TrainDataLoaderIter(loaders[0]), ours.ValDataLoaderIter(loaders[1])
    finder = ours.LRFinder(*experiment(), F.cross_entropy)
    finder.range_test(*loaders, num_iter=5)
    assert [each.asked for each in sets] == [0, 0]


WRONG: dict[str, tuple[type[Exception], str, dict[str, Any]]] = {
    "num_iter": (ValueError, "num_iter must be an integer from 2", {"num_iter": 1}),
    "step_mode": (ValueError, "step_mode must be one of 'exp', 'linear', got 'cos'", {"step_mode": "cos"}),
    "smooth_f": (ValueError, "smooth_f must be finite and >= 0 and < 1, got 1", {"smooth_f": 1}),
    "diverge_th": (ValueError, "diverge_th must be finite and > 0, got 0", {"diverge_th": 0}),
    "start_lr": (ValueError, r"start_lr\[0\] must be finite and > 0, got -1", {"start_lr": -1}),
    "a list": (
        ValueError,
        "start_lr must be one number, or one for each of 1 groups, got 2",
        {"start_lr": [0.1, 0.2]},
    ),
    "end_lr": (ValueError, r"end_lr\[0\] must be finite and > 0.0001, got 0", {"end_lr": 0}),
    "accumulation": (ValueError, "accumulation_steps must be an integer from 1", {"accumulation_steps": 0}),
    "train_loader": (ValueError, "`train_loader` has unsupported type.*got list", {"train": lambda _: [1]}),
    "val_loader": (ValueError, "`val_loader` has unsupported type.*got list", {"val_loader": lambda _: [1]}),
    "batches": (
        ValueError,
        "a batch must be a list or tuple.*got dict",
        {"train": lambda _: loader(names=True)},
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_argument_is_named(wrong: str) -> None:
    kind, message, options = WRONG[wrong]
    with pytest.raises(kind, match=message):
        finder_of(ours, **options)


@pytest.mark.parametrize(
    ("message", "options"),
    [
        ("amp_backend must be None or 'torch', got 'apex'", {"amp_backend": "apex"}),
        ("amp_backend must be one of None, 'torch', got 'x'", {"amp_backend": "x"}),
        ("grad_scaler must be a gradient scaler", {"amp_backend": "torch"}),
        ("cache_dir must be a folder", {"cache_dir": "/there/is/none"}),
    ],
)
def test_a_finder_that_cannot_be_is_not_made(message: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=message):
        ours.LRFinder(*experiment(), F.cross_entropy, **options)


def test_a_suggestion_needs_two_steps(theirs: ModuleType) -> None:
    for module in (ours, theirs):
        with pytest.raises(RuntimeError, match=r"Need at least 17 .* 12"):
            finder_of(module, num_iter=12).plot(ax=plt.subplots()[1])
    with pytest.raises(ValueError, match="skip_start must be an integer from 0"):
        finder_of(ours).plot(skip_start=-1)
