"""The batch size that still pays, and the noise of gradients that says so too."""

from __future__ import annotations

from clrfast._batch_size._batch_sizes import BatchSizes as BatchSizes
from clrfast._batch_size._compare import batch_sizes as batch_sizes
from clrfast._batch_size._gradient_noise import NoiseScale as NoiseScale
from clrfast._batch_size._noise_scale import noise_scale as noise_scale
