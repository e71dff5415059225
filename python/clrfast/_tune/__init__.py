"""Recipes: the rate, the momentum and the weight decay to train with."""

from __future__ import annotations

from clrfast._tune._choice import Choice as Choice
from clrfast._tune._recipe import Recipe as Recipe
from clrfast._tune._tune import tune as tune
