"""A document as data: what is said of findings, before it is a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jaxae.errors import UsageError
from jaxae.findings import Row

KINDS = ("text", "code", "number", "verdict", "detail")  # of a column; details are sentences


@dataclass(frozen=True)
class Table:
    """Columns (name, kind), kinds being text, code, number, verdict and detail, and their rows of strings.

    `note` is Markdown, below it. Raises UsageError for another kind, and rows of another length.
    """

    title: str
    columns: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def __post_init__(self):
        for name, kind in self.columns:
            if kind not in KINDS:
                raise UsageError(
                    f"column {name!r} of {self.title!r} is of kind {kind!r}; take one of {', '.join(KINDS)}"
                )
        for row in self.rows:
            if len(row) != len(self.columns):
                raise UsageError(f"{self.title!r} has {len(self.columns)} columns and a row of {len(row)} cells")


def plain(text: Any) -> str:
    """Text that Markdown shows as it is, on one line."""
    return " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;")


@dataclass(frozen=True)
class Section:
    """A part of report.html that is made by code: HTML and JavaScript, both trusted, put there as they are.

    - `html`: without `<script>`, but for blocks of data; what shows only with JavaScript has the class "live", what
      shows only without it, and in print, "static"
    - `script`: runs once, at the page's end; the page lets no other run, and nothing load
    - `words`: Markdown, what report.md says in its place
    """

    title: str
    html: str
    script: str = ""
    words: str = ""


@dataclass(frozen=True)
class Document:
    """What is said of findings.

    - `conclusions`: Markdown: bullets of one sentence each, what was found
    - `rows`: claims with their verdicts, other measures, paired differences
    - `tables`: the study's own
    - `figures`: {name: a record of `figures`}, in their order
    - `key`: the name of the figure that the page shows first; without it the first pictures, or the first figure
    - `shown`: the names of the figures that a page of results shows; without them the page's first three
    - `sections`: parts that are made by code, above the figures
    - `notes`: Markdown: how it was measured, and what was decided where the report is silent
    - `trained_with`: in a few words how it was trained, where that isn't what the flags say; or nothing
    - `line`: Markdown, for a table of all reports: what this one says, what is found, and why; or nothing
    - `aside`: for the same table, what is found beside a study's first result, though nothing is judged: its topic, of
      which one is told for each study, and Markdown
    """

    conclusions: str
    rows: tuple[Row, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    notes: str = ""
    line: tuple[str, ...] = ()
    aside: tuple[str, str] = ("", "")
    key: str = ""
    shown: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    trained_with: str = ""
