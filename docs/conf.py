"""How the site is built: Sphinx reads the pages as Markdown (MyST) and runs the notebooks (MyST-NB)."""

from __future__ import annotations

import os
import re
import sys
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
# Keras asks for its backend, and everything else for one thread: CI's cores are shared.
os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("OMP_NUM_THREADS", "1")

SOURCE = "https://github.com/clrfast/clrfast/blob/main/"
# Pages whose text stands in the repository's root.
OF_THE_ROOT = {"changes": "CHANGELOG.md", "contributing": "CONTRIBUTING.md"}

project = "clrfast"
copyright = "the authors of clrfast"
version = release = version_of("clrfast")
extensions = [
    *("myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton", "sphinx_design"),
    "figures",
]
exclude_patterns = ["_build", "_ext", "_figures"]
nitpicky = (
    False  # words in single backticks are links where there is something to link to, and code elsewhere
)
default_role = "py:obj"
language = "en"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE.parent / "build" / "notebooks")
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the signatures of docstrings say more, in fewer words
autodoc_inherit_docstrings = False
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_custom_sections = ["Yields"]

html_theme = "furo"
html_title = "clrfast"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "source_repository": "https://github.com/clrfast/clrfast",
    "source_branch": "main",
    "source_directory": "docs/",
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def prepare(app: Any, docname: str, source: list[str]) -> None:
    """Make the text of a page of what is in its file."""
    if docname in OF_THE_ROOT:
        path = HERE.parent / OF_THE_ROOT[docname]
        app.env.note_dependency(str(path))
        text = re.sub(r"\]\((?:docs/)(?=[^)]+\.md)", "](", path.read_text(encoding="utf-8"))
        source[0] = re.sub(r"\]\((?=(?:benchmarks|python|src|tests)/)", f"]({SOURCE}", text)
        return
    up = re.escape("../" * (docname.count("/") + 1))
    source[0] = re.sub(rf"\]\({up}(?!\.)([^)]+)\)", rf"]({SOURCE}\1)", source[0])


def setup(app: Any) -> None:
    """Enter what the pages need beyond the extensions."""
    app.connect("source-read", prepare)
