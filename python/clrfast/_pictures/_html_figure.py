"""The curve and its slope, drawn by Plotly, for a page."""

from __future__ import annotations

import math
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from clrfast._pictures._picture import (
    BOUND_COLOURS,
    LOSS_COLOUR,
    OTHERS_COLOUR,
    PHASE_COLOURS,
    Mark,
    Picture,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

AXIS = {"mirror": True, "ticks": "outside", "showline": True}  # the page gives all lines their colours
LAYOUT = {
    "template": "none",
    "hovermode": "x",
    "legend": {"orientation": "h", "y": -0.15, "yanchor": "top"},
    "margin": {"l": 70, "r": 20, "t": 35, "b": 50},
}
_SYMBOLS = [*(f"triangle-{to}" for to in ("down", "up", "left", "right")), "square", "star", "diamond", "x"]


def figure(picture: Picture) -> str:
    """Return Plotly's JSON of both panels; it holds no text but ours."""
    lines = [*_curves(picture), *_markers(picture)]
    drawn = go.Figure([go.Scatter(**{"mode": "lines", **line}) for line in lines])
    shapes, labels = _places(picture)
    drawn.update_layout(_layout(picture), shapes=shapes, annotations=labels)
    text: str = drawn.to_json()
    return text


def _curves(picture: Picture) -> list[dict[str, Any]]:
    """Return the losses, and the fit and its slope with their bands."""
    lines: list[dict[str, Any]] = []
    lr = picture.lr
    if picture.rows is not None:
        rates, losses = picture.rows
        faint = {"color": LOSS_COLOUR, "width": 1}
        lines.append({"x": rates, "y": losses, "name": "loss", "line": faint, "opacity": 0.5})
    else:
        lines += _band(lr, picture.lowest, picture.highest, "loss, lowest to highest", opacity=0.15)
    for axis, name, values, error in (
        ("y", picture.fit, picture.loss, picture.loss_se),
        ("y2", "slope", picture.slope, picture.slope_se),
    ):
        band = "± standard error"
        lines += _band(lr, values - error, values + error, band, opacity=0.3, yaxis=axis)
        solid = {"color": LOSS_COLOUR, "width": 2, "simplify": False}
        lines.append({"x": lr, "y": values, "name": name, "line": solid, "yaxis": axis})
    return lines


def _markers(picture: Picture) -> list[dict[str, Any]]:
    """Return the suggested rates on the fitted curve."""
    markers = []
    for bound in picture.bounds:
        markers.append(_marker(bound, BOUND_COLOURS[bound.name], "circle"))
        if bound.interval is not None:
            low, high = bound.interval
            around = {"symmetric": False, "array": [high - bound.lr], "arrayminus": [bound.lr - low]}
            markers[-1]["error_x"] = {"type": "data", "thickness": 2.5, **around}
    for other, symbol in zip(picture.others, cycle(_SYMBOLS)):
        markers.append(_marker(other, OTHERS_COLOUR, symbol))
    return markers


def _places(picture: Picture) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return what reaches over both panels, phases and rates, and the names of the phases."""
    shapes, labels = [], []
    for phase in picture.phases:
        colour = PHASE_COLOURS[phase.name]
        filled = {"fillcolor": colour, "opacity": 0.1, "line": {"width": 0}, "layer": "below"}
        shapes.append(_upright(phase.start, phase.stop, type="rect", **filled))
        below = 16 if phase.name == "falling" else 0  # so that it clears its neighbours where it is narrow
        labels.append(_label(phase.name, phase.start, colour, xanchor="left", yshift=-below))
    diverged = picture.divergence_lr
    if diverged is not None:
        colour = PHASE_COLOURS["rising"]
        shapes.append(_upright(diverged, diverged, line={"color": colour, "width": 1, "dash": "dot"}))
        labels.append(_label("diverged", diverged, colour, xanchor="right", textangle=-90, yshift=-18))
    for bound in picture.bounds:
        shapes.append(_upright(bound.lr, bound.lr, line={"color": BOUND_COLOURS[bound.name], "width": 1.5}))
    return shapes, labels


def _band(
    lr: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    name: str,
    opacity: float,
    yaxis: str = "y",
) -> list[dict[str, Any]]:
    """Return the lines whose space between is filled."""
    whole = np.isfinite(low) & np.isfinite(high)
    common = {"x": lr[whole], "yaxis": yaxis, "line": {"width": 0}, "legendgroup": name, "hoverinfo": "skip"}
    red, green, blue = bytes.fromhex(LOSS_COLOUR[1:])
    filled = {"fill": "tonexty", "fillcolor": f"rgba({red},{green},{blue},{opacity})", "name": name}
    hidden, legend = {"showlegend": False}, {"showlegend": yaxis == "y"}  # one entry for both panels
    return [{**common, **hidden, "y": low[whole]}, {**common, **filled, **legend, "y": high[whole]}]


def _marker(mark: Mark, colour: str, symbol: str) -> dict[str, Any]:
    marker = {"color": colour, "size": 9, "symbol": symbol}
    return {"x": [mark.lr], "y": [mark.loss], "name": mark.label, "mode": "markers", "marker": marker}


def _upright(start: float, stop: float, **style: Any) -> dict[str, Any]:
    """Return a shape that reaches over both panels."""
    return {"type": "line", "x0": start, "x1": stop, "y0": 0, "y1": 1, "yref": "paper", **style}


def _label(text: str, lr: float, colour: str, **style: Any) -> dict[str, Any]:
    """Return a text at the upper edge; its place, unlike a shape's, is the exponent of the rate."""
    place = {"x": float(np.log10(lr)), "y": 1, "yref": "paper", "yanchor": "top", "showarrow": False}
    return {"text": text, "font": {"color": colour}, **place, **style}


def _layout(picture: Picture) -> dict[str, Any]:
    losses = {"title": "Loss", "domain": [0.32, 1], "range": picture.loss_limits, "zeroline": False}
    slopes = {"title": "d loss / d ln(lr)", "domain": [0, 0.27], "zeroline": True}
    return {
        **LAYOUT,
        "xaxis": {**axis_of_rates(picture.lr_limits), "anchor": "y2"},
        "yaxis": {**AXIS, **losses},
        "yaxis2": {**AXIS, **slopes},
    }


def axis_of_rates(lr_limits: tuple[float, float]) -> dict[str, Any]:
    """Return the logarithmic axis below, with labels so few that a phone has room for them."""
    low, high = (float(np.log10(rate)) for rate in lr_limits)
    ticks = {"dtick": math.ceil((high - low) / 8)} if high - low > 1.6 else {}
    scale = {"type": "log", "range": [low, high], "tickformat": "~e", "hoverformat": ".3g", **ticks}
    return {**AXIS, **scale, "title": "Learning rate"}
