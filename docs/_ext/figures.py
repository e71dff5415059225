"""Directives that draw: a figure in the colours of both schemes, a schedule beside its code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from docutils import nodes
from docutils.parsers.rst import directives
from drawings import DRAWINGS, draw_schedule
from matplotlib import style
from matplotlib.figure import Figure
from sphinx.util.docutils import SphinxDirective

HERE = Path(__file__).parent
FOLDER = HERE.parent / "_figures"
# Background and text are the page's own; sizes are those of a phone's width, where text must be read too.
COMMON: dict[str, Any] = {
    **{"savefig.transparent": True, "svg.fonttype": "none", "svg.hashsalt": "clrfast", "font.size": 10},
    **{"font.family": ["sans-serif"], "axes.spines.top": False, "axes.spines.right": False},
}
SCHEMES = {"light": ["default", COMMON], "dark": ["dark_background", COMMON]}
SIZE = (5.4, 3.4)

Draw = Callable[[Figure], None]


class Drawn(SphinxDirective):
    """Shows the drawing of this name from drawings.py, once for each scheme."""

    required_arguments = 1
    option_spec = {"alt": directives.unchanged_required, "height": float}  # noqa: RUF012 - as docutils has it

    def run(self) -> list[nodes.Node]:
        """Draw where it is not drawn yet."""
        name = self.arguments[0]
        function, *arguments = name.split(":")
        height = self.options.get("height", SIZE[1])

        def draw(figure: Figure) -> None:
            DRAWINGS[function](figure, *arguments)

        return images(self, re.sub(r"\W", "_", name), self.options["alt"], draw, height)


class DrawnSchedule(SphinxDirective):
    """Shows a schedule: its picture, and the code that makes it, which is the directive's content."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Draw where it is not drawn yet."""
        code, name = "\n".join(self.content), self.arguments[0]
        block = nodes.literal_block(code, code, language="python")

        def draw(figure: Figure) -> None:
            draw_schedule(figure, code)

        return [
            *images(self, f"schedule_{name}", f"The schedule {name}: rate against step", draw, 2.4),
            block,
        ]


class CommandHelp(SphinxDirective):
    """Shows what a command of ours says to --help."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Ask it."""
        command = [sys.executable, "-m", *self.arguments[0].split(), "--help"]
        text = subprocess.check_output(
            command, text=True, env={**os.environ, "COLUMNS": "90", "NO_COLOR": "1"}
        )
        return [nodes.literal_block(text, text, language="text")]


def images(directive: SphinxDirective, name: str, alt: str, draw: Draw, height: float) -> list[nodes.Node]:
    """Return the image of each scheme; they are drawn when they are older than what draws them."""
    sources = [
        *HERE.glob("*.py"),
        *(HERE.parent / "curves").iterdir(),
        Path(directive.env.doc2path(directive.env.docname)),
    ]
    for path in sources:
        directive.env.note_dependency(str(path))
    newest = max(path.stat().st_mtime for path in sources)
    found: list[nodes.Node] = []
    for scheme, styles in SCHEMES.items():
        path = FOLDER / f"{name}-{scheme}.svg"
        if not path.exists() or path.stat().st_mtime < newest:
            FOLDER.mkdir(exist_ok=True)
            with style.context(styles):
                figure = Figure(figsize=(SIZE[0], height), layout="constrained")
                draw(figure)
                figure.savefig(path, metadata={"Date": None})
        image = nodes.image(uri=f"/_figures/{path.name}", alt=alt, classes=["drawn", f"only-{scheme}"])
        found.append(image)
    return found


def setup(app: Any) -> dict[str, Any]:
    """Enter both directives."""
    mpl.use("agg")
    app.add_directive("drawn", Drawn)
    app.add_directive("drawn-schedule", DrawnSchedule)
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": False}
