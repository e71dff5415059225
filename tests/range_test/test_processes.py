"""Two processes that train one model get one log, stop together, and end together whatever happens in one."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments import make, run

SCRIPT = Path(__file__).parents[1] / "processes.py"
STEPS = 24


FAILURES = {
    "raises": (12, "ValueError: boom in the loss"),
    "raises at once": (0, "ValueError: boom at once"),
    "loader raises": (8, "ValueError: boom in the loader"),
    "step raises early": (7, "ValueError: boom before the pass"),
    "step raises late": (7, "ValueError: boom after the pass"),
    "interrupt": (7, "KeyboardInterrupt"),
}
LOOPS = ["loop", "loop that raises", "loop that is left", "loop that never begins"]
COMMON = ["plain", "fresh", "accumulates", "nan", "one pass", *FAILURES, *LOOPS]
CASES = {
    "ddp": [*COMMON, "plain view", "forward raises", "empty", "other steps", "total steps"],
    "fsdp": [*COMMON, "dies"],
    "none": ["by hand"],
}


@cache
def experiments(wrapper: str) -> list[dict[str, Any]]:
    """Return what each of two processes found in all cases."""
    with tempfile.TemporaryDirectory() as folder:
        outs = [Path(folder) / f"out{rank}" for rank in (0, 1)]
        started = [
            subprocess.Popen(
                [
                    sys.executable,
                    str(SCRIPT),
                    str(rank),
                    f"file://{folder}/meet",
                    out,
                    wrapper,
                    *CASES[wrapper],
                ],
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank, out in enumerate(outs)
        ]
        try:
            errors = [process.communicate(timeout=150)[1] for process in started]
        finally:
            for process in started:
                process.kill()
                process.wait()
        assert [process.returncode for process in started] == [0, 0], "\n".join(errors)
        return [json.loads(out.read_text()) for out in outs]


def both(wrapper: str, case: str) -> tuple[dict[str, Any], dict[str, Any]]:
    first, second = (found[case] for found in experiments(wrapper))
    assert first["unchanged"]
    assert second["unchanged"]
    if wrapper == "ddp":  # with fsdp each holds other pieces, and by hand each goes on alone
        parameters = slice(0, 6)
        assert first["weights"][parameters] == second["weights"][parameters]
        assert first["after"][parameters] == second["after"][parameters]
    return first, second


def rows(result: dict[str, Any]) -> list[float]:
    return [float.fromhex(loss) for loss in result["loss"]]


def same_log(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert first["lr"] == second["lr"]
    assert first["loss"] == second["loss"]


@pytest.mark.parametrize("wrapper", ["ddp", "fsdp"])
@pytest.mark.parametrize("case", ["plain", "fresh", "accumulates"])
def test_two_processes_get_one_log(wrapper: str, case: str) -> None:
    first, second = both(wrapper, case)
    assert first["error"] is second["error"] is None
    same_log(first, second)
    assert len(first["lr"]) == STEPS
    assert first["status"] == second["status"] == f"Ran all {STEPS} steps, up to lr 0.1."


def test_several_start_at_1e_7_together() -> None:
    first, second = both("ddp", "total steps")
    assert first["error"] is second["error"] is None
    same_log(first, second)
    assert first["lr"][0] == 1e-7
    assert first["status"] == f"Ran all {STEPS} steps, up to lr 0.1."


def test_views_of_gradients_are_put_back() -> None:
    first, second = both("ddp", "plain view")
    assert first["error"] is second["error"] is None


def test_a_group_may_be_given_where_nothing_is_wrapped() -> None:
    first, second = both("none", "by hand")
    assert first["error"] is second["error"] is None
    same_log(first, second)


@pytest.mark.parametrize("wrapper", ["ddp", "fsdp"])
def test_nan_in_one_process_stops_both(wrapper: str) -> None:
    first, second = both(wrapper, "nan")
    assert first["error"] is second["error"] is None
    same_log(first, second)
    assert len(rows(first)) == 8
    assert math.isnan(rows(first)[-1])


@pytest.mark.parametrize("wrapper", ["ddp", "fsdp"])
def test_the_shorter_loader_ends_both(wrapper: str) -> None:
    first, second = both(wrapper, "one pass")
    assert first["error"] is second["error"] is None
    same_log(first, second)
    assert len(rows(first)) == 7
    assert first["status"].startswith(f"Ended after 7 of {STEPS} steps")


@pytest.mark.parametrize("wrapper", ["ddp", "fsdp"])
@pytest.mark.parametrize("case", FAILURES)
def test_an_exception_in_one_process_ends_both(wrapper: str, case: str) -> None:
    first, second = both(wrapper, case)
    whole, message = FAILURES[case]
    assert second["error"].startswith(message)
    expected = f"RuntimeError: the range test failed in process 1 of 2, in step {whole + 1}: {message}"
    assert first["error"] == expected
    same_log(first, second)
    assert len(rows(first)) == whole


@pytest.mark.parametrize("wrapper", ["ddp", "fsdp"])
def test_a_loop_of_ones_own_is_the_same_test(wrapper: str) -> None:
    first, second = both(wrapper, "loop")
    assert first["error"] is second["error"] is None
    same_log(first, second)
    assert first["loss"] == both(wrapper, "plain")[0]["loss"]


@pytest.mark.parametrize("wrapper", ["ddp", "fsdp"])
def test_however_one_loop_ends_the_other_does_too(wrapper: str) -> None:
    first, second = both(wrapper, "loop that raises")
    assert second["error"] == "ValueError: boom in the loop"
    assert first["error"].endswith("failed in process 1 of 2, in step 8: ValueError: boom in the loop")
    same_log(first, second)
    first, second = both(wrapper, "loop that is left")
    assert first["error"] is second["error"] is None
    same_log(first, second)
    assert len(rows(first)) == 7
    assert second["status"].endswith("the loop was left.")
    first, second = both(wrapper, "loop that never begins")
    assert second["error"] == "ValueError: boom before the loop"
    assert first["error"] == "RuntimeError: the range test could not start in process 1 of 2"


def test_an_exception_inside_a_forward_pass_ends_both() -> None:
    first, second = both("ddp", "forward raises")
    assert second["error"] == "ValueError: boom in forward"
    assert first["error"].endswith("in process 1 of 2, in step 8: ValueError: boom in forward")
    same_log(first, second)


def test_a_process_that_leaves_in_the_midst_of_a_pass_frees_the_other() -> None:
    first, second = both("fsdp", "dies")
    assert second["error"] == "ValueError: boom in forward"
    assert first["error"].startswith("RuntimeError")
    assert "connection" in first["error"].lower()


def test_a_start_that_fails_in_one_process_fails_in_both() -> None:
    first, second = both("ddp", "empty")
    assert second["error"].startswith("ValueError: loader must give a batch for each step, got none")
    assert first["error"] == "RuntimeError: the range test could not start in process 1 of 2"


def test_different_tests_in_two_processes_are_refused() -> None:
    first, second = both("ddp", "other steps")
    expected = f"ValueError: steps must be the same in all processes, got [{STEPS}.0, {STEPS + 1}.0]"
    assert first["error"] == second["error"] == expected


def test_communicates_at_the_checks_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from clrfast._range_test import _processes

    class Alone(_processes.Processes):
        calls = 0

        def __init__(self) -> None:
            self.rank, self.count, self.wrapped = 0, 1, []

        def gather(self, values: list[float]) -> torch.Tensor:
            Alone.calls += 1
            return torch.tensor([values], dtype=torch.float64)

    monkeypatch.setattr(_processes, "find", lambda model, group: Alone())
    log = run(*make(), steps=400, end_lr=1e-3)
    assert len(log) == 400
    assert Alone.calls == 1 + 400 // 20
    monkeypatch.undo()
    assert log.loss.tolist() == run(*make(), steps=400, end_lr=1e-3).loss.tolist()


def test_a_group_without_processes_is_refused() -> None:
    with pytest.raises(ValueError, match="process_group must be None where"):
        run(*make(), process_group=object())
