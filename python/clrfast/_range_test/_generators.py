"""Random generators: those that everyone shares, and those that an object owns."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

KINDS = (torch.Generator, random.Random, np.random.Generator, np.random.RandomState, np.random.BitGenerator)


def save(generator: Any) -> Callable[[], object] | None:
    """Remember the state of a generator of one of `KINDS`; return what puts it back, if it has a state."""
    if isinstance(generator, torch.Generator):
        return partial(generator.set_state, generator.get_state())
    if isinstance(generator, random.SystemRandom):
        return None
    if isinstance(generator, random.Random):
        return partial(generator.setstate, generator.getstate())
    if isinstance(generator, np.random.RandomState):
        return partial(generator.set_state, generator.get_state())
    bits = generator.bit_generator if isinstance(generator, np.random.Generator) else generator
    return partial(setattr, bits, "state", bits.state)


def save_shared() -> list[Callable[[], object]]:
    """Remember the states of Python's, NumPy's and PyTorch's own generators."""
    undo: list[Callable[[], object]] = [
        partial(random.setstate, random.getstate()),
        partial(np.random.set_state, np.random.get_state()),
        partial(torch.set_rng_state, torch.get_rng_state()),
    ]
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        undo.append(partial(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all()))
    if torch.backends.mps.is_available():
        undo.append(partial(torch.mps.set_rng_state, torch.mps.get_rng_state()))
    return undo


def reseed(generator: Any, seed: tuple[int, ...]) -> None:
    """Give a generator of one of `KINDS` a state that follows from `seed`."""
    number = int(np.random.SeedSequence(seed).generate_state(1)[0])
    if isinstance(generator, torch.Generator):
        generator.manual_seed(number)
    elif isinstance(generator, (random.Random, np.random.RandomState)):
        generator.seed(number)
    else:
        bits = generator.bit_generator if isinstance(generator, np.random.Generator) else generator
        bits.state = type(bits)(number).state


def reseed_shared(seed: int) -> None:
    """Give Python's, NumPy's and PyTorch's own generators states that follow from `seed`."""
    random.seed(seed)
    np.random.seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
    torch.manual_seed(seed)  # those of all devices, too
