"""The page of an analysis or of many, drawn by Plotly: it loads nothing and can be zoomed into."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np

from clrfast import _picture
from clrfast._require import require

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clrfast.analysis import Analysis, Suggestion

# The policy forbids the browser every request, whatever a name in the page or a later Plotly may try.
_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline';
 style-src 'unsafe-inline'; img-src data: blob:">
<meta name="viewport" content="width=device-width">
<title>$title</title>
<style>
body { font: 15px/1.4 sans-serif; margin: 1em auto; max-width: 1200px; padding: 0 1em; }
h1 { font-size: 1.3em; overflow-wrap: anywhere; }
h2:empty { display: none; }
pre { overflow-x: auto; }
#table { max-height: 40vh; overflow: auto; }
table { border-collapse: collapse; font-size: 0.9em; }
th, td { padding: 0.15em 0.8em; text-align: left; vertical-align: top; }
th { background: #fff; position: sticky; top: 0; }
td { white-space: nowrap; }
td:first-child, td.note { min-width: 10em; overflow-wrap: anywhere; white-space: normal; }
tr.shown { background: #e8f0f8; }
#curve { height: 640px; }
.hint { color: #666; font-size: 0.9em; }
</style>
</head>
<body>
<h1>$title</h1>
<div id="table">$table</div>
<h2 id="name"></h2>
<pre id="text"></pre>
<div id="curve"></div>
<p class="hint">Drag or turn the wheel to zoom, drag with Shift or along an axis to pan, click twice to go
back; click an entry of the legend to hide what it names.</p>
<script>$plotly</script>
<script type="application/json" id="runs">$runs</script>
<script>
const runs = JSON.parse(document.getElementById("runs").textContent);
function show() {
  const run = runs.find(run => "#" + run.id === location.hash) || runs[0];
  document.getElementById("name").textContent = runs.length > 1 ? run.name : "";
  document.getElementById("text").textContent = run.text;
  for (const row of document.querySelectorAll("tbody tr"))
    row.classList.toggle("shown", row.dataset.run === run.id);
  Plotly.react("curve", run.figure.data, run.figure.layout, {
    displaylogo: false,
    doubleClick: "reset",
    modeBarButtonsToRemove: ["lasso2d", "select2d"],
    responsive: true,
    scrollZoom: true,
    showSendToCloud: false,
  });
}
addEventListener("hashchange", show);
show();
</script>
</body>
</html>
""")


def page(
    title: str,
    runs: Mapping[str, tuple[Analysis, Mapping[str, Suggestion]]],
    table: Sequence[tuple[str, ...]] = (),
) -> str:
    """Return the page.

    Args:
        title: Its heading.
        runs: At least one, by name: its analysis, and what other rules suggest.
        table: What to list above the curve: a header, and then rows that begin with the name of a run, which
            becomes a link where `runs` has it.

    All text is taken as it is: names come from files, and may look like HTML.
    """
    require("plotly", "a page", extra="html")
    from plotly.offline import get_plotlyjs

    numbers = {name: number for number, name in enumerate(runs)}
    entries = [
        f'{{"id": "run-{numbers[name]}", "name": {json.dumps(name)}, "text": {json.dumps(str(analysis))}, '
        f'"figure": {_figure(analysis, others)}}}'
        for name, (analysis, others) in runs.items()
    ]
    return _PAGE.substitute(
        title=html.escape(title),
        table=_table(table, numbers),
        plotly=get_plotlyjs(),
        runs=f"[{','.join(entries)}]".replace("<", "\\u003c"),  # so that no name can end the script
    )


def _table(rows: Sequence[tuple[str, ...]], numbers: Mapping[str, int]) -> str:
    if not rows:
        return ""

    head, *body = rows
    lines = [
        "<table><thead><tr>",
        *(f"<th>{html.escape(cell)}</th>" for cell in head),
        "</tr></thead><tbody>",
    ]
    for name, *cells in body:
        run, first = f"run-{numbers.get(name)}", html.escape(name)
        if name in numbers:
            first = f'<a href="#{run}">{first}</a>'
        rest = [
            f"<td>{html.escape(cell)}</td>" if title else f'<td class="note">{html.escape(cell)}</td>'
            for title, cell in zip(head[1:], cells)
        ]
        lines.append(f'<tr data-run="{run}"><td>{first}</td>{"".join(rest)}</tr>')
    return "\n".join([*lines, "</tbody></table>"])


def _figure(analysis: Analysis, others: Mapping[str, Suggestion]) -> str:
    """Return Plotly's JSON of both panels; it holds no text but ours."""
    import plotly.graph_objects as go

    lines: list[dict[str, Any]] = []
    rows = _picture.rows(analysis)
    faint = {"color": _picture.LOSS_COLOUR, "width": 0.8}
    if rows is not None:
        lines.append({"x": rows[0], "y": rows[1], "name": "loss", "line": faint, "opacity": 0.4})
    else:
        name = "loss, lowest to highest"
        lines += _band(analysis.grid_lr, analysis.grid_lowest, analysis.grid_highest, name, opacity=0.15)
    for axis, name, values, error in (
        ("y", _picture.fit(analysis), analysis.grid_loss, analysis.grid_loss_se),
        ("y2", "slope", analysis.grid_slope, analysis.grid_slope_se),
    ):
        band = "± standard error"
        lines += _band(analysis.grid_lr, values - error, values + error, band, opacity=0.3, yaxis=axis)
        solid = {"color": _picture.LOSS_COLOUR, "width": 2, "simplify": False}
        lines.append({"x": analysis.grid_lr, "y": values, "name": name, "line": solid, "yaxis": axis})
    shapes, labels = [], []
    for name, start, stop in _picture.phases(analysis):
        colour = _picture.PHASE_COLOURS[name]
        filled = {"fillcolor": colour, "opacity": 0.1, "line": {"width": 0}, "layer": "below"}
        shapes.append(_upright(start, stop, type="rect", **filled))
        labels.append(_label(name, start, colour, xanchor="left"))
    diverged = analysis.phases.divergence_lr
    if diverged is not None:
        colour = _picture.PHASE_COLOURS["rising"]
        shapes.append(_upright(diverged, diverged, line={"color": colour, "width": 1, "dash": "dot"}))
        labels.append(_label("diverged", diverged, colour, xanchor="right", textangle=-90))
    for bound in _picture.bounds(analysis):
        shapes.append(_upright(bound.lr, bound.lr, line={"color": bound.colour, "width": 1.5}))
        lines.append(_marker(f"{bound.name} {bound.lr:.2g}", bound.lr, bound.loss, bound.colour, "circle"))
        if bound.interval is not None:
            low, high = bound.interval
            around = {"symmetric": False, "array": [high - bound.lr], "arrayminus": [bound.lr - low]}
            lines[-1]["error_x"] = {"type": "data", "thickness": 2.5, **around}
    symbols = (
        "triangle-down",
        "triangle-up",
        "triangle-left",
        "triangle-right",
        "square",
        "star",
        "diamond",
        "x",
    )
    for (name, other), symbol in zip(others.items(), symbols):
        if other.max_lr is not None:
            level = _picture.loss_at(analysis, other.max_lr)
            lines.append(_marker(f"{name} {other.max_lr:.2g}", other.max_lr, level, "#4d4d4d", symbol))
    figure = go.Figure([go.Scatter(**{"mode": "lines", **line}) for line in lines])
    figure.update_layout(_layout(analysis), shapes=shapes, annotations=labels)
    text: str = figure.to_json()
    return text


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
    red, green, blue = bytes.fromhex(_picture.LOSS_COLOUR[1:])
    filled: dict[str, Any] = {
        "fill": "tonexty",
        "fillcolor": f"rgba({red},{green},{blue},{opacity})",
        "name": name,
    }
    filled["showlegend"] = yaxis == "y"  # one entry stands for both panels
    return [{**common, "y": low[whole], "showlegend": False}, {**common, "y": high[whole], **filled}]


def _marker(name: str, lr: float, loss: float, colour: str, symbol: str) -> dict[str, Any]:
    marker = {"color": colour, "size": 9, "symbol": symbol}
    return {"x": [lr], "y": [loss], "name": name, "mode": "markers", "marker": marker}


def _upright(start: float, stop: float, **style: Any) -> dict[str, Any]:
    """Return a shape that reaches over both panels."""
    return {"type": "line", "x0": start, "x1": stop, "y0": 0, "y1": 1, "yref": "paper", **style}


def _label(text: str, lr: float, colour: str, **style: Any) -> dict[str, Any]:
    """Return a text at the upper edge; its place, unlike a shape's, is the exponent of the rate."""
    place = {"x": float(np.log10(lr)), "y": 1, "yref": "paper", "yanchor": "top", "showarrow": False}
    return {"text": text, "font": {"color": colour}, **place, **style}


def _layout(analysis: Analysis) -> dict[str, Any]:
    axis = {"gridcolor": "#e4e4e4", "linecolor": "#444", "mirror": True, "ticks": "outside"}
    rates = [float(np.log10(rate)) for rate in _picture.lr_limits(analysis)]
    losses = {
        "title": "Loss",
        "domain": [0.32, 1],
        "range": _picture.loss_limits(analysis),
        "zeroline": False,
    }
    slopes = {"title": "d loss / d ln(lr)", "domain": [0, 0.27], "zeroline": True, "zerolinecolor": "#444"}
    return {
        "template": "none",
        "hovermode": "x",
        "legend": {"orientation": "h", "y": -0.12, "yanchor": "top"},
        "margin": {"l": 70, "r": 20, "t": 30, "b": 50},
        "xaxis": {
            **axis,
            "type": "log",
            "range": rates,
            "title": "Learning rate",
            "tickformat": "~e",
            "hoverformat": ".3g",
            "anchor": "y2",
        },
        "yaxis": {**axis, **losses},
        "yaxis2": {**axis, **slopes},
    }
