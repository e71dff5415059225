"""What is chosen beside the rate, by the same kind of short test."""

from __future__ import annotations

from clrfast._tune._batch_size import batch_sizes as batch_sizes
from clrfast._tune._batch_sizes import BatchSizes as BatchSizes
from clrfast._tune._gradient_noise import NoiseScale as NoiseScale
from clrfast._tune._noise_scale import noise_scale as noise_scale
