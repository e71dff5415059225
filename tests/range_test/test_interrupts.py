"""Whatever interrupts a range test, and whenever: nothing is left changed, and nothing is lost."""

from __future__ import annotations

import contextlib
import ctypes
import random
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F

import clrfast
import interrupts
from clrfast._range_test._context import RangeTest
from clrfast._range_test._snapshot import Snapshot
from experiments import batches, fingerprint, generators, make, run, train


@pytest.fixture
def terminated() -> Iterator[list[int]]:
    """A handler of SIGTERM, as a cluster's job has, that only takes note."""
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    yield heard
    signal.signal(signal.SIGTERM, before)


# Where Python clears up a generator, it cannot raise, and says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("twice", [False, True], ids=["one", "two"])
@pytest.mark.parametrize("part", interrupts.PARTS)
def test_survives_signals_anywhere(part: str, twice: bool) -> None:
    assert interrupts.survey(60, part, twice, steps=3) == []


def test_the_survey_finds_damage() -> None:
    def careless(model: Any, optimizer: Any, loss_fn: Any, loader: Any, **options: Any) -> None:
        train(model, optimizer, loader, 1)

    with torch.enable_grad():  # which puts back what an interrupted no_grad leaves
        assert len(interrupts.survey(10, "torch", False, careless)) > 5


@pytest.mark.parametrize("error", [RuntimeError, MemoryError])
@pytest.mark.parametrize("method", ["clone", "copy_", "detach", "item", "backward"])
def test_survives_each_failure_of_tensors(
    method: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = getattr(torch.Tensor, method)
    calls, fails_at = 0, 0

    def failing(self: torch.Tensor, *args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == fails_at:
            raise error("no memory")
        return original(self, *args, **options)

    while fails_at <= calls:
        model, optimizer = make(optimizer="adam")
        before = fingerprint(model), fingerprint(optimizer), generators()
        calls, fails_at = 0, fails_at + 1
        with monkeypatch.context() as patched:
            patched.setattr(torch.Tensor, method, failing)
            try:
                run(model, optimizer, steps=12)
            except error as raised:
                assert str(raised) == "no memory"  # noqa: PT017
        assert before == (fingerprint(model), fingerprint(optimizer), generators())
    assert fails_at > 1


def test_says_so_where_it_cannot_be_put_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    model, optimizer = make()

    def fail(*args: Any) -> None:
        raise RuntimeError("the device is gone")

    def step(batch: Any) -> float:
        loss = train(model, optimizer, [batch], 1)[0]
        monkeypatch.setattr(torch.Tensor, "copy_", fail)
        return loss

    path = tmp_path / "before.pt"
    with pytest.raises(RuntimeError, match=r"could not put everything back: the device is gone") as caught:
        run(model, optimizer, loss_fn=None, train_step=step, checkpoint=path, steps=2)
    monkeypatch.undo()
    assert isinstance(caught.value.clrfast_log, clrfast.Log)
    clrfast._range_test.recover(path, model, optimizer)
    for ours, theirs in zip(model.parameters(), make()[0].parameters()):
        assert ours.equal(theirs)


def test_signals_reach_their_handlers_at_once_while_the_test_runs(terminated: list[int]) -> None:
    seen: list[int] = []

    def loss_fn(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        if len(seen) == 2:
            signal.raise_signal(signal.SIGTERM)
        seen.append(len(terminated))
        return F.cross_entropy(output, target)

    handler = signal.getsignal(signal.SIGTERM)
    assert len(run(*make(), loss_fn=loss_fn)) == 20
    assert seen == [0] * 2 + [1] * 18
    assert signal.getsignal(signal.SIGTERM) is handler


def test_signals_wait_for_the_restore(terminated: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    from clrfast._range_test._snapshot import Snapshot

    original, heard = Snapshot.restore, []

    def restore(self: Snapshot) -> Any:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            signal.raise_signal(number)
        heard.append(len(terminated))
        return original(self)

    monkeypatch.setattr(Snapshot, "restore", restore)
    model, optimizer = make()
    before = fingerprint(model), fingerprint(optimizer), generators()
    with pytest.raises(KeyboardInterrupt) as caught:
        run(model, optimizer)
    assert heard == [0]
    assert terminated == [signal.SIGTERM]
    assert len(caught.value.clrfast_log) == 20
    assert before == (fingerprint(model), fingerprint(optimizer), generators())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_that_was_swallowed_does_not_silence_the_next() -> None:
    def step(batch: Any) -> float:
        nonlocal steps
        steps += 1
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            if steps == 5:
                raise
        return 1.0

    steps = 0
    with pytest.raises(KeyboardInterrupt) as caught:
        run(*make(), loss_fn=None, train_step=step)
    assert len(caught.value.clrfast_log) == 4


def test_a_handler_that_the_test_sets_stays() -> None:
    before = signal.getsignal(signal.SIGUSR1)

    def handler(*_: Any) -> None:
        pass

    try:
        run(*make(), progress=lambda *_: signal.signal(signal.SIGUSR1, handler))
        assert signal.getsignal(signal.SIGUSR1) is handler
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_the_log_comes_with_the_exception_and_stays_on_disk(tmp_path: Any) -> None:
    def progress(now: clrfast.Progress) -> None:
        if now.step == 10:
            raise ValueError("no more")

    path = tmp_path / "log.csv"
    with pytest.raises(ValueError, match="no more") as caught:
        run(*make(), progress=progress, log_file=path)
    expected = run(*make())
    log = caught.value.clrfast_log
    assert log.status == f"Interrupted after 10 of 20 steps, at lr {log.lr[-1]:.3g}: ValueError: no more."
    assert log.loss.tolist() == expected.loss.tolist()[:10]
    assert clrfast.logs.read(path).loss.tolist() == log.loss.tolist()


def test_the_log_is_on_disk_while_the_test_runs(tmp_path: Any) -> None:
    path = tmp_path / "log.csv"
    rows = []

    def progress(now: clrfast.Progress) -> None:
        rows.append(len(clrfast.logs.read(path)) if path.exists() else 0)

    log = run(*make(), steps=25, progress=progress, log_file=path)
    assert rows == [10, 20, 25]
    assert clrfast.logs.read(path).loss.tolist() == log.loss.tolist()
    assert [file.name for file in tmp_path.iterdir()] == ["log.csv"]


class Stopped(BaseException):
    pass


def stop() -> None:
    raise Stopped


RESTORING = {method.__code__ for method in (RangeTest._leave, RangeTest._put_back, Snapshot.restore)}


def test_puts_back_wherever_that_is_cut_short() -> None:
    """As by what another thread throws into this one."""

    def thrown(at: int) -> int:
        model, optimizer = make()
        before = fingerprint(model), fingerprint(optimizer), torch.is_grad_enabled()
        test = RangeTest(model, optimizer, steps=3)
        test.__enter__()
        for x, y in test(batches(2)):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            test.record(loss)
        thrower = interrupts.BeforeInstruction(at, RESTORING.__contains__, stop)
        with contextlib.suppress(Stopped), thrower:
            test.__exit__(None, None, None)
        assert before == (fingerprint(model), fingerprint(optimizer), torch.is_grad_enabled())
        return thrower.count

    instructions = thrown(0)
    assert instructions > 100
    for at in range(1, instructions, 3):
        assert thrown(at) == at


# One that lands in a callback of the garbage collector (a library's) is reported, and not raised.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_survives_exceptions_thrown_into_its_thread() -> None:
    """As well as can be: what is thrown into the last instructions of the restore is raised after it."""
    source = random.Random(3)
    throw = ctypes.pythonapi.PyThreadState_SetAsyncExc
    interrupted = 0
    for _ in range(30):
        model, optimizer = make()
        before = fingerprint(model), fingerprint(optimizer)
        raised: list[BaseException] = []

        def work(model: Any = model, optimizer: Any = optimizer, raised: Any = raised) -> None:
            try:
                run(model, optimizer, loader=batches(2), steps=30)
            except BaseException as thrown:
                raised.append(thrown)

        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(source.uniform(0, 0.04))
        throw(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(Stopped))
        thread.join()
        assert all(isinstance(error, Stopped) for error in raised)
        interrupted += bool(raised)
        assert before == (fingerprint(model), fingerprint(optimizer))
    assert interrupted > 5
