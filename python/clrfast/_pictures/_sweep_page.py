"""The page of a sweep: it loads nothing; its picture can be zoomed into, its table has every run."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from itertools import islice
from string import Template
from typing import Any

from clrfast._pictures._html_template import DRAW, HEAD, HINT
from clrfast._pictures._sweep_picture import (
    BASIN_COLOUR,
    BEST_COLOUR,
    DIVERGED_COLOUR,
    RAW_COLOUR,
    RUN_COLOUR,
    SweepPicture,
    ValleyCurve,
)
from clrfast._require import require

MOST_ROWS = 5000  # of the table, which a browser has to lay out

_PAGE = Template(
    HEAD
    + """pre { overflow-wrap: anywhere; white-space: pre-wrap; }
#table { max-height: 60vh; }
td:first-child { min-width: 10em; overflow-wrap: anywhere; }
</style>
</head>
<body>
<h1>$title</h1>
<pre>$text</pre>
<div id="curve"></div>
"""
    + HINT
    + """
<div id="table">$table</div>
<p class="hint">$left</p>
<script>$plotly</script>
<script type="application/json" id="figure">$figure</script>
<script>
const figure = JSON.parse(document.getElementById("figure").textContent);
"""
    + DRAW
    + """function show() {
  draw(figure);
}
show();
</script>
</body>
</html>
"""
)


def sweep_page(title: str, picture: SweepPicture) -> str:
    """Return the page. All text is taken as it is: names come from files, and may look like HTML."""
    require("plotly", "a page", extra="html")
    from plotly.offline import get_plotlyjs

    left = len(picture.table) - 1 - MOST_ROWS
    return _PAGE.substitute(
        title=html.escape(title),
        text=html.escape(picture.text),
        table=_table(picture.table),
        left=f"The best {MOST_ROWS:,} runs; {left:,} more are not shown." if left > 0 else "",
        plotly=get_plotlyjs(),
        figure=_figure(picture).replace("<", "\\u003c"),  # so that no name can end the script
    )


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "\n".join(line(row, "td") for row in islice(rows, 1, MOST_ROWS + 1))
    return f"<table><thead>{line(rows[0], 'th')}</thead><tbody>\n{body}\n</tbody></table>"


def _figure(picture: SweepPicture) -> str:
    """Return Plotly's JSON; it holds no text but ours, as Plotly would read that as markup."""
    import plotly.graph_objects as go

    moved = picture.curve is not None and picture.adjusted
    raw = {"color": RAW_COLOUR if moved else RUN_COLOUR, "size": 5}
    name = "runs as they are" if moved else "runs"
    traces: list[dict[str, Any]] = [
        {"x": picture.lr, "y": picture.value, "mode": "markers", "marker": raw, "name": name}
    ]
    layout = _layout(picture)
    if picture.curve is not None:
        traces += _curve(picture.curve, adjusted=picture.adjusted)
        layout["shapes"] = [
            {
                **{"type": "rect", "x0": ends[0], "x1": ends[1], "y0": 0, "y1": 1, "yref": "paper"},
                **{"fillcolor": BASIN_COLOUR, "opacity": 0.1, "line": {"width": 0}, "layer": "below"},
            }
            for _, ends in picture.curve.basins
        ]
    if len(picture.diverged):
        cross = {"color": DIVERGED_COLOUR, "symbol": "x", "size": 7}
        height = [picture.value_limits[1]] * len(picture.diverged)
        traces.append(
            {
                **{"x": picture.diverged, "y": height, "mode": "markers", "name": "diverged"},
                **{"marker": cross, "cliponaxis": False},
            }
        )
    text: str = go.Figure([go.Scatter(**trace) for trace in traces], layout).to_json()
    return text


def _curve(curve: ValleyCurve, *, adjusted: bool) -> list[dict[str, Any]]:
    red, green, blue = bytes.fromhex(RUN_COLOUR[1:])
    band = {"x": curve.lr, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    fill = {"fill": "tonexty", "fillcolor": f"rgba({red},{green},{blue},0.2)"}
    line = {"color": RUN_COLOUR, "width": 2}
    best = float(curve.value[abs(curve.lr - curve.best_lr).argmin()])
    whiskers = {
        "array": [curve.interval[1] - curve.best_lr],
        "arrayminus": [curve.best_lr - curve.interval[0]],
    }
    traces: list[dict[str, Any]] = [
        {**band, "y": curve.low, "showlegend": False},
        {**band, **fill, "y": curve.high, "name": "95 % interval"},
        {"x": curve.lr, "y": curve.value, "mode": "lines", "line": line, "name": "fitted"},
        {
            **{"x": [curve.best_lr], "y": [best], "mode": "markers", "name": f"best_lr {curve.best_lr:.2g}"},
            **{"marker": {"color": BEST_COLOUR, "size": 9}, "error_x": {"type": "data", **whiskers}},
        },
    ]
    if adjusted:
        x, y = curve.moved
        dots = {"color": RUN_COLOUR, "size": 5, "opacity": 0.7}
        name = "runs, as if at the reference settings"
        traces.insert(0, {"x": x, "y": y, "mode": "markers", "marker": dots, "name": name})
    return traces


def _layout(picture: SweepPicture) -> dict[str, Any]:
    axis = {"mirror": True, "ticks": "outside"}
    low, high = picture.value_limits
    if picture.logarithmic:
        values = {"type": "log", "range": [math.log10(low), math.log10(high)]}
    else:
        values = {"range": [low, high]}
    return {
        "template": "none",
        "legend": {"orientation": "h", "y": -0.15, "yanchor": "top"},
        "margin": {"l": 70, "r": 20, "t": 20, "b": 50},
        "xaxis": {
            **axis,
            "type": "log",
            "title": "Peak learning rate",
            "tickformat": "~e",
            "hoverformat": ".3g",
        },
        "yaxis": {**axis, **values, "title": "Metric at the end of the run", "zeroline": False},
    }
