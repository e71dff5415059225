"""Every schedule that the field uses, as functions that make an immutable `Schedule`.

All of them check their arguments when the schedule is made: a ValueError or TypeError names the argument,
the value and what is allowed. Rates may be 0 but not negative; steps are counted from 0.
"""

from __future__ import annotations

from clrfast.schedules._compose import discriminative as discriminative
from clrfast.schedules._compose import warmup as warmup
from clrfast.schedules._cyclic import cyclic as cyclic
from clrfast.schedules._cyclic import exp_range as exp_range
from clrfast.schedules._cyclic import hann as hann
from clrfast.schedules._cyclic import one_cycle as one_cycle
from clrfast.schedules._cyclic import sawtooth as sawtooth
from clrfast.schedules._cyclic import sgdr as sgdr
from clrfast.schedules._cyclic import triangular as triangular
from clrfast.schedules._cyclic import triangular2 as triangular2
from clrfast.schedules._cyclic import welch as welch
from clrfast.schedules._decays import constant as constant
from clrfast.schedules._decays import cosine as cosine
from clrfast.schedules._decays import exponential as exponential
from clrfast.schedules._decays import flat_cosine as flat_cosine
from clrfast.schedules._decays import inverse_sqrt as inverse_sqrt
from clrfast.schedules._decays import linear as linear
from clrfast.schedules._decays import multistep as multistep
from clrfast.schedules._decays import polynomial as polynomial
from clrfast.schedules._decays import power as power
from clrfast.schedules._decays import ramp as ramp
from clrfast.schedules._decays import rex as rex
from clrfast.schedules._decays import step as step
from clrfast.schedules._decays import warmup_stable_decay as warmup_stable_decay
from clrfast.schedules._schedule import Schedule as Schedule
from clrfast.schedules._schedule import concatenate as concatenate

__all__ = [
    "Schedule",
    "concatenate",
    "constant",
    "cosine",
    "cyclic",
    "discriminative",
    "exp_range",
    "exponential",
    "flat_cosine",
    "hann",
    "inverse_sqrt",
    "linear",
    "multistep",
    "one_cycle",
    "polynomial",
    "power",
    "ramp",
    "rex",
    "sawtooth",
    "sgdr",
    "step",
    "triangular",
    "triangular2",
    "warmup",
    "warmup_stable_decay",
    "welch",
]


def __dir__() -> list[str]:
    return __all__
