"""Student's distribution, as far as intervals need it."""

from __future__ import annotations


def quantile(dof: int) -> float:
    """Return what is exceeded by chance once in 40 times, within 4 % from two degrees of freedom on.

    The expansion of Cornish and Fisher, which spares a hard dependency on SciPy.
    """
    return 1.96 + 2.372 / dof + 2.823 / dof**2 + 2.556 / dof**3
