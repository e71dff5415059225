"""Student's distribution, as far as intervals need it, without a hard dependency on SciPy."""

from __future__ import annotations

_FIRST = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


def quantile(dof: int) -> float:
    """Return what is exceeded by chance once in 40 times, right to one in a thousand.

    Beyond ten degrees of freedom by the expansion of Cornish and Fisher.
    """
    if dof <= len(_FIRST):
        return _FIRST[dof - 1]
    return 1.96 + 2.372 / dof + 2.823 / dof**2 + 2.556 / dof**3
