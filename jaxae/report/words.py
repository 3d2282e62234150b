"""Prose with numbers in it: Markdown templates, which whoever edits words can edit.

A template (Jinja2, beside the study that it words) has up to four parts, divided by lines of three hyphens: the
conclusions, bullets of one sentence each; the notes on how it was measured; three bullets for a table of all reports:
what this one says, what is found, and why, and if there is a fourth what is most worth knowing, in one line; and a
bullet for each statement that the report makes in words: the statement, where it stands, whether it holds and what is
found, divided by " | " (see `statements`). Numbers are given to it; it says how they are shown, by the filters of
`numbers`: `{{ gain | rounded }} dB`.
"""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxae.findings import Row
from jaxae.report.document import Document, Table
from jaxae.report.numbers import FILTERS
from jaxae.report.statements import mostly, statements, verdict

DIVIDER = re.compile(r"^---[ \t]*$", re.MULTILINE)


class Words(NamedTuple):
    """What a template says, all Markdown."""

    conclusions: str
    """bullets"""
    notes: str
    """paragraphs"""
    line: tuple[str, ...] = ()
    """the cells of its line in a table of reports"""
    statements: tuple[Table, ...] = ()
    """the report's statements, one table, or none"""

    def document(
        self, rows: Sequence[Row], tables: Sequence[Table] = (), figures: Mapping[str, Any] | None = None, **rest: Any
    ) -> Document:
        """A Document of these words, whose last table is that of the statements; `rest` as its fields."""
        shown = (*tables, *self.statements)
        return Document(self.conclusions, tuple(rows), shown, figures or {}, self.notes, self.line, **rest)


class TemplateError(Exception):
    """A template asks for a fact that it isn't given, or isn't Jinja2: which template, where and what."""


def words(template: Path, **facts: Any) -> Words:
    """A template's words for these facts; `<` and `&` of the facts are text. Raises TemplateError.

    A report's statements are told only where the fact `found`, of Findings, is judged: see `statements`.
    """
    import jinja2

    try:
        text = _environment(template.parent).get_template(template.name).render(**facts)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(f"{template}, line {error.lineno}: {error.message}") from error
    except jinja2.UndefinedError as error:
        raise TemplateError(f"{template}, line {_line(template, error)}: {error.message}") from error
    first, notes, line, said, *_ = [*map(tidy, DIVIDER.split(text, maxsplit=3)), "", "", ""]
    try:
        stated = statements(_bullets(said), getattr(facts.get("found"), "judged", False))
    except ValueError as error:
        raise TemplateError(f"{template}: {error}") from error
    return Words(first, notes, tuple(_bullets(line)), stated)


def _bullets(text: str) -> list[str]:
    return [line.removeprefix("- ") for line in text.splitlines() if line]


def tidy(text: str) -> str:
    """One blank line between blocks, none between bullets; what belongs to one paragraph or bullet on one line."""
    blocks = re.split(r"\n\s*\n|\n(?=\s*- )", text.strip())
    said = ""
    for block in (block for block in blocks if block.strip()):
        bullet = block.lstrip().startswith("- ")
        line = block.rstrip() if "|" in block or "```" in block else " ".join(block.split())
        close = bullet and said.rpartition("\n")[2].startswith("- ")
        said += ("\n" if close else "\n\n") * bool(said) + line
    return said


def _line(template: Path, error: Exception) -> int:
    """The line of the template at which it was rendered last."""
    found, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(template):
            found = trace.tb_lineno
        trace = trace.tb_next
    return found


@functools.cache
def _environment(folder: Path) -> Any:
    import jinja2
    from jinja2.sandbox import SandboxedEnvironment

    made = SandboxedEnvironment(
        loader=jinja2.FileSystemLoader(folder), undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        autoescape=False, finalize=_as_text,
    )  # fmt: skip
    made.filters |= {name: _defined(function) for name, function in FILTERS.items()} | {"verdict": verdict}
    made.globals["mostly"] = mostly
    return made


def _as_text(value: Any) -> Any:
    return value.replace("&", "&amp;").replace("<", "&lt;") if isinstance(value, str) else value


def _defined(function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, which names a fact that isn't there rather than stumbling over it."""
    import jinja2

    @functools.wraps(function)
    def filtered(value: Any, *arguments: Any) -> Any:
        return str(value) if isinstance(value, jinja2.Undefined) else function(value, *arguments)

    return filtered
