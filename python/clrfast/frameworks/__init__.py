"""The range test inside of the frameworks that people train with: before the training, and without a trace.

Each module has one class and needs its framework: `lightning`, `transformers`, `accelerate`, `ignite`,
`fastai`. They are loaded when they are touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clrfast._require import require as _require

_require("torch", "clrfast.frameworks", "frameworks")

__all__ = ["accelerate", "fastai", "ignite", "lightning", "transformers"]

if TYPE_CHECKING:  # which see no __getattr__: to them it would mean that every name is there
    from clrfast.frameworks import accelerate as accelerate
    from clrfast.frameworks import fastai as fastai
    from clrfast.frameworks import ignite as ignite
    from clrfast.frameworks import lightning as lightning
    from clrfast.frameworks import transformers as transformers
else:

    def __getattr__(name: str) -> Any:
        if name in __all__:
            import importlib

            return importlib.import_module(f"clrfast.frameworks.{name}")
        raise AttributeError(f"module 'clrfast.frameworks' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
