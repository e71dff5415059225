"""What `../equal_compute` has for these problems too: networks, trainings, and what is kept of them."""

from __future__ import annotations

import sys
from pathlib import Path

# Right behind this folder, whose modules have other names.
sys.path.insert(
    sys.path.index(str(Path(__file__).parent)) + 1, str(Path(__file__).parents[1] / "equal_compute")
)

from borrowed import Split, mlp
from problems import Problem, adam, adamw, cnn, diamonds_mlp, digits_cnn, letter_mlp, momentum, transformer
from score import Case
from train import Outcome, Reached, Trainer

from data import load

__all__ = [
    "Case",
    "Outcome",
    "Problem",
    "Reached",
    "Split",
    "Trainer",
    "adam",
    "adamw",
    "cnn",
    "diamonds_mlp",
    "digits_cnn",
    "letter_mlp",
    "load",
    "mlp",
    "momentum",
    "transformer",
]
