"""Learning rates in Keras 3: a range test with PyTorch, and callbacks that drive the rate (needs keras).

Keras takes TensorFlow for its backend unless the environment variable ``KERAS_BACKEND`` says another one
before keras is imported for the first time: ``KERAS_BACKEND=torch python train.py``, or in a script, above
all imports::

    import os

    os.environ["KERAS_BACKEND"] = "torch"
"""

from __future__ import annotations

from clrfast.keras._backend import import_keras as _import_keras

_import_keras()  # before what follows, so that what is missing is said in clear words

from clrfast.keras._cyclic import CyclicLR as CyclicLR  # noqa: E402
from clrfast.keras._range_test import KerasRangeTest as KerasRangeTest  # noqa: E402
from clrfast.keras._range_test import range_test as range_test  # noqa: E402
from clrfast.keras._range_test import recover as recover  # noqa: E402
from clrfast.keras._schedule_callback import ScheduleCallback as ScheduleCallback  # noqa: E402

__all__ = ["CyclicLR", "KerasRangeTest", "ScheduleCallback", "range_test", "recover"]
