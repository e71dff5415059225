"""The page of an analysis or of many: it loads nothing, and shows the curve of the run that is chosen."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from string import Template

from clrfast._pictures._picture import Picture
from clrfast._require import require

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

    numbers = {name: number for number, name in enumerate(runs)}
    entries = [
        f'{{"id": "run-{numbers[name]}", "name": {json.dumps(name)}, "text": {json.dumps(picture.text)}, '
        f'"figure": {figure(picture)}}}'
        for name, picture in runs.items()
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
        row, first = "<tr>", html.escape(name)
        if name in numbers:
            run = f"run-{numbers[name]}"
            row, first = f'<tr data-run="{run}">', f'<a href="#{run}">{first}</a>'
        rest = [
            f"<td>{html.escape(cell)}</td>" if title else f'<td class="note">{html.escape(cell)}</td>'
            for title, cell in zip(head[1:], cells)
        ]
        lines.append(f"{row}<td>{first}</td>{''.join(rest)}</tr>")
    return "\n".join([*lines, "</tbody></table>"])
