"""The page of an analysis or of many: it loads nothing, and shows the curve of the run that is chosen."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from itertools import islice

from clrfast._pictures._card import STYLE, card
from clrfast._pictures._html_template import PAGE
from clrfast._pictures._picture import Picture
from clrfast._require import require


def page(title: str, runs: Mapping[str, Picture], table: Sequence[tuple[str, ...]] = ()) -> str:
    """Return the page.

    Args:
        title: Its heading.
        runs: At least one, by name.
        table: What to list above the curve: a header, and then rows that begin with the name of a run, which
            becomes a link where `runs` has it.

    All text is taken as it is: names come from files, and may look like HTML.
    """
    require("plotly", "a page", extra="html")
    from plotly.offline import get_plotlyjs

    from clrfast._pictures._html_figure import figure
    from clrfast._pictures._html_together import MOST_CURVES, together

    numbers = {name: number for number, name in enumerate(runs)}
    entries = [
        f'{{"id": "run-{numbers[name]}", "name": {json.dumps(name)}, "text": {json.dumps(picture.text)}, '
        f'"figure": {figure(picture)}}}'
        for name, picture in runs.items()
    ]
    cards = [
        f'<div class="verdict" data-run="run-{numbers[name]}"{" hidden" if numbers[name] else ""}>'
        f"{card(picture.verdict)}</div>"
        for name, picture in runs.items()
    ]
    link = ""
    if len(runs) > 1:
        shown = dict(islice(runs.items(), MOST_CURVES))
        name = "all runs" if len(shown) == len(runs) else f"the first {len(shown)} runs"
        link = f'<p><a href="#together">The curves of {name} together</a></p>'
        entries.append(f'{{"id": "together", "name": "{name}", "text": "", "figure": {together(shown)}}}')
    return PAGE.substitute(
        title=html.escape(title),
        style=STYLE,
        table=_table(table, numbers),
        together=link,
        cards="\n".join(cards),
        plotly=get_plotlyjs(),
        runs=f"[{','.join(entries)}]".replace("<", "\\u003c"),  # so that no name can end the script
    )


def _table(rows: Sequence[tuple[str, ...]], numbers: Mapping[str, int]) -> str:
    if not rows:
        return ""
    head, *body = rows
    kinds = [f' class="{html.escape(title) or "note"}"' for title in head]
    lines = [
        "<table><thead><tr>",
        *(f"<th{kind}>{html.escape(cell)}</th>" for kind, cell in zip(kinds, head)),
        "</tr></thead><tbody>",
    ]
    for name, *cells in body:
        row, first = "<tr>", html.escape(name)
        if name in numbers:
            run = f"run-{numbers[name]}"
            row, first = f'<tr data-run="{run}">', f'<a href="#{run}">{first}</a>'
        rest = [f"<td{kind}>{html.escape(cell)}</td>" for kind, cell in zip(kinds[1:], cells)]
        lines.append(f"{row}<td>{first}</td>{''.join(rest)}</tr>")
    return "\n".join([*lines, "</tbody></table>"])
