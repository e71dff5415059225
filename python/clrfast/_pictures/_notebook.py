"""What notebooks show: a card of numbers, and below it the picture, where matplotlib is installed.

The picture is SVG within the HTML, on no ground of its own, and its lines and letters have the colour of the
text around it, so that it can be read in a light notebook and in a dark one.
"""

from __future__ import annotations

import html
import io
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from clrfast._pictures._card import STYLE, card, facts_card
from clrfast._pictures._picture import Picture, Verdict
from clrfast._visible import visible

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_INK = "#0a0b0c"  # stands for the colour of the text around; nothing else has it
_RC = {
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), _INK),
    **dict.fromkeys(("axes.facecolor", "figure.facecolor", "savefig.facecolor"), "none"),
    "legend.framealpha": 0.0,
    "legend.edgecolor": "none",
    "svg.fonttype": "path",  # so that letters are as wide as their place, whatever fonts there are
}
_STYLE = """
.clrfast { max-width: 760px; }
.clrfast svg { max-width: 100%; height: auto; }
.clrfast table { border-collapse: collapse; margin: .5em 0; }
.clrfast td, .clrfast th { text-align: left; padding: .1em .8em; }
"""


def analysis_html(picture: Picture) -> str:
    """Return what is shown of an analysis."""

    def draw(ax: Axes) -> None:
        from clrfast._pictures._matplotlib import plot

        plot(picture, ax, intervals=True, legend=True)

    return _shown(card(picture.verdict), _svg(draw, "The fitted loss against the learning rate"))


def suggestion_html(verdict: Verdict) -> str:
    """Return what is shown of a suggestion."""
    return _shown(card(verdict))


def log_html(
    facts: Sequence[tuple[str, str]], remarks: Iterable[str], draw: Callable[[Axes], object] | None
) -> str:
    """Return what is shown of a log; `draw` is None where there is nothing to draw."""
    below = "".join(f"<p>{html.escape(visible(remark))}</p>" for remark in remarks if remark)
    return _shown(
        facts_card(facts), below, _svg(draw, "The losses against the learning rate") if draw else ""
    )


def schedule_html(facts: Sequence[tuple[str, str]], text: str, draw: Callable[[Axes], object]) -> str:
    """Return what is shown of a schedule."""
    below = f"<p><code>{html.escape(text)}</code></p>"
    return _shown(facts_card(facts), below, _svg(draw, "The learning rate against the step"))


def probes_html(
    result: str,
    rows: Sequence[Sequence[str]],
    scores: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
) -> str:
    """Return what is shown of probes."""

    def draw(ax: Axes) -> None:
        from clrfast._pictures._compare import Key, compare_probes

        compare_probes({"": scores}, Key(None, "", False), ax)

    picture = _svg(draw, "The score of each candidate against its learning rate")
    return _shown(facts_card([("probes", result)]), _table(rows), picture)


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = [
        "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row)
        for tag, row in zip(["th", *["td"] * len(rows)], rows)
    ]
    return f"<table><tr>{'</tr><tr>'.join(lines)}</tr></table>"


def _shown(*parts: str) -> str:
    return f'<div class="clrfast"><style>{_STYLE}{STYLE}</style>{"".join(parts)}</div>'


def _svg(draw: Callable[[Axes], object], label: str) -> str:
    """Return the picture, or nothing where matplotlib is missing; no state of matplotlib is changed."""
    try:
        from matplotlib import style
        from matplotlib.figure import Figure
    except ImportError:
        return ""
    rc: list[Any] = ["default", _RC]
    with style.context(rc):
        figure = Figure(figsize=(7.2, 4.4), layout="constrained")
        draw(figure.subplots())
        text = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(text, format="svg", metadata=nothing)
    svg = text.getvalue()
    begin = f'<svg role="img" aria-label="{html.escape(label)}"'
    return svg[svg.index("<svg") :].replace("<svg", begin, 1).replace(_INK, "currentColor")
