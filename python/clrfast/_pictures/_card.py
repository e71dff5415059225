"""The verdict on a range test as HTML: the rates, how sure they are and why, what to do next."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from clrfast._pictures._picture import Mark, Picture

# The colours follow the page, or the notebook, around the card.
STYLE = """
.clrfast-card { border: 1px solid #8886; border-left: 6px solid #888; border-radius: 6px; padding: .6em 1em; }
.clrfast-card.high { border-left-color: #2ca02c; }
.clrfast-card.medium { border-left-color: #e6a100; }
.clrfast-card.low { border-left-color: #d62728; }
.clrfast-card dl { display: flex; flex-wrap: wrap; gap: .4em 2.2em; margin: 0; }
.clrfast-card dt { font-size: .85em; opacity: .75; }
.clrfast-card dd { margin: 0; font-size: 1.5em; font-weight: 600; line-height: 1.2; }
.clrfast-card dd small { display: block; font-size: .57em; font-weight: normal; opacity: .75; }
.clrfast-card p, .clrfast-card ul { margin: .5em 0 0; }
.clrfast-card ul { padding-left: 1.2em; }
.clrfast-card code { overflow-wrap: anywhere; background: #8882; border-radius: 3px; padding: 0 .25em; }
"""


def card(picture: Picture) -> str:
    """Return the card of a range test; it needs `STYLE`."""
    found = {bound.name: bound for bound in picture.bounds}
    facts = [_fact(name, found.get(name)) for name in ("max_lr", "base_lr")]
    sure = picture.confidence or "not said"
    facts.append(
        f"<div><dt>confidence</dt><dd>{html.escape(sure)}{_small(f'rule {picture.rule}')}</dd></div>"
    )
    return (
        f'<div class="clrfast-card {html.escape(picture.confidence or "")}"><dl>{"".join(facts)}</dl>'
        f"{_list('Why not surer', picture.reasons)}{_list('What next', picture.advice)}</div>"
    )


def _fact(name: str, bound: Mark | None) -> str:
    if bound is None:
        return f"<div><dt>{name}</dt><dd>none</dd></div>"
    between = "" if bound.interval is None else _small("between {:.2g} and {:.2g}".format(*bound.interval))
    return f"<div><dt>{name}</dt><dd>{bound.lr:.3g}{between}</dd></div>"


def _small(text: str) -> str:
    return f"<small>{html.escape(text)}</small>"


def _list(title: str, sentences: Iterable[str]) -> str:
    items = "".join(f"<li>{_sentence(sentence)}</li>" for sentence in sentences)
    return f"<p>{title}</p><ul>{items}</ul>" if items else ""


def _sentence(text: str) -> str:
    """Return a sentence with its code marked as such."""
    return re.sub("`([^`]*)`", r"<code>\1</code>", html.escape(text, quote=False))
