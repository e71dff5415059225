"""Sends SIGINT to range tests at chosen instructions; run as a script, to hundreds or thousands of them.

python tests/interrupts.py 2000
"""

from __future__ import annotations

import collections
import random
import signal
import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

import clrfast
from experiments import batches, fingerprint, generators

# Where signals are sent: in the test's own code, around its beginning and end, and anywhere at all.
PARTS = ("clrfast/_range_test", "clrfast/_range_test/_s", "/")
STATE = ("model", "optimizer", "generators", "attributes", "modes", "handlers")


class Model(nn.Module):
    """Has of everything that a test may leave changed."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 3))
        self.net[2].eval()
        self.seen: list[int] = [1, 2]
        self.memory = collections.deque([1.0], maxlen=3)
        self.steps = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(len(x))
        self.memory.append(self.steps)
        self.steps += 1
        return self.net(x)


class BeforeInstruction:
    """Acts before one instruction of some code, and counts all of them.

    Python takes a trace function away that raises: it then counts no further.

    Args:
        first: Which one, from 1; 0 is none.
        within: Whether the instructions of this code count.
        act: What is done.
    """

    def __init__(self, first: int, within: Callable[[CodeType], bool], act: Callable[[], None]) -> None:
        self.first, self.within, self.act = first, within, act
        self.count = 0

    def __enter__(self) -> BeforeInstruction:
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        if not self.within(frame.f_code):
            return None
        frame.f_trace_opcodes = True
        return self._instruction

    def _instruction(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "opcode":
            self.count += 1
            if self.count == self.first:
                self.act()
        return self._instruction


class Injector(BeforeInstruction):
    """Sends SIGINT before one instruction, and, where asked, again some calls and returns later.

    The second signal comes from a profile function, as the trace function is gone by then.
    """

    def __init__(self, first: int, later: int, part: str) -> None:
        super().__init__(first, self._is_in_part, self._send)
        self.later, self.part = later, part
        self.calls = self.sent = 0

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        sys.setprofile(None)

    def _is_in_part(self, code: CodeType) -> bool:
        return code.co_filename != __file__ and self.part in code.co_filename

    def _send(self) -> None:
        self.sent += 1
        if self.later:
            sys.setprofile(self._profile)
        signal.raise_signal(signal.SIGINT)

    def _profile(self, frame: FrameType, event: str, argument: Any) -> None:
        if frame.f_code.co_filename != __file__:
            self.calls += 1
            if self.calls == self.later:
                self.sent += 1
                sys.setprofile(None)
                signal.raise_signal(signal.SIGINT)


def state(model: Model, optimizer: torch.optim.Optimizer) -> Any:
    """Return all that must be as before."""
    kept = [list(model.seen), list(model.memory), model.steps]
    modes = torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"), torch.autocast_increment_nesting()
    torch.autocast_decrement_nesting()
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    return fingerprint(model), fingerprint(optimizer), generators(), kept, modes, handlers


def interrupted(
    first: int, later: int = 0, part: str = "", test: Any = clrfast.range_test, **options: Any
) -> tuple[list[str], Injector]:
    """Run a test with SIGINT before that instruction; return what is wrong afterwards, and what was sent."""
    torch.manual_seed(3)
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    F.cross_entropy(model(batches(1)[0][0]), batches(1)[0][1]).backward()
    optimizer.step()
    before = state(model, optimizer)
    error: BaseException | None = None
    cast = torch.autocast("cpu", dtype=torch.bfloat16)
    injector = Injector(first, later, part)
    try:
        with injector:
            test(model, optimizer, F.cross_entropy, batches(2), autocast=cast, **options)
    except KeyboardInterrupt as raised:
        error = raised
    after = state(model, optimizer)
    wrong = [f"{name} changed" for name, then, now in zip(STATE, before, after) if then != now]
    if injector.sent and error is None:
        wrong.append("the interrupt is lost")
    if began(error) and not has_log(error):
        wrong.append("the log is lost")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return wrong, injector


def has_log(error: BaseException | None) -> bool:
    """Return whether the log came with an interrupt, or with the one that a second one interrupted."""
    while error is not None:
        if isinstance(getattr(error, "clrfast_log", None), clrfast.Log):
            return True
        error = error.__context__
    return False


def began(error: BaseException | None) -> bool:
    """Return whether the test had begun to train when it was interrupted."""
    trace = None if error is None else error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_name in ("_steps", "_goes_on", "record", "__exit__"):
            return True
        trace = trace.tb_next
    return False


def survey(count: int, part: str, twice: bool, test: Any = clrfast.range_test, **options: Any) -> list[str]:
    """Interrupt `count` tests, evenly over all instructions; return what was wrong, with the place."""
    _, whole = interrupted(0, part=part, test=test, **options)
    source = random.Random(5)
    found = []
    for i in range(count):
        first = 1 + i * whole.count // count + source.randrange(max(1, whole.count // count))
        later = source.choice([1, 2, 3, 5, 8, 20, 100, 400]) if twice else 0
        wrong, _ = interrupted(first, later, part, test, **options)
        found += [f"{first} of {whole.count}, {later} later: {'; '.join(wrong)}"] if wrong else []
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    for place in PARTS:
        for both in (False, True):
            bad = survey(runs, place, both, steps=3)
            print(f"{'two' if both else 'one'} in {place}: {runs - len(bad)} of {runs} left nothing changed")
            print("\n".join(bad[:10]))
