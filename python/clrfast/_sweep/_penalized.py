"""Penalized least squares whose penalties are found from the data, and draws from what they leave open.

A penalty on coefficients is a normal prior on them. Its strength is found by restricted maximum likelihood,
and draws are spread over all strengths as far as the data cannot tell them apart, so that this doubt is in
them too (Wood, "Generalized Additive Models", 2017, sections 4.2.4 and 6.2.6).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TINY = 1e-10  # of the matrix's mean diagonal: what keeps it definite in rounding


class Block(NamedTuple):
    """Columns that share a penalty: `matrix` times one of the `strengths`."""

    columns: NDArray[np.float64]
    matrix: NDArray[np.float64]
    rank: int
    strengths: Sequence[float]


class _Candidate(NamedTuple):
    """The solution at one strength of each penalty."""

    coefficients: NDArray[np.float64]
    root: NDArray[np.float64]  # Cholesky's, of the penalized normal equations
    squares: float  # penalized residual sum
    criterion: float  # -2 times the restricted log-likelihood


class Solution(NamedTuple):
    """All candidates, and how likely each is."""

    candidates: list[_Candidate]
    weights: NDArray[np.float64]
    freedom: int

    @property
    def best(self) -> NDArray[np.float64]:
        """The coefficients at the likeliest strengths."""
        return self.candidates[int(self.weights.argmax())].coefficients

    @property
    def variance(self) -> float:
        """That of the noise, at the likeliest strengths."""
        return self.candidates[int(self.weights.argmax())].squares / self.freedom

    @property
    def criterion(self) -> float:
        """-2 times the restricted log-likelihood of the likeliest strengths."""
        return min(candidate.criterion for candidate in self.candidates)

    def draw(self, count: int, random: np.random.Generator) -> NDArray[np.float64]:
        """Return coefficients that the data leave possible, shape (count, coefficients)."""
        counts = random.multinomial(count, self.weights)
        drawn = []
        for candidate, times in zip(self.candidates, counts):
            if times:
                size = len(candidate.coefficients)
                variance = candidate.squares / random.chisquare(self.freedom, times)
                spread = np.linalg.solve(candidate.root.T, random.standard_normal((size, times)))
                drawn.append(candidate.coefficients + (np.sqrt(variance) * spread).T)
        return np.concatenate(drawn)


def solve(blocks: Sequence[Block], y: NDArray[np.float64]) -> Solution:
    """Fit `y`, shape (rows,), by the columns of all blocks."""
    x = np.hstack([block.columns for block in blocks])
    normal, right, total = x.T @ x, x.T @ y, float(y @ y)
    freedom = len(y) - sum(block.columns.shape[1] - block.rank for block in blocks)
    ridge = _TINY * np.trace(normal) / len(normal) * np.eye(len(normal))
    ends = np.cumsum([0, *(block.columns.shape[1] for block in blocks)])
    candidates = []
    for strengths in itertools.product(*(block.strengths for block in blocks)):
        matrix = normal + ridge
        for block, strength, start, end in zip(blocks, strengths, ends, ends[1:]):
            matrix[start:end, start:end] += strength * block.matrix
        root = np.linalg.cholesky(matrix)
        coefficients = np.linalg.solve(matrix, right)
        squares = max(total - float(coefficients @ right), 1e-14 * total)
        criterion = freedom * math.log(squares) + 2 * float(np.log(np.diag(root)).sum())
        criterion -= sum(block.rank * math.log(strength) for block, strength in zip(blocks, strengths))
        candidates.append(_Candidate(coefficients, root, squares, criterion))
    criteria = np.array([candidate.criterion for candidate in candidates])
    weights = np.exp(-0.5 * (criteria - criteria.min()))
    return Solution(candidates, weights / weights.sum(), freedom)
