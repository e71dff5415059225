"""TensorBoard's event files: every scalar that its own reader finds, whatever befell the file."""

from __future__ import annotations

import math
import struct
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clrfast import _core, logs

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

SAMPLE = Path(__file__).parents[1] / "data" / "events.out.tfevents.torch"


def writer_in(folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("torch.utils.tensorboard").SummaryWriter(str(folder))


def write(
    folder: Path, steps: range, *, new_style: bool = False, others: bool = False
) -> tuple[np.ndarray, ...]:
    """Write a run as a training loop does; return its rates and losses in the files' single precision."""
    random = np.random.default_rng(steps.start)
    lr = np.geomspace(1e-6, 1, len(steps)).astype(np.float32)
    loss = random.normal(2, 1, len(steps)).astype(np.float32)
    loss[-3:] = [np.nan, np.inf, -np.inf]
    writer = writer_in(folder)
    for i, step in enumerate(steps):
        writer.add_scalar("lr", lr[i], step, new_style=new_style)
        writer.add_scalar("train/loss", loss[i], step, new_style=new_style)
        if others and i % 50 == 0:
            writer.add_scalar("val/loss", 9, step)
            writer.add_histogram("weights", np.arange(100.0), step)
            writer.add_image("picture", np.zeros((3, 8, 8)), step)
            writer.add_text("note", "lr loss", step)
    writer.close()
    return lr.astype(np.float64), loss.astype(np.float64)


@pytest.mark.parametrize("new_style", [False, True])
def test_gives_what_was_written(new_style: bool, tmp_path: Path) -> None:
    lr, loss = write(tmp_path, range(1, 801), new_style=new_style, others=True)
    (file,) = tmp_path.iterdir()
    for path in (file, tmp_path):
        log = logs.read(path)
        np.testing.assert_array_equal(log.lr, lr)
        np.testing.assert_array_equal(log.loss, loss)
        assert log.step is not None
        assert log.step.tolist() == list(range(1, 801))
        assert log.problems == ()
    assert log.status == f"Read 800 rows of 'lr' and 'train/loss' from {tmp_path}."


@pytest.mark.parametrize("new_style", [False, True])
def test_agrees_with_tensorboard_s_own_reader(new_style: bool, tmp_path: Path) -> None:
    write(tmp_path, range(300), new_style=new_style, others=True)
    theirs = EventAccumulator(str(tmp_path), size_guidance={"scalars": 0, "tensors": 0}).Reload()
    log = logs.read(tmp_path, loss="train/loss")
    if new_style:
        values = [event.tensor_proto.float_val[0] for event in theirs.Tensors("train/loss")]
    else:
        values = [event.value for event in theirs.Scalars("train/loss")]
    np.testing.assert_array_equal(log.loss, values)


def test_reads_the_shipped_sample() -> None:
    log = logs.read(SAMPLE)
    np.testing.assert_allclose(log.lr, np.geomspace(1e-4, 1, 12), rtol=1e-7)
    np.testing.assert_allclose(log.loss, 2.5 - np.arange(12) / 10, rtol=1e-6)
    assert log.step is not None
    assert log.step.tolist() == list(range(12))


def test_steps_with_one_of_both_are_left_out(tmp_path: Path) -> None:
    writer = writer_in(tmp_path)
    for step in range(10):
        writer.add_scalar("lr", step + 1, step)
        if step % 2:
            writer.add_scalar("loss", -step, step)
    writer.add_scalar("loss", 1, 99)
    writer.close()
    log = logs.read(tmp_path)
    assert log.lr.tolist() == [2, 4, 6, 8, 10]
    assert log.loss.tolist() == [-1, -3, -5, -7, -9]


def test_a_folder_s_files_are_one_run_and_folders_are_runs(tmp_path: Path) -> None:
    first, _ = write(tmp_path / "a", range(100))
    (file,) = (tmp_path / "a").iterdir()
    file.rename(tmp_path / "a" / "events.out.tfevents.1")
    second, _ = write(tmp_path / "a", range(100, 200))
    third, _ = write(tmp_path / "b", range(50))
    log = logs.read(tmp_path)
    assert len(log.runs) == 2
    assert log.runs[0] == "a"
    parts = list(log.split().values())
    np.testing.assert_array_equal(parts[0].lr, [*first, *second])
    np.testing.assert_array_equal(parts[1].lr, third)


@pytest.mark.parametrize("block", [7, 100, 5000])
def test_blocks_may_end_anywhere(block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lr, loss = write(tmp_path, range(200), new_style=True, others=True)
    monkeypatch.setattr("clrfast.logs._readers._limits.BLOCK", block)
    log = logs.read(tmp_path)
    if block < 50:  # the scalars of a step must be in neighbouring blocks
        assert set(log.lr) <= set(lr)
    else:
        np.testing.assert_array_equal(log.lr, lr)
        np.testing.assert_array_equal(log.loss, loss)


def test_a_live_file_is_read_up_to_its_last_record(tmp_path: Path) -> None:
    lr, _ = write(tmp_path, range(100))
    (file,) = tmp_path.iterdir()
    data = file.read_bytes()
    file.write_bytes(data[:-5])
    with pytest.warns(
        logs.ReadWarning, match=r"the last record is cut short after \d+ bytes; the first at byte \d+"
    ):
        log = logs.read(tmp_path)
    assert len(log.problems) == 1
    np.testing.assert_array_equal(log.lr, lr[:-1])


def test_damage_costs_the_records_it_hits(tmp_path: Path) -> None:
    lr, loss = write(tmp_path, range(100))
    (file,) = tmp_path.iterdir()
    data = bytearray(file.read_bytes())
    starts = [0]
    while starts[-1] < len(data):
        starts.append(starts[-1] + 16 + struct.unpack_from("<Q", data, starts[-1])[0])
    data[starts[21] + 20] ^= 1  # data of a rate: record 0 is the file's version
    data[starts[42] + 2] ^= 1  # length of a loss
    file.write_bytes(data)
    message = (
        rf"1 damaged records left out, {starts[43] - starts[42]} bytes skipped that are no record; "
        rf"the first at byte {starts[21]:,}"
    )
    with pytest.warns(logs.ReadWarning, match=message):
        log = logs.read(file)
    kept = np.delete(np.arange(100), [10, 20])
    np.testing.assert_array_equal(log.lr, lr[kept])
    np.testing.assert_array_equal(log.loss, loss[kept])


@pytest.mark.parametrize("content", [b"", b"lr,loss\n1,2\n", bytes(1000)])
def test_what_is_no_event_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.x"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"tfevents\.x: not an event file: no record in it is sound"):
        logs.read(path)


def test_unknown_tags_and_runs_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no column has the name 'x'; .*: 'step', 'lr', 'train/loss'$"):
        logs.read(SAMPLE, loss="x")
    with pytest.raises(ValueError, match="an event file has no column of runs"):
        logs.read(SAMPLE, run="step")


@given(
    flips=st.lists(st.tuples(st.integers(0, 1247), st.integers(0, 255)), max_size=4),
    end=st.integers(0, 1248) | st.just(1248),
    piece=st.integers(1, 1300),
)
def test_any_damage_gives_scalars_that_were_written(
    flips: list[tuple[int, int]], end: int, piece: int
) -> None:
    """The core below: checksums let nothing false through, and every byte is accounted for."""
    data = bytearray(SAMPLE.read_bytes())
    sound = _core.EventReader([b"lr", b"train/loss"])
    written = set(zip(*(column.tolist() for column in sound.feed(bytes(data)))))
    for place, value in flips:
        data[place] = value
    data = data[:end]
    reader = _core.EventReader([b"lr", b"train/loss"])
    found: list[tuple[float, ...]] = []
    for begin in range(0, len(data), piece):
        found += zip(*(column.tolist() for column in reader.feed(bytes(data[begin : begin + piece]))))
    reader.finish()
    assert set(found) <= written
    assert len(found) == len(set(found))
    report = reader.report()
    assert report["records"] >= len(found)
    if not any((report["damaged_records"], report["skipped_bytes"], report["cut_short_bytes"])):
        assert bytes(data) == SAMPLE.read_bytes()[: len(data)]


def test_nan_losses_are_kept_when_rows_are_joined(tmp_path: Path) -> None:
    _, loss = write(tmp_path, range(10))
    assert math.isnan(logs.read(tmp_path).loss[-3]) == math.isnan(loss[-3])
    assert np.isinf(logs.read(tmp_path).loss[-2:]).all()


def test_one_reader_may_be_fed_by_several_threads() -> None:
    """Whole files, so that their order does not matter."""
    data = SAMPLE.read_bytes()
    reader = _core.EventReader([b"lr", b"train/loss"])
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(reader.feed, [data] * 200))
    assert sum(len(tag) for tag, _, _ in found) == 200 * 24
    assert reader.report()["records"] == 200 * 25
