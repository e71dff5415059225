"""What ``clrfast analyze`` shows: a table, JSON, a picture, a page."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clrfast._cli._output import tell, warn
from clrfast._cli._read import Results, Run
from clrfast._visible import visible
from clrfast._write import write_file
from clrfast.analysis._analysis import picture_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from clrfast.analysis import Analysis, Suggestion

MOST_RUNS = 500  # whose curves a page has: 50 kB and more each


def summary(analysis: Analysis) -> dict[str, object]:
    """Return what ``--json`` prints: the two bounds first, then all that the analysis says of itself."""
    base_lr, max_lr = analysis.suggestion.bounds
    return {"base_lr": base_lr, "max_lr": max_lr, **analysis.to_dict()}


def entry(result: Run | str) -> dict[str, object]:
    """Return the summary of a run, and, where rules were compared, what each suggests, ours first."""
    if isinstance(result, str):
        return {"base_lr": None, "max_lr": None, "error": result}
    if not result.others:
        return summary(result.analysis)
    ours = result.analysis.suggestion
    suggestions = {ours.rule: ours, **result.others}
    return {
        **summary(result.analysis),
        "rules": [
            {"rule": rule, "base_lr": None, "max_lr": None, "error": found}
            if isinstance(found, str)
            else {"rule": rule, **found.to_dict()}
            for rule, found in suggestions.items()
        ],
    }


def table(found: Results) -> list[tuple[str, ...]]:
    """Return a header and a row for each run and rule: how many rows, the range, how sure it is, and why."""
    rows: list[tuple[str, ...]] = [("run", "rows", "rule", "base_lr", "max_lr", "between", "confidence", "")]
    for name, result in found.items():
        if isinstance(result, str):
            rows.append((name, "", "", "", "", "", "", result))
            continue
        count = f"{result.analysis.n:,}"
        ours = result.analysis.suggestion
        mark = " (ours)" if result.others else ""
        rows.append((name, count, ours.rule + mark, *_cells(ours)))
        rows += [(name, count, rule, *_cells(other)) for rule, other in result.others.items()]
    empty = [number for number, column in enumerate(zip(*rows[1:])) if number > 0 and not any(column)]
    return [tuple(cell for number, cell in enumerate(row) if number not in empty) for row in rows]


def _cells(found: Suggestion | str) -> tuple[str, ...]:
    if isinstance(found, str):
        return ("-", "-", "", "", found)
    interval = found.max_lr_interval
    return (
        *("-" if lr is None else f"{lr:.2e}" for lr in found.bounds),
        "" if interval is None else f"{interval[0]:.2e} and {interval[1]:.2e}",
        found.confidence or "",
        "; ".join(found.reasons),
    )


def text(rows: list[tuple[str, ...]]) -> str:
    """Return a table in columns, numbers of rows to the right; no cell can forge another row."""
    rows = [tuple(map(visible, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if name == "rows" else cell.ljust(width)
            for name, cell, width in zip(rows[0], row, widths)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def save_plot(
    analysis: Analysis, path: str | Path, title: str, others: Mapping[str, Suggestion | str] | None = None
) -> None:
    """Save the picture of `analysis` in the format that the name says."""
    from matplotlib.figure import Figure

    from clrfast._pictures._matplotlib import plot

    figure = Figure(figsize=(8, 5), layout="constrained")
    drawn = picture_of(analysis, _suggested(others or {}))
    ax = plot(drawn, figure.subplots(), intervals=True, legend=True)
    ax.set_title(visible(title), loc="left", parse_math=False)
    save_figure(figure, path)


def save_comparison(found: Results, path: str | Path, title: str) -> None:
    """Save one picture of all runs that could be analysed, coloured by `max_lr` where they are many."""
    from matplotlib.figure import Figure

    from clrfast._pictures._compare import MOST_IN_LEGEND, Key, compare_tests

    runs = _most({name: result for name, result in found.items() if isinstance(result, Run)}, path)
    pictures = {name: picture_of(run.analysis) for name, run in runs.items()}
    rates = [run.analysis.suggestion.bounds[1] for run in runs.values()]
    numbers = np.array([math.nan if rate is None else rate for rate in rates])
    key = Key(None, "", True) if len(runs) <= MOST_IN_LEGEND else Key(numbers, "max_lr", False)
    figure = Figure(figsize=(8, 5), layout="constrained")
    ax = compare_tests(pictures, key, figure.subplots())
    ax.set_title(visible(title), loc="left", parse_math=False)
    save_figure(figure, path)


def save_figure(figure: Figure, path: str | Path) -> None:
    """Save a figure in the format that the name says."""
    picture = io.BytesIO()  # so that nothing is written if drawing fails
    figure.savefig(picture, dpi=150, format=Path(path).suffix[1:].lower())
    _save(path, picture.getvalue())


def save_html(found: Results, path: str | Path, title: str) -> None:
    """Save the page of all runs."""
    from clrfast._pictures._html_page import page

    runs = _most({name: result for name, result in found.items() if isinstance(result, Run)}, path)
    several = len(found) > 1 or any(run.others for run in runs.values())
    pictures = {name: picture_of(run.analysis, _suggested(run.others)) for name, run in runs.items()}
    text = page(title, pictures, table(found) if several else ())
    _save(path, text.encode("utf-8", "backslashreplace"))  # names of files need not be text


def _most(runs: Mapping[str, Run], path: str | Path) -> Mapping[str, Run]:
    """Return so many runs as can be shown, and say where that is not all of them."""
    if len(runs) <= MOST_RUNS:
        return runs
    warn(f"{path} has the curves of the first {MOST_RUNS:,} of {len(runs):,} runs")
    return dict(islice(runs.items(), MOST_RUNS))


def _suggested(others: Mapping[str, Suggestion | str]) -> dict[str, Suggestion]:
    return {rule: found for rule, found in others.items() if not isinstance(found, str)}


def _save(path: str | Path, data: bytes) -> None:
    write_file(path, data)
    tell(f"Saved {path}")
