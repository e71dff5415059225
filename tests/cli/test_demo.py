"""The demo: its numbers are what it says they are, and its data is read right."""

from __future__ import annotations

import gzip
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from clrfast import schedules
from clrfast._cli import _demo_data, main
from clrfast._cli._demo import network


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("demo") / "new" / "folder"
    with pytest.MonkeyPatch.context() as patch:
        printed: list[str] = []
        patch.setattr("clrfast._cli._main.show", printed.append)
        assert main(["demo", "--seeds", "2", "--json", "--out", str(out)]) == 0
    return out, json.loads("\n".join(printed))


def test_saves_pictures_and_a_log_that_says_the_same(
    demo: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    out, result = demo
    assert sorted(path.name for path in out.iterdir()) == [
        "range_test.csv",
        "range_test.png",
        "schedules.png",
    ]
    for picture in out.glob("*.png"):
        assert picture.read_bytes().startswith(b"\x89PNG")
    assert main(["analyze", str(out / "range_test.csv"), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again == {key: result[key] for key in again}
    assert 1e-7 < result["base_lr"] < result["max_lr"] < 10


def test_errors_are_those_of_a_plain_loop(demo: tuple[Path, dict[str, Any]]) -> None:
    _, result = demo
    base, top, steps = result["base_lr"], result["max_lr"], result["steps"]
    data = _demo_data.load("digits", None)
    assert steps == data.epochs * len(list(data.loader(0))) == 380
    expected = {
        "fixed": schedules.constant(0.01),
        "triangular": schedules.triangular(base, top, steps / 4),
        "one-cycle": schedules.one_cycle(top, steps),
    }
    assert [way["name"] for way in result["ways"]] == list(expected)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for way in result["ways"]:
        for seed, error in enumerate(way["errors"]):
            model = network(data, seed)
            optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9)
            batches = [
                batch for loader in [data.loader(seed)] for _ in range(data.epochs) for batch in loader
            ]
            for rate, (x, y) in zip(expected[way["name"]](np.arange(steps)), batches):
                optimizer.param_groups[0]["lr"] = float(rate)
                optimizer.zero_grad()
                F.cross_entropy(model(x), y).backward()
                optimizer.step()
            x, y = data.validation
            wrong = sum(int(model(row[None]).argmax()) != int(label) for row, label in zip(x, y))
            assert error == pytest.approx(100 * wrong / 597)
        assert way["mean_error"] == statistics.fmean(way["errors"])
        assert way["sd_error"] == statistics.stdev(way["errors"])
        assert len(way["seconds"]) == 2
    torch.set_num_threads(threads)


def test_prints_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_fashion(tmp_path / "FashionMNIST" / "raw", compressed=True)
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--data", "fashion", "--data-dir", ".", "--seeds", "1"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    head = next(i for i, line in enumerate(lines) if line.split()[:3] == ["rate", "mean", "sd"])
    assert [line.split()[0] for line in lines[head + 1 : head + 4]] == ["fixed", "triangular", "one-cycle"]
    assert "after 8 steps" in out
    assert "range test: " in err
    assert Path("clrfast-demo/schedules.png").exists()


def test_digits_are_cut_once_and_shuffled_by_seed() -> None:
    data = _demo_data.load("digits", None)
    x, y = data.train.tensors
    both = torch.cat([x, data.validation[0]])
    assert both.shape == (1797, 64)
    assert both.min() == 0
    assert both.max() == 1
    assert len(torch.unique(y)) == 10
    orders = [torch.cat([labels for _, labels in data.loader(seed)]) for seed in (0, 0, 1)]
    assert torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0], orders[2])
    assert torch.equal(orders[0].sort().values, y.sort().values)


def write_idx(path: Path, array: np.ndarray[Any, Any], compressed: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()
    if compressed:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(content))
    else:
        path.write_bytes(content)


def write_fashion(folder: Path, compressed: bool) -> list[np.ndarray[Any, Any]]:
    source = np.random.default_rng(0)
    arrays = []
    for part, count in (("train", 500), ("t10k", 40)):
        labels = source.integers(10, size=count, dtype=np.uint8)
        images = source.integers(100, size=(count, 4, 5), dtype=np.uint8)
        images[np.arange(count), labels % 4, labels % 5] = 255
        write_idx(folder / f"{part}-images-idx3-ubyte", images, compressed)
        write_idx(folder / f"{part}-labels-idx1-ubyte", labels, compressed)
        arrays += [images, labels]
    return arrays


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("below", [".", "FashionMNIST/raw"])
def test_reads_fashion_mnist_as_it_is_shipped(compressed: bool, below: str, tmp_path: Path) -> None:
    arrays = write_fashion(tmp_path / below, compressed)
    data = _demo_data.load("fashion", tmp_path)
    found = [*data.train.tensors, *data.validation]
    for array, tensor in zip(arrays, found):
        expected = array.reshape(len(array), -1) / 255 if array.ndim == 3 else array
        np.testing.assert_allclose(tensor.numpy(), expected, rtol=1e-7)
    assert [tensor.dtype for tensor in found] == [torch.float32, torch.int64] * 2


def test_says_where_it_looked_for_fashion_mnist(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--data", "fashion", "--data-dir", str(tmp_path / "none")]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    for part in (str(tmp_path / "none"), "train-images-idx3-ubyte", "dataset-fashion-mnist", "--data-dir"):
        assert part in err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t10k-labels-idx1-ubyte", b"\x00\x00\x08\x01\x00\x00\x00\x05abc", "3 bytes of data, not 5"),
        ("t10k-labels-idx1-ubyte", b"nonsense", "not an IDX file"),
        ("t10k-labels-idx1-ubyte", b"", "not an IDX file"),
        ("t10k-labels-idx1-ubyte", b"\x00\x00\x08\x03\x00", "not an IDX file"),
        ("t10k-labels-idx1-ubyte.gz", b"nonsense", "damaged"),
        ("t10k-labels-idx1-ubyte.gz", gzip.compress(b"nonsense" * 100)[:30], "damaged"),
    ],
)
def test_a_damaged_file_is_named(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    write_fashion(tmp_path, compressed=False)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}: .*{message}"):
        _demo_data.load("fashion", tmp_path)
