"""The verdict on a range test as HTML: the rates, how sure they are and why, what to do next."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from clrfast._pictures._picture import Verdict

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


def card(verdict: Verdict) -> str:
    """Return the card of a range test; it needs `STYLE`."""
    facts = [_rate(name, *found) for name, found in verdict.rates.items()]
    facts.append(_fact("confidence", verdict.confidence or "not said", f"rule {verdict.rule}"))
    return (
        f'<div class="clrfast-card {html.escape(verdict.confidence or "")}"><dl>{"".join(facts)}</dl>'
        f"{_list('Why not surer', verdict.reasons)}{_list('What next', verdict.advice)}</div>"
    )


def facts_card(facts: Iterable[tuple[str, str]]) -> str:
    """Return a card of names and values; it needs `STYLE`."""
    return f'<div class="clrfast-card"><dl>{"".join(_fact(*each) for each in facts)}</dl></div>'


def _fact(name: str, value: str, note: str = "") -> str:
    name, value, note = map(html.escape, (name, value, note))
    return f"<div><dt>{name}</dt><dd>{value}{f'<small>{note}</small>' if note else ''}</dd></div>"


def _rate(name: str, lr: float | None, interval: tuple[float, float] | None) -> str:
    between = "" if interval is None else "between {:.2g} and {:.2g}".format(*interval)
    return _fact(name, "none" if lr is None else f"{lr:.3g}", between)


def _list(title: str, sentences: Iterable[str]) -> str:
    items = "".join(f"<li>{_sentence(sentence)}</li>" for sentence in sentences)
    return f"<p>{title}</p><ul>{items}</ul>" if items else ""


def _sentence(text: str) -> str:
    """Return a sentence with its code marked as such."""
    return re.sub("`([^`]*)`", r"<code>\1</code>", html.escape(text, quote=False))
