"""Prose with numbers in it: Markdown templates, which whoever edits words can edit.

A template (Jinja2, beside the study that it words) has two parts, divided by a line of three hyphens: the conclusions,
bullets of one sentence each, and the notes on how it was measured. Numbers are given to it; it says how they are shown,
by the filters of `numbers`: `{{ gain | rounded }} dB`.
"""

import functools
import re
from pathlib import Path
from typing import Any, NamedTuple

from jaxae.report.numbers import FILTERS

DIVIDER = re.compile(r"^---[ \t]*$", re.MULTILINE)


class Words(NamedTuple):
    """What a template says: conclusions and notes, Markdown both."""

    conclusions: str
    notes: str


def words(template: Path, **facts: Any) -> Words:
    """A template's words for these facts. Raises jinja2.UndefinedError, by name, for a fact that it lacks."""
    text = _environment(template.parent).get_template(template.name).render(**facts)
    first, *rest = DIVIDER.split(text, maxsplit=1)
    return Words(tidy(first), tidy("".join(rest)))


def tidy(text: str) -> str:
    """Bullets one below the other, paragraphs one blank line apart, each on one line."""
    blocks = re.split(r"\n\s*\n|\n(?=- |\d+\. )", text.strip())
    lines = [" ".join(block.split()) for block in blocks if block.strip()]
    joined = ""
    for before, line in zip(["", *lines], lines, strict=False):
        close = before.startswith("- ") and line.startswith("- ")
        joined += ("" if not before else "\n" if close else "\n\n") + line
    return joined


@functools.cache
def _environment(folder: Path) -> Any:
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        autoescape=False,
    )  # fmt: skip
    made.filters |= FILTERS
    return made
