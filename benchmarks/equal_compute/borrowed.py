"""What `../suggestion_rules` has for these problems too: data and networks."""

from __future__ import annotations

import sys
from pathlib import Path

# Right behind this folder, some of whose modules have the same names.
sys.path.insert(
    sys.path.index(str(Path(__file__).parent)) + 1, str(Path(__file__).parents[1] / "suggestion_rules")
)

from datasets import SEQUENCE, VOCABULARY, Split, load
from models import TextTransformer, mlp, pretrained

__all__ = ["SEQUENCE", "VOCABULARY", "Split", "TextTransformer", "load", "mlp", "pretrained"]
