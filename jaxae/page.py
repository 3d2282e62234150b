"""A document as data, and how it reads as Markdown and as one self-contained HTML page."""

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from struct import unpack
from typing import Any

VERDICTS = {"reproduced": "✓", "explained": "≈", "differs": "≠", "not comparable": "○"}
NONE = "—"


@dataclass(frozen=True)
class Heading:
    """Opens a section."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    """A paragraph; words in `backticks` are code."""

    text: str


@dataclass(frozen=True)
class Banner:
    """What must not be overlooked: `kind` is "alarm" or "notice"."""

    kind: str
    title: str
    items: Sequence[str] = ()


@dataclass(frozen=True)
class Tally:
    """How many numbers got which verdict."""

    counts: Sequence[tuple[str, int]]


@dataclass(frozen=True)
class Facts:
    """Names and values; values in `backticks` are code."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Table:
    """Columns (name, kind) and their rows of strings; kinds are text, code, number, verdict and detail."""

    columns: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Picture:
    """A figure: the file beside the page holds its title, the one within (`png`) leaves it to the caption."""

    number: int
    file: str
    title: str
    note: str
    png: bytes


def markdown(title: str, blocks: Sequence[Any]) -> str:
    """The document as GitHub reads it; pictures are links to files."""
    return "\n\n".join([f"# {_plain(title)}", *(MARKDOWN[type(block)](block) for block in blocks)]) + "\n"


def markdown_table(table: Table) -> str:
    """A Markdown table whose cells can't break it."""
    align = {"number": "---:"}
    lines = [[name for name, _ in table.columns], [align.get(kind, "---") for _, kind in table.columns]]
    kinds = [kind for _, kind in table.columns]
    lines += [[_markdown_cell(cell, kind) for cell, kind in zip(row, kinds, strict=True)] for row in table.rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def html(title: str, blocks: Sequence[Any]) -> str:
    """The document as one file that needs nothing else: no script, no font, no picture from elsewhere."""
    body = "\n".join(HTML[type(block)](block) for block in blocks)
    return PAGE.format(title=escape(title), heading=_inline(title), style=STYLE, body=body)


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;")


def _markdown_cell(cell: str, kind: str) -> str:
    text = " ".join(str(cell).split())
    if kind == "code" and text and "`" not in text:
        return f"`{text}`".replace("|", "\\|")
    if kind == "verdict" and text in VERDICTS:
        return f"{VERDICTS[text]} {text}"
    return (_plain(text) or NONE * (kind != "detail")).replace("|", "\\|")


def _markdown_banner(block: Banner) -> str:
    mark = {"alarm": "CAUTION", "notice": "IMPORTANT"}[block.kind]
    lines = [f"[!{mark}]", f"**{_plain(block.title)}**", *([""] if block.items else [])]
    return "\n".join(f"> {line}".rstrip() for line in [*lines, *(f"- {_plain(item)}" for item in block.items)])


def _markdown_picture(block: Picture) -> str:
    alt = _plain(block.title).replace("[", "\\[").replace("]", "\\]")
    return f"![{alt}]({block.file})" + (f"\n\n{_plain(block.note)}" if block.note else "")


def _tally(block: Tally) -> str:
    return " · ".join(f"**{verdict}: {count}**" for verdict, count in block.counts)


MARKDOWN: dict[type, Any] = {
    Heading: lambda block: f"{'#' * block.level} {_plain(block.text)}",
    Text: lambda block: _plain(block.text),
    Banner: _markdown_banner,
    Tally: _tally,
    Facts: lambda block: "\n".join(f"- **{_plain(name)}**: {_plain(value) or NONE}" for name, value in block.pairs),
    Table: markdown_table,
    Picture: _markdown_picture,
}


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(str(text)))


def _badge(verdict: str, count: int | str = "") -> str:
    name = verdict.replace(" ", "-") if verdict in VERDICTS else "other"
    words = f"{VERDICTS.get(verdict, '')} {verdict} {count}".strip()
    return f'<span class="badge {name}">{escape(words)}</span>'


def _html_banner(block: Banner) -> str:
    items = "".join(f"<li>{_inline(item)}</li>" for item in block.items)
    listed = f"<ul>{items}</ul>" if items else ""
    return f'<div class="banner {block.kind}" role="note"><strong>{_inline(block.title)}</strong>{listed}</div>'


def _html_facts(block: Facts) -> str:
    pairs = "".join(f"<dt>{escape(name)}</dt><dd>{_inline(value) or NONE}</dd>" for name, value in block.pairs)
    return f"<dl>{pairs}</dl>"


def _html_cell(cell: str, kind: str) -> str:
    if kind == "verdict":
        return f"<td>{_badge(cell) if cell else NONE}</td>"
    text = f"<code>{escape(cell)}</code>" if kind == "code" and cell else escape(cell) or NONE
    return f'<td class="{kind}">{text}</td>'


def _html_row(table: Table, row: Sequence[str]) -> str:
    """The cells, and below them the details, which are sentences, over the whole width."""
    both = list(zip(table.columns, row, strict=True))
    cells = [_html_cell(cell, kind) for (_, kind), cell in both if kind != "detail"]
    parts = [f"<b>{escape(name)}</b> {_inline(cell)}" for (name, kind), cell in both if kind == "detail" and cell]
    details = "".join(f"<span>{part}</span> " for part in parts)
    below = f'<tr class="details"><td colspan="{len(cells)}"><p>{details.strip()}</p></td></tr>' if details else ""
    return f"<tbody><tr>{''.join(cells)}</tr>{below}</tbody>"


def _html_table(block: Table) -> str:
    head = "".join(f'<th class="{kind}">{escape(name)}</th>' for name, kind in block.columns if kind != "detail")
    rows = "\n".join(_html_row(block, row) for row in block.rows)
    return f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead>\n{rows}</table></div>'


def _html_picture(block: Picture) -> str:
    width, height = (round(side / 1.5) for side in unpack(">II", block.png[16:24]))  # 150 dots for 100 CSS pixels
    source = f"data:image/png;base64,{b64encode(block.png).decode()}"
    image = f'<img src="{source}" width="{width}" height="{height}" alt="{escape(block.title)}">'
    caption = f"<b>Figure {block.number}.</b> {_inline(block.title)}"
    note = f"<br>{_inline(block.note)}" if block.note else ""
    return f'<figure><div class="card" tabindex="0">{image}</div><figcaption>{caption}{note}</figcaption></figure>'


HTML: dict[type, Any] = {
    Heading: lambda block: f"<h{block.level}>{_inline(block.text)}</h{block.level}>",
    Text: lambda block: f"<p>{_inline(block.text)}</p>",
    Banner: _html_banner,
    Tally: lambda block: f'<p class="tally">{" ".join(_badge(verdict, count) for verdict, count in block.counts)}</p>',
    Facts: _html_facts,
    Table: _html_table,
    Picture: _html_picture,
}

STYLE = """
:root { color-scheme: light dark; --page: #fff; --ink: #1f2328; --muted: #59636e; --line: #d9dee3; --soft: #f5f7f9;
  --green: #116329; --green-soft: #dafbe1; --red: #a40e26; --red-soft: #ffebe9; --blue: #0550ae; --blue-soft: #ddf4ff;
  --gray: #424a53; --gray-soft: #eaeef2; --amber: #7d4e00; --amber-soft: #fff8c5; --alarm: #b3122b; }
@media (prefers-color-scheme: dark) { :root { --page: #0f1318; --ink: #e6e9ed; --muted: #9aa4af; --line: #2d343c;
  --soft: #171c22; --green: #7ee2a0; --green-soft: #123620; --red: #ffa7a1; --red-soft: #47171a; --blue: #8cc7ff;
  --blue-soft: #10304f; --gray: #c3cbd4; --gray-soft: #2a3138; --amber: #ecc56a; --amber-soft: #332a10; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.6 system-ui, -apple-system, "Segoe UI",
  Roboto, "Helvetica Neue", Arial, sans-serif; -webkit-text-size-adjust: 100%; }
main { max-width: 1064px; margin: 0 auto; padding: 2.5rem 2rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.25; letter-spacing: -0.01em; margin: 0 0 .75rem; text-wrap: balance; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 2.75rem 0 .9rem; padding-top: 1.1rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.75rem 0 .5rem; }
p { max-width: 46rem; margin: .6rem 0; }
code { font: .875em ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  overflow-wrap: anywhere; }
.banner { border-left: 4px solid var(--amber); background: var(--amber-soft); color: var(--ink); border-radius: 4px;
  padding: .7rem 1rem; margin: 1.1rem 0; }
.banner ul { margin: .3rem 0 0; padding-left: 1.2rem; }
.banner.alarm { border: 0; background: var(--alarm); color: #fff; font-size: 1.05rem; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .3rem 1.25rem; margin: 1rem 0; }
dt { color: var(--muted); } dd { margin: 0; overflow-wrap: anywhere; }
.scroll, .card { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .925rem; font-variant-numeric: tabular-nums; }
th { text-align: left; color: var(--muted); font-weight: 600; font-size: .8rem; white-space: nowrap;
  border-bottom: 1px solid var(--line); padding: .4rem .9rem .4rem 0; }
td { padding: .5rem .9rem .5rem 0; vertical-align: baseline; }
td code { overflow-wrap: normal; white-space: nowrap; }
.number { text-align: right; white-space: nowrap; }
tbody { border-bottom: 1px solid var(--line); }
.details td { padding-top: 0; color: var(--muted); font-size: .875rem; line-height: 1.5; }
.details p { margin: 0 0 .15rem; max-width: 62rem; } .details span { margin-right: .9rem; }
.details b { font-weight: 600; margin-right: .25rem; }
.badge { display: inline-block; border-radius: 999px; padding: .08rem .65rem; font-size: .82rem; font-weight: 600;
  white-space: nowrap; color: var(--gray); background: var(--gray-soft); }
.badge.reproduced { color: var(--green); background: var(--green-soft); }
.badge.differs { color: var(--red); background: var(--red-soft); }
.badge.explained { color: var(--blue); background: var(--blue-soft); }
.tally .badge { font-size: .95rem; padding: .2rem .85rem; margin: 0 .3rem .3rem 0; }
figure { margin: 1.5rem 0 2.25rem; }
.card { background: #fff; border: 1px solid var(--line); border-radius: 8px; padding: .75rem; }
.card img { display: block; height: auto; max-width: 100%; margin: 0 auto; }
figcaption { color: var(--muted); font-size: .925rem; margin-top: .6rem; max-width: 46rem; }
figcaption b { color: var(--ink); }
@media (max-width: 640px) { main { padding: 1.5rem 1rem 3rem; } h1 { font-size: 1.5rem; }
  .card { padding: .5rem; } .card img { min-width: 600px; } td.text { white-space: nowrap; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; }
  .details p { max-width: calc(100vw - 2rem); position: sticky; left: 0; } }
@media print { .card { break-inside: avoid; } h2 { break-after: avoid; } }
""".strip()

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
<main>
<h1>{heading}</h1>
{body}
</main>
</body>
</html>
"""
