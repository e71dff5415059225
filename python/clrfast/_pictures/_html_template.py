"""What every page has in common: its policy, its style, its script."""

from __future__ import annotations

from string import Template

# Begins each page, up to the end of the style that all share. The policy forbids the browser every request,
# whatever a name in the page or a later Plotly may try.
HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline';
 style-src 'unsafe-inline'; img-src data: blob:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>
:root { --ground: #fff; --ink: #222; --faint: #666; --grid: #e4e4e4; --chosen: #e8f0f8; --link: #0b57d0; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #16181c; --ink: #ddd; --faint: #999; --grid: #33363c; --chosen: #234; --link: #8ab4f8; }
}
* { box-sizing: border-box; }
body { background: var(--ground); color: var(--ink); font: 15px/1.45 system-ui, sans-serif;
  margin: 1em auto; max-width: 1200px; padding: 0 1em; }
a { color: var(--link); }
h1 { font-size: 1.3em; overflow-wrap: anywhere; }
table { border-collapse: collapse; font-size: 0.9em; }
th, td { padding: 0.15em 0.8em; text-align: left; vertical-align: top; }
th { background: var(--ground); position: sticky; top: 0; }
#table { overflow: auto; }
#curve { height: clamp(420px, 80vh, 640px); margin-top: 0.5em; }
.hint, summary { color: var(--faint); font-size: 0.9em; }
@media (max-width: 600px) {
  body { padding: 0 0.6em; }
  th, td { padding: 0.15em 0.5em; }
}
"""
HINT = """\
<p class="hint">Drag or turn the wheel to zoom, drag with Shift or along an axis to pan, click twice to go
back; click an entry of the legend to hide what it names.</p>"""
# Defines draw(figure), which fits a figure to this screen and these colours; where they change, the page's
# own show() is called.
DRAW = """\
const narrow = matchMedia("(max-width: 600px)");
const dark = matchMedia("(prefers-color-scheme: dark)");
function fitted(layout) {
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--ink").trim();
  const axis = { color: ink, linecolor: ink, gridcolor: style.getPropertyValue("--grid").trim() };
  const margin = narrow.matches ? { ...layout.margin, l: 48, r: 8 } : layout.margin;
  return {
    ...layout,
    margin,
    font: { color: ink, size: narrow.matches ? 11 : 12 },
    paper_bgcolor: "rgba(0, 0, 0, 0)",
    plot_bgcolor: "rgba(0, 0, 0, 0)",
    modebar: { bgcolor: "rgba(0, 0, 0, 0)", color: "#888", activecolor: ink },
    xaxis: { ...layout.xaxis, ...axis },
    yaxis: { ...layout.yaxis, ...axis },
    ...(layout.yaxis2 && { yaxis2: { ...layout.yaxis2, ...axis, zerolinecolor: ink } }),
  };
}
function draw(figure) {
  Plotly.react("curve", figure.data, fitted(figure.layout), {
    displaylogo: false,
    doubleClick: "reset",
    modeBarButtonsToRemove: ["lasso2d", "select2d"],
    responsive: true,
    scrollZoom: true,
    showSendToCloud: false,
  });
}
narrow.addEventListener("change", show);
dark.addEventListener("change", show);
"""

PAGE = Template(
    HEAD
    + """h2 { font-size: 1.1em; overflow-wrap: anywhere; }
h2:empty { display: none; }
pre { overflow-x: auto; }
#table { max-height: 40vh; }
td { white-space: nowrap; }
td:first-child { min-width: 10em; overflow-wrap: anywhere; white-space: normal; }
td.note { min-width: 22em; white-space: normal; }
tr.shown { background: var(--chosen); }
.verdict { margin-top: 0.8em; }
summary { cursor: pointer; }
@media (max-width: 600px) { .rows, .between { display: none; } }
@media (max-width: 900px) { tr[data-run] .note { display: none; } } /* the verdict says it, too */
$style</style>
</head>
<body>
<h1>$title</h1>
<div id="table">$table</div>
$together
<h2 id="name"></h2>
$cards
<div id="curve"></div>
"""
    + HINT
    + """
<details><summary>All numbers</summary><pre id="text"></pre></details>
<script>$plotly</script>
<script type="application/json" id="runs">$runs</script>
<script>
const runs = JSON.parse(document.getElementById("runs").textContent);
"""
    + DRAW
    + """function show() {
  const run = runs.find(run => "#" + run.id === location.hash) || runs[0];
  document.getElementById("name").textContent = runs.length > 1 ? run.name : "";
  document.getElementById("text").textContent = run.text;
  document.querySelector("details").hidden = !run.text;
  for (const row of document.querySelectorAll("tbody tr"))
    row.classList.toggle("shown", row.dataset.run === run.id);
  for (const card of document.querySelectorAll(".verdict"))
    card.hidden = card.dataset.run !== run.id;
  draw(run.figure);
}
addEventListener("hashchange", show);
show();
</script>
</body>
</html>
"""
)
