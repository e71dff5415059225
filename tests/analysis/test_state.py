"""One state, however its rows come: one answer."""

from __future__ import annotations

import math
import os
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clrfast.analysis import State, analyze
from states import assert_same, log


@given(
    cuts=st.lists(st.integers(0, 5000), max_size=6),
    order=st.randoms(use_true_random=False),
    offset=st.sampled_from([0.0, 1e6, -1e6]),
)
@settings(max_examples=30, deadline=None)
def test_any_cut_and_any_grouping(cuts, order, offset):
    lr, loss = log(bad=(17, 4990, 4991))
    loss = loss + offset
    edges = [0, *sorted(cuts), 5000]
    parts = []
    for start, stop in zip(edges, edges[1:]):
        part = State(first_step=start)
        part.add(lr[start:stop], loss[start:stop])
        parts.append(part)
    order.shuffle(parts)
    while len(parts) > 1:
        one = parts.pop(order.randrange(len(parts)))
        parts[order.randrange(len(parts))].merge(one)
    # The losses themselves carry no more digits than their offset leaves them.
    assert_same(analyze(lr, loss), parts[0].analyze(), rtol=1e-9 if offset == 0 else 1e-7)


def steps(state):
    """The first and the last step of each cell, and the next step: what an analysis hardly shows."""
    cells = np.frombuffer(state.to_bytes()[48:], "<i8").reshape(-1, 8)
    return state.to_bytes()[8:16], cells[:, 6:].tolist()


def test_parts_that_counted_from_zero_are_appended():
    lr, loss = log(bad=(17, 4990))
    whole, parts = State(), State()
    whole.add(lr, loss)
    for start, stop in ((0, 1200), (1200, 1200), (1200, 5000)):
        part = State()
        part.add(lr[start:stop], loss[start:stop])
        parts.append(part)
    assert_same(whole.analyze(), parts.analyze())
    assert steps(whole) == steps(parts)
    whole.add(lr, loss)
    parts.append(parts)
    assert_same(whole.analyze(), parts.analyze())
    assert steps(whole) == steps(parts)


def test_a_live_loop_gives_the_answer_of_the_whole_log():
    lr, loss = log(rows=600, bad=(3, 599))
    state = State()
    for rate, value in zip(lr.tolist(), loss.tolist()):
        state.add(rate, value)
    assert_same(analyze(lr, loss), state.analyze())


def test_one_row_of_any_kind():
    torch = pytest.importorskip("torch")
    state = State()
    state.add(0.1, 2)
    state.add(np.float32(0.2), np.array(2.0))
    state.add(torch.tensor(0.3), torch.tensor(2.0, requires_grad=True))
    state.add([0.4], [math.nan])
    assert state.n == 4
    assert repr(state) == "<State of 4 rows, rates 0.1 to 0.4>"


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_any_number_of_threads(threads):
    lr, loss = log(rows=600_000, bad=range(590_000, 600_000))
    assert_same(analyze(lr, loss, threads=1), analyze(lr, loss, threads=threads))


@pytest.mark.parametrize("shape", ["contiguous", "strided", "reversed"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_any_layout(dtype, shape):
    lr, loss = (column.astype(dtype) for column in log())
    wanted = analyze(lr.astype(float), loss.astype(float))
    if shape == "strided":
        table = np.stack([lr, loss, loss], axis=1)
        lr, loss = table[:, 0], table[:, 2]
    elif shape == "reversed":
        lr, loss = lr[::-1].copy()[::-1], loss[::-1].copy()[::-1]
    assert_same(wanted, analyze(lr, loss))


def test_unaligned_columns():
    lr, loss = log(rows=300)
    packed = np.zeros(300, dtype=[("tag", "u1"), ("lr", "f8"), ("loss", "f4")])
    packed["lr"], packed["loss"] = lr, loss
    assert_same(analyze(lr, loss.astype("f4")), analyze(packed["lr"], packed["loss"]))


def test_bytes_and_pickle_round_trip():
    lr, loss = log(bad=(4999,))
    state = State(first_step=-5)
    state.add(lr, loss)
    for copy in (State.from_bytes(state.to_bytes()), pickle.loads(pickle.dumps(state))):
        assert copy.to_bytes() == state.to_bytes()
        assert_same(state.analyze(), copy.analyze())
        copy.add(lr, loss)
        assert (copy.n, state.n) == (10_000, 5000)
    empty = State.from_bytes(State().to_bytes())
    assert (empty.n, repr(empty)) == (0, "<State of no rows>")


def test_another_format_is_refused_by_name():
    newer = bytearray(State().to_bytes())
    assert newer[:8] == b"clrfast\x02"
    newer[7] = 3
    message = "data is a State of format 3, written by a newer clrfast: this one reads up to 2"
    for size in (8, 20, len(newer)):  # whatever follows
        with pytest.raises(ValueError, match=message):
            State.from_bytes(bytes(newer[:size]))
    older = bytes(8) + b"clrfast\x01"  # as before there were releases
    with pytest.raises(ValueError, match=r"data must be what State.to_bytes\(\) gave"):
        State.from_bytes(older)


def test_a_state_merged_with_itself_is_refused_before_it_overflows():
    state = State()
    state.add(*log(rows=100))
    merges = 0
    while state.n <= 2**52:
        state.merge(state)
        merges += 1
        assert state.n == 100 * 2**merges
    before = state.to_bytes()
    with pytest.raises(ValueError, match=r"a State must hold at most 2\*\*53 rows, got \d+ and \d+ more"):
        state.merge(state)
    assert state.to_bytes() == before
    with pytest.raises(ValueError, match="at most"):
        state.append(state)
    assert pickle.loads(pickle.dumps(state)).to_bytes() == before
    assert state.analyze().n == state.n


@pytest.mark.parametrize("first_step", [-(2**53), 2**53 - 100, 2**52, -(2**52) - 1])
def test_steps_far_from_zero_are_kept_or_refused(first_step):
    lr, loss = log(rows=100)
    state = State(first_step=first_step)
    state.add(lr[:1].item(), loss[:1].item())
    state.add(lr[1:], loss[1:])
    before = state.to_bytes()
    assert pickle.loads(pickle.dumps(state)).to_bytes() == before
    further = State(first_step=first_step)
    further.add(lr, loss)
    calls = [
        lambda: state.add(0.1, 1.0, step=2**53),
        lambda: state.add(lr, loss, step=2**53 - 99),
        lambda: state.add(lr, loss, step=-(2**53) - 1),
        lambda: state.add(0.1, 1.0, step=2**70),
    ]
    if abs(first_step) > 2**52 + 1:  # twice that is too far
        calls.append(lambda: state.append(further))
    for call in calls:
        with pytest.raises(ValueError, match="step"):
            call()
        assert state.to_bytes() == before


def test_rows_of_float32_give_the_bits_of_float64():
    lr, loss = (column.astype(np.float32) for column in log(bad=(17, 4000)))
    states = []
    for kinds in (
        (np.float64, np.float64),
        (np.float64, np.float32),
        (np.float32, np.float64),
        (np.float32,) * 2,
    ):
        states.append(State())
        states[-1].add(lr.astype(kinds[0]), loss.astype(kinds[1]))
    assert len({state.to_bytes() for state in states}) == 1
    smoothed = analyze(lr, loss).smoothed
    np.testing.assert_array_equal(smoothed, analyze(lr.astype(float), loss.astype(float)).smoothed)


def test_size_does_not_grow_with_the_rows():
    state, lr_loss = State(), log()
    state.add(*lr_loss)
    size = len(state.to_bytes())
    for _ in range(20):
        state.add(*lr_loss)
    assert len(state.to_bytes()) == size


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_damaged_bytes_are_refused_or_harmless(data):
    state = State()
    state.add(*log(rows=40))
    good = state.to_bytes()
    damaged = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.sampled_from([len(good), len(good) - 1, len(good) - 64, 40, 8, 0]))
    try:
        copy = State.from_bytes(bytes(damaged[:cut]))
    except ValueError:
        return
    assert copy.n >= 0
    copy.merge(state)
    copy.analyze()


def test_errors_change_nothing():
    state = State()
    lr, loss = log(rows=100)
    state.add(lr, loss)
    before = state.to_bytes()
    worse = lr.copy()
    worse[-1] = -1
    for bad_call in (
        lambda: state.add(worse, loss),
        lambda: state.add(lr, loss[:-1]),
        lambda: state.add(0.0, 1.0),
        lambda: state.add(math.nan, 1.0),
        lambda: state.add(lr, loss, step=2**60),
        lambda: state.add(lr, loss, threads=0),
        lambda: State(first_step=-(2**60)),
    ):
        with pytest.raises(ValueError, match=r"lr|step|threads"):
            bad_call()
    for bad_call in (state.merge, state.append):
        with pytest.raises(TypeError, match="other must be a State, got int"):
            bad_call(3)
    with pytest.raises(ValueError, match=r"steps must stay from -2\*\*53 to 2\*\*53"):
        state.append(State(first_step=2**53))
    with pytest.raises(TypeError):
        state.add(lr, loss, step=1.5)
    assert state.to_bytes() == before


def test_several_threads_share_a_state():
    lr, loss = log(rows=4000)
    state = State()
    workers = [
        threading.Thread(target=lambda k=k: [state.add(lr[k::8], loss[k::8]) for _ in range(20)])
        for k in range(8)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert state.n == 20 * 4000
    once = analyze(lr, loss)
    np.testing.assert_allclose(state.analyze().grid_lr, once.grid_lr, rtol=1e-9)


def test_every_instruction_set_gives_the_same_bits():
    program = """
import sys
import numpy as np

from clrfast import _core
from clrfast.analysis import State, analyze
rng = np.random.default_rng(0)
lr = np.geomspace(1e-5, 1, 50_003)
loss = rng.standard_normal(50_003)
loss[rng.integers(0, 50_003, 40)] = np.nan
state = State()
for rows in (slice(None), slice(0, 999), slice(None, None, 7)):
    for kind in ("f8", "f4"):
        state.add(lr[rows].astype(kind), loss[rows].astype(kind))
        state.add(lr[rows], loss[rows].astype(kind))
        state.add(lr[rows].astype(kind), loss[rows])
smooth = rng.standard_normal(50_003)
averages = [_core.ema(smooth.astype(kind), 0.98).tobytes() for kind in ("f8", "f4")]
found = analyze(np.geomspace(1e-5, 1, 3000), np.tanh(np.linspace(9, -9, 3000)) + 0.1 * smooth[:3000])
curve = [found.grid_loss, found.grid_loss_se, found.grid_slope, found.grid_slope_se]
sys.stdout.buffer.write(state.to_bytes() + b"".join(averages) + np.stack(curve).tobytes())
"""
    outputs = {}
    for level in ("base", "v3", "v4"):
        run = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            env={**os.environ, "CLRFAST_CPU": level},
            check=False,
        )
        if run.returncode != 0:
            assert b"CLRFAST_CPU" in run.stderr, run.stderr.decode()  # not on this machine
            continue
        outputs[level] = run.stdout
    assert len(outputs["base"]) > 50_003 * 8
    assert len(set(outputs.values())) == 1
