"""Documents' templates, and what they show things with: Markdown that loads nothing, tables, verdicts."""

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxae.report.document import Table, plain
from jaxae.report.numbers import NONE
from jaxae.report.statements import FAILS, HOLDS, OPEN, PARTLY
from jaxae.report.tables import EQUAL

TEMPLATES = Path(__file__).with_name("templates")
MARKS = {
    "reproduced": "✓",
    "explained": "≈",
    "differs": "≠",
    "inconclusive": "?",
    "not comparable": "○",
    EQUAL: "=",
    HOLDS: "✓",
    PARTLY: "≈",
    FAILS: "≠",
    OPEN: "?",
}
LONG = 8  # rows of a table, above which a page folds it
MANY = 60  # measures, above which a page folds them where they are all there is, and the terminal leaves them out


def render(template: str, facts: Mapping[str, Any]) -> str:
    """A template of these facts."""
    return _environment().get_template(template).render(**facts)


def read_template(name: str) -> str:
    """The text of a file among the templates."""
    return (TEMPLATES / name).read_text("utf-8").strip()


def script_of(*names: str) -> str:
    """A program of these files, which leaves no name behind."""
    return "\n\n".join(['(() => {\n"use strict";', *map(read_template, names), "})();"])


def markdown_table(table: Table) -> str:
    """A Markdown table whose cells can't break it."""
    kinds = [kind for _, kind in table.columns]
    heads = [markdown_cell(name, "text") for name, _ in table.columns]
    lines = [heads, ["---:" if kind == "number" else "---" for kind in kinds]]
    lines += [[markdown_cell(cell, kind) for cell, kind in zip(row, kinds, strict=True)] for row in table.rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def markdown_cell(cell: str, kind: str) -> str:
    """A cell as Markdown shows it: on one line, without what would end it."""
    text = " ".join(str(cell).split())
    if kind == "code" and text and "`" not in text:
        return f"`{text}`".replace("|", "\\|")
    if kind == "verdict" and text in MARKS:
        return f"{MARKS[text]} {text}"
    return (plain(text) or NONE * (kind != "detail")).replace("|", "\\|")


def code_span(text: Any) -> str:
    """Text as code, whatever backticks it holds."""
    text = " ".join(str(text).split())
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    space = " " * ("`" in text)
    return f"{fence}{space}{text}{space}{fence}"


def _details_of(table: Table, row: Sequence[str]) -> list[tuple[str, str]]:
    """The sentences of a row, each with its column's name: they go below the cells, over the whole width."""
    cells = zip(table.columns, row, strict=True)
    return [(name, words) for (name, kind), words in cells if kind == "detail" and words]


@functools.cache
def _environment() -> Any:
    import jinja2
    from markdown_it import MarkdownIt
    from markupsafe import Markup

    # arms, readings and settings are shown too: whatever they hold, the page takes nothing from elsewhere
    prose = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "link", "autolink"])
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True, autoescape=jinja2.select_autoescape(["html"]),
    )  # fmt: skip
    made.filters |= {
        "prose": lambda text: Markup(prose.render(text)),
        "inline": lambda text: Markup(prose.renderInline(str(text))),
        "trusted": Markup,
        "table": markdown_table,
        "plain": plain,
        "code": code_span,
        "sentence": lambda text: text if str(text).endswith((".", "?", "!")) else f"{text}.",
    }
    made.globals |= {"MARKS": MARKS, "NONE": NONE, "LONG": LONG, "MANY": MANY, "zip": zip, "details_of": _details_of}
    return made
