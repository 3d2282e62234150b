"""A gallery of runs: cards, runs of one experiment side by side, what lies between two; a page, and for the terminal.

The page is one file: pictures are in it, and it takes nothing from elsewhere. Links to reports are relative to it.
"""

import math
import warnings
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from typing import Any, NamedTuple

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from jaxae.findings import Contrast, Row
from jaxae.report.document import Table
from jaxae.report.live import policy
from jaxae.report.numbers import NONE, is_lone, number, plural, printed, reproduced
from jaxae.report.rendering import MARKS, read_template, render
from jaxae.report.tables import differing, judged, shown_verdict

MARK = '<meta name="generator" content="jaxae index">'  # by which a page is known to be one that may be written anew
STATES = {"finished": "green", "running": "cyan", "interrupted": "yellow", "left to resume": "yellow", "failed": "red"}
WIDTH, HEIGHT = 640, 640  # pixels of a card's picture, at most
FEW = 3  # runs that a terminal shows whole, and side by side; of more it has a line each, and the page the rest


class Card(NamedTuple):
    """A run, as a gallery shows it.

    state       one of STATES; a run is "left to resume" where its process ended without a word
    conclusion  Markdown: the first sentence that is said of it
    tally       how many numbers of a report have which verdict
    alarms      what must not be overlooked
    note        what to do with it, or why nothing is said of it
    link        the address of its report, beside the page; or nothing
    picture     a JPEG, or nothing
    """

    name: str
    title: str
    command: str
    device: str
    seeds: str
    state: str
    conclusion: str = ""
    tally: Sequence[tuple[str, int]] = ()
    alarms: Sequence[str] = ()
    note: str = ""
    link: str = ""
    picture: bytes = b""

    @property
    def source(self) -> str:
        """The picture itself, as an address."""
        return f"data:image/jpeg;base64,{b64encode(self.picture).decode()}" if self.picture else ""


class Comparison(NamedTuple):
    """Runs of one experiment: its title, the tables that are shown, and those that are folded."""

    title: str
    shown: Sequence[Table]
    folded: Sequence[Table]


class Gallery(NamedTuple):
    """All of it; `problems` are sentences on what can't be shown."""

    cards: Sequence[Card]
    comparisons: Sequence[Comparison]
    problems: Sequence[str]


def gallery_page(gallery: Gallery) -> str:
    """The page, HTML."""
    style = "\n".join(map(read_template, ("page.css", "index.css")))
    facts = {"gallery": gallery, "plural": plural, "mark": MARK, "style": style, "policy": policy(())}
    return render("index.html", facts)


def thumbnail(content: bytes) -> bytes:
    """A picture, whole, as a small JPEG. Raises ValueError, OSError or SyntaxError for what is none, or is so
    large that Pillow warns of it."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(BytesIO(content)) as image:
                small = image.convert("RGB")
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise ValueError(str(error)) from None
    small.thumbnail((WIDTH, HEIGHT))
    out = BytesIO()
    small.save(out, format="JPEG", quality=82)
    return out.getvalue()


# ---- runs of one experiment


def settings_table(names: Sequence[str], settings: Sequence[Mapping[str, str]]) -> Table:
    """The settings {name: value} in which runs differ, a column for each."""
    every = dict.fromkeys(setting for of in settings for setting in of)
    rows = [(setting, *(of.get(setting, "") for of in settings)) for setting in every]
    rows = [row for row in rows if len({*row[1:]}) > 1]
    columns = [("Setting", "code"), *((name, "text") for name in names)]
    return Table("Settings that differ", columns, rows, "" if rows else "None: all are the same.")


def numbers_table(title: str, names: Sequence[str], runs: Sequence[Sequence[Row]], *, claims: bool) -> Table:
    """The reports' numbers, each with its verdict, or the other measures: a line for each, a column for every run."""
    found = [{_key(row): row for row in (judged(rows) if claims else _others(rows))} for rows in runs]
    first = {key: row for of in reversed(found) for key, row in of.items()}
    order = dict.fromkeys(key for of in found for key in of)
    told = [("Reported", "number")] if claims else []
    rows = [
        (first[key].arm, first[key].metric, *([printed(first[key])] if claims else []),
         *(_cell(of[key]) if key in of else "" for of in found))
        for key in order
    ]  # fmt: skip
    columns = [("Arm", "text"), ("Measure", "code"), *told, *((name, "number") for name in names)]
    lone = any(is_lone(row) for of in found for row in of.values())
    return Table(title, columns, rows, "Of one seed there are no intervals." if lone else "")


def _others(rows: Sequence[Row]) -> list[Row]:
    apart = {id(row) for row in differing(rows)}
    return [row for row in rows if row.reported is None and id(row) not in apart]


def _key(row: Row) -> tuple[Any, ...]:
    return row.arm, row.metric, row.reported


def _cell(row: Row) -> str:
    """The number with its interval, and its verdict's mark."""
    return f"{reproduced(row)} {MARKS.get(shown_verdict(row), '')}".strip()


# ---- what lies between two


def contrast_tables(names: Sequence[str], found: Sequence[Contrast]) -> tuple[Table, Table]:
    """The numbers that differ, and those that can't be told apart."""
    known = [one for one in found if one.ends is not None and not one.same]
    apart = [one for one in found if one.apart]
    equal = sum(one.same for one in found)
    how = {True: "paired by seed", False: "Welch's, as the runs' living seeds aren't the same"}
    kinds = " or ".join(how[paired] for paired in sorted({one.paired for one in known}, reverse=True))
    note = f"Of {plural(len(found), 'number')} that both runs have, {equal or 'none'} {_are(equal)} equal to the bit."
    if unknown := sum(not one.same and one.ends is None and not one.shared for one in found):
        note += f" {plural(unknown, 'number')} more differ{'s' * (unknown == 1)}, of too few seeds to tell from chance."
    if known:
        out = sum(one.apart for one in known)
        note += f" Of {plural(len(known), 'difference')} with a 95% interval ({kinds}), {out or 'none'} "
        note += f"{'leaves' if out == 1 else 'leave'} out 0; by chance alone {0.05 * len(known):.1f} would."
    columns = (("Arm", "text"), ("Measure", "code"), *((name, "number") for name in names), ("Difference", "number"))
    open_ = [one for one in found if not one.apart and not one.same]
    return (
        Table("Numbers that differ", columns, [_line(one) for one in apart], note),
        Table("Numbers that can't be told apart", columns, [_line(one) for one in open_]),
    )


def _line(one: Contrast) -> tuple[str, ...]:
    return one.first.arm, one.first.metric, _number(one, one.first), _number(one, one.second), _difference(one)


def _number(one: Contrast, row: Row) -> str:
    if not one.shared:
        return reproduced(row)
    return f"{row.mean:,.0f}" if row.mean is not None and row.mean.is_integer() else number(row.mean)


def _difference(one: Contrast) -> str:
    """The difference, and its interval's half-width where there is one, to the uncertainty: one digit of that, or two
    of what begins with 1 or 2."""
    half = (one.ends[1] - one.ends[0]) / 2 if one.ends else 0.0
    if not half:
        return number(one.difference)
    power = math.floor(math.log10(half))
    places = (1 if half / 10**power < 3 else 0) - power
    if not 0 <= places <= 6:
        return f"{number(one.difference)} ± {half:.0e}"
    return f"{one.difference:,.{places}f} ± {half:,.{places}f}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


# ---- the terminal


def gallery_console(gallery: Gallery) -> RenderableType:
    """The cards, of more than a few a line each, and what differs between two runs, for 80 columns."""
    parts: list[RenderableType] = [(_cards if len(gallery.cards) <= FEW else _lines)(gallery.cards)]
    for comparison in gallery.comparisons:
        if len(gallery.cards) <= FEW or not _is_wide(comparison.shown):
            parts += [Text(comparison.title, "bold"), Text()]
            parts += [part for table in comparison.shown for part in _shown(table)]
    return Group(*parts, *(Text(f"left out: {problem}", "yellow") for problem in gallery.problems))


def _cards(cards: Sequence[Card]) -> Grid:
    shown = _grid(("run", "left"), ("what it is, and what was found", "left"))
    for card in cards:
        shown.add_row(Text("\n").join([Text(card.name), _state(card), Text(card.seeds)]), _about(card))
        shown.add_row("", "")
    return shown


def _lines(cards: Sequence[Card]) -> Grid:
    shown = _grid(("run", "left"), ("study", "left"), ("seeds", "right"), ("what was found", "left"))
    for card in cards:
        found = [Text(_tally(card)), *(Text(alarm, "bold red") for alarm in card.alarms), Text(card.note, "yellow")]
        state = [_state(card)] if card.state != "finished" else []
        told = Text("\n").join(part for part in [*state, *found] if part)
        shown.add_row(Text(card.name), Text(card.title.partition(":")[0]), card.seeds.partition(" ")[0], told)
    return shown


def _state(card: Card) -> Text:
    return Text(card.state, STATES.get(card.state, ""))


def _tally(card: Card) -> str:
    return ", ".join(f"{MARKS.get(verdict, '')} {count} {verdict}".strip() for verdict, count in card.tally)


def _about(card: Card) -> Text:
    lines = [
        (card.title, "bold"),
        (card.command, ""),
        (f"on {card.device}", "dim"),
        *((a, "bold red") for a in card.alarms),
    ]
    lines += [(card.conclusion, ""), (_tally(card), ""), (card.note, "yellow")]
    return Text("\n").join(Text(text, style) for text, style in lines if text)


def _is_wide(tables: Sequence[Table]) -> bool:
    """Whether there are columns for more runs than a terminal shows."""
    return any(len(table.columns) > FEW + 2 for table in tables)


def _shown(table: Table) -> Iterable[RenderableType]:
    """A table without a fourth run: the page has the others, side by side."""
    if _is_wide([table]):
        return [Text(f"{table.title}: on the page"), Text()]
    shown = _grid(*((name, "right" if kind == "number" else "left") for name, kind in table.columns))
    for row in table.rows:
        shown.add_row(*(Text(str(cell) or NONE) for cell in row))
    parts: list[RenderableType] = [Text(table.title, "underline"), *([shown] if table.rows else [])]
    return [*parts, *([Text(table.note, "dim")] if table.note else []), Text()]


def _grid(*columns: tuple[str, Any]) -> Grid:
    shown = Grid(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for name, justify in columns:
        shown.add_column(Text(name), justify=justify, overflow="fold")
    return shown
