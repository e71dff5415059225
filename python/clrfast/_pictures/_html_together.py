"""The curves of several runs on one pair of axes, drawn by Plotly, for a page."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go
from plotly.colors import qualitative

from clrfast._pictures._compare import loss_limits
from clrfast._pictures._html_figure import AXIS, LAYOUT, axis_of_rates
from clrfast._pictures._picture import Picture

MOST_CURVES = 50  # of which nobody can tell more apart


def together(pictures: Mapping[str, Picture]) -> str:
    """Return Plotly's JSON of the fitted losses, each by its name, with a dot where its `max_lr` is."""
    lines: list[dict[str, Any]] = []
    colours = qualitative.D3
    for number, (name, picture) in enumerate(pictures.items()):
        style = {"name": html.escape(name, quote=False), "legendgroup": str(number)}  # Plotly knows some HTML
        colour = colours[number % len(colours)]
        line = {"color": colour, "width": 2, "simplify": False}
        lines.append({"x": picture.lr, "y": picture.loss, "mode": "lines", "line": line, **style})
        for bound in picture.bounds:
            if bound.name == "max_lr":
                dot: dict[str, Any] = {"color": colour, "size": 9}
                if picture.verdict.confidence == "low":
                    dot["symbol"] = "circle-open"
                place = {"x": [bound.lr], "y": [bound.loss], "mode": "markers", "marker": dot}
                lines.append({**place, **style, "showlegend": False, "hovertemplate": bound.label})
    drawn = go.Figure([go.Scatter(**line) for line in lines])
    low, high = zip(*(picture.lr_limits for picture in pictures.values()))
    losses = {"title": "Loss", "range": loss_limits(list(pictures.values())), "zeroline": False}
    drawn.update_layout(LAYOUT, xaxis=axis_of_rates((min(low), max(high))), yaxis={**AXIS, **losses})
    text: str = drawn.to_json()
    return text
