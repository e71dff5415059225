"""The state before a range test stands on disk while it runs, and comes back after a kill."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
import torch
from torch import nn

import clrfast
from clrfast.__main__ import main
from clrfast._range_test import recover
from experiments import OPTIMIZERS, batches, dense, fingerprint, make, run, train

KILLED = """
import os, signal, sys
import torch
from experiments import make, run, train
model, optimizer = make(optimizer=sys.argv[2])
torch.save([model.state_dict(), optimizer.state_dict()], sys.argv[1] + ".expected")
run(model, optimizer, checkpoint=sys.argv[1], log_file=sys.argv[1] + ".csv",
    progress=lambda now: now.step == 10 and os.kill(os.getpid(), signal.SIGKILL))
"""


def values(model: nn.Module, optimizer: torch.optim.Optimizer) -> Any:
    def plain(state: Any) -> Any:
        if isinstance(state, torch.Tensor):
            return state.tolist()
        if isinstance(state, dict):
            return {key: plain(value) for key, value in state.items()}
        return [plain(value) for value in state] if isinstance(state, (list, tuple)) else state

    return plain(model.state_dict()), plain(optimizer.state_dict())


@pytest.mark.parametrize("optimizer", ["momentum", "adam, tensor rate", "lbfgs"])
def test_comes_back_after_a_kill(tmp_path: Path, optimizer: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "before.pt"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), optimizer], cwd=Path(__file__).parents[1], check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert len(clrfast.logs.read(f"{path}.csv")) == 10
    expected = torch.load(f"{path}.expected", weights_only=True)

    fresh = dense(torch.float32)
    tuned = OPTIMIZERS[optimizer](fresh.parameters())
    kept = fresh.state_dict(keep_vars=True)["0.weight"], tuned.param_groups[0]
    recover(path, fresh, tuned)
    model, original = make(optimizer=optimizer)
    assert values(fresh, tuned) == values(model, original)
    assert kept[0] is fresh.state_dict(keep_vars=True)["0.weight"]

    assert main(["recover", str(path)]) == 0
    assert capsys.readouterr().out.split() == [f"{path}.model.pt", f"{path}.optimizer.pt"]
    for name, state in zip(("model", "optimizer"), expected):
        found = torch.load(f"{path}.{name}.pt", weights_only=True)
        assert str(found) == str({**state})
    assert main(["recover", str(path)]) == 1
    assert "--out must be a folder without before.pt.model.pt" in capsys.readouterr().err


@pytest.mark.parametrize("how", ["runs", "raises"])
def test_is_there_during_the_test_alone(tmp_path: Path, how: str) -> None:
    path = tmp_path / "before.pt"
    there = []

    def progress(now: clrfast.Progress) -> None:
        there.append([file.name for file in tmp_path.iterdir()])
        if how == "raises" and now.step == 10:
            raise KeyboardInterrupt

    model, optimizer = make()
    before = fingerprint(model), fingerprint(optimizer)
    if how == "runs":
        run(model, optimizer, progress=progress, checkpoint=path)
    else:
        with pytest.raises(KeyboardInterrupt):
            run(model, optimizer, progress=progress, checkpoint=path)
    assert there == [["before.pt"]] * len(there)
    assert list(tmp_path.iterdir()) == []
    assert before == (fingerprint(model), fingerprint(optimizer))


def test_an_interrupt_while_it_is_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(state: Any, file: BinaryIO) -> None:
        file.write(b"half")
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(KeyboardInterrupt):
        run(*make(), checkpoint=tmp_path / "before.pt")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_test_left_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "before.pt"
    path.write_bytes(b"precious")
    with pytest.raises(FileExistsError, match=r"checkpoint must be a new file, got .* see 'clrfast recover'"):
        run(*make(), checkpoint=path)
    assert path.read_bytes() == b"precious"
    with pytest.raises(FileNotFoundError, match="checkpoint must be in a folder that is there, got"):
        run(*make(), checkpoint=tmp_path / "no" / "before.pt")


def saved(tmp_path: Path, model: nn.Module, optimizer: Any, **options: Any) -> Path:
    path, copy = tmp_path / "before.pt", tmp_path / "copy.pt"
    run(
        *(model, optimizer),
        checkpoint=path,
        progress=lambda *_: copy.write_bytes(path.read_bytes()),
        steps=2,
        **options,
    )
    return copy


def test_holds_buffers_that_no_state_has_and_further_objects(tmp_path: Path) -> None:
    model, optimizer = make()
    model.register_buffer("hidden", torch.arange(3.0), persistent=False)
    other, second = make(optimizer="adam")
    scheduler = torch.optim.lr_scheduler.StepLR(second, 3)
    optimizer.param_groups[0]["note"] = np.float64(0.5)
    path = saved(tmp_path, torch.compile(model, backend="eager"), optimizer, also=[other, second, scheduler])
    expected = values(model, optimizer), values(other, second), model.hidden.tolist()
    with torch.no_grad():
        model.hidden.zero_()
        for parameter in (*model.parameters(), *other.parameters()):
            parameter.zero_()
    train(other, second, batches(), 2)
    scheduler.step()
    recover(path, model, optimizer, also=[other, second, scheduler])
    assert expected == (values(model, optimizer), values(other, second), model.hidden.tolist())
    assert scheduler.last_epoch == 0
    with pytest.raises(ValueError, match="also must hold 3 objects, as the file does, got 1"):
        recover(path, model, optimizer, also=[other])


class Odd:
    pass


def test_refuses_a_state_that_no_file_should_hold(tmp_path: Path) -> None:
    model, optimizer = make()
    optimizer.param_groups[0]["odd"] = Odd()
    with pytest.raises(TypeError, match=r"got a Odd at optimizer\['param_groups'\]\[0\]\['odd'\]"):
        run(model, optimizer, checkpoint=tmp_path / "before.pt")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02.", b"text" * 99])
def test_refuses_another_or_a_damaged_file(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"path must be a file that range_test\(checkpoint=...\) wrote, got"):
        recover(path, *make())
    assert main(["recover", str(path)]) == 1
    assert "must be a file that range_test" in capsys.readouterr().err
    with pytest.raises(FileNotFoundError):
        recover(tmp_path / "missing", *make())


def test_refuses_damage_anywhere(tmp_path: Path) -> None:
    path = saved(tmp_path, *make())
    content = path.read_bytes()
    model, optimizer = make(steps=0)
    before = fingerprint(model), fingerprint(optimizer)
    for at in range(0, len(content), len(content) // 40):
        path.write_bytes(content[:at])
        with pytest.raises(ValueError, match="path must be"):
            recover(path, model, optimizer)
    assert before == (fingerprint(model), fingerprint(optimizer))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, r"path must be of version 1 .*, got version 2: a later clrfast wrote it"),
        ({"format": "other"}, r"path must be a file that .*, which is another"),
        ({"optimizer": None}, r"path must be a file that .*, which is incomplete"),
    ],
)
def test_refuses_later_versions_by_name(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = saved(tmp_path, *make())
    state = {**torch.load(path, weights_only=True), **change}
    torch.save({key: value for key, value in state.items() if value is not None}, path)
    with pytest.raises(ValueError, match=message):
        recover(path, *make())


def test_refuses_another_model_before_anything_is_changed(tmp_path: Path) -> None:
    path = saved(tmp_path, *make())
    wider = nn.Sequential(nn.Linear(8, 7), nn.BatchNorm1d(7), nn.ReLU(), nn.Dropout(0.3), nn.Linear(7, 4))
    more = nn.Sequential(*dense(torch.float32), nn.Linear(3, 3))
    for model, message in [
        (wider, r"model must be the one .*, got shape \(4, 7\) for '4.weight', .* \(3, 7\)"),
        (nn.Linear(8, 7), r"model must be the one .*, got one without '0.weight'"),
        (more, r"model must be the one .*, got one with '5.weight' more"),
    ]:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        before = fingerprint(model), fingerprint(optimizer)
        with pytest.raises(ValueError, match=message):
            recover(path, model, optimizer)
        assert before == (fingerprint(model), fingerprint(optimizer))
    model = dense(torch.float32)
    optimizer = torch.optim.SGD(list(model.parameters())[:2], lr=0.1)
    before = fingerprint(model), fingerprint(optimizer)
    with pytest.raises(ValueError, match=r"optimizer must have groups .* \[6\], got \[2\]"):
        recover(path, model, optimizer)
    assert before == (fingerprint(model), fingerprint(optimizer))
