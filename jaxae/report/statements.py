"""What a report states in words, statement by statement, and whether it holds."""

from collections.abc import Iterable, Sequence

from jaxae.findings import NOT_COMPARABLE, share_interval
from jaxae.report.document import Document, Table

HOLDS, PARTLY, FAILS, OPEN, ABSENT = "holds", "in part", "doesn't hold", "undecided", "not judged here"
ROWS, SHOWN, JUDGEMENT = "see the rows", "shown", "a judgement"  # a number, a picture, what nothing measures
TOLD = HOLDS, PARTLY, FAILS, OPEN  # by what was trained
SAID = (*TOLD, ABSENT, ROWS, SHOWN, JUDGEMENT, NOT_COMPARABLE)  # what can be said of a statement
WHATEVER = "!"  # after it: whatever was trained, so that no other setting bars it
TITLE = "The report, statement by statement"
COLUMNS = (("It says", "text"), ("Where", "text"), ("Verdict", "verdict"), ("We find", "text"))


def verdict(sides: int | Iterable[int]) -> str:
    """What one or several answers come to, each 1 for the statement, -1 against it or 0 where it doesn't tell.

    >>> verdict(1), verdict([1, -1]), verdict([-1, 0]), verdict([])
    ('holds', 'in part', 'undecided', 'not judged here')
    """
    found = {*sides} if isinstance(sides, Iterable) else {sides}
    if not found:
        return ABSENT
    if {1, -1} <= found:
        return PARTLY
    return OPEN if 0 in found else HOLDS if 1 in found else FAILS


def mostly(count: int, of: int) -> int:
    """Whether most of all seeds do what `count` of `of` do: 1 or -1 where the exact interval leaves out one half."""
    low, high = share_interval(count, of) if of else (0, 1)
    return 1 if low > 0.5 else -1 if high < 0.5 else 0


def statements(bullets: Sequence[str], judged: bool) -> tuple[Table, ...]:
    """A table of bullets "statement | where it stands | verdict | what is found", or none.

    In a run that isn't `judged` nothing is told but what holds or doesn't whatever was trained. Raises ValueError for a
    bullet of another form, and a verdict that isn't in SAID.
    """
    return (Table(TITLE, COLUMNS, [_row(bullet, judged) for bullet in bullets]),) if bullets else ()


def _row(bullet: str, judged: bool) -> tuple[str, ...]:
    cells = bullet.split(" | ", maxsplit=3)
    if len(cells) < 4:
        raise ValueError(
            f"{bullet!r} isn't a statement, where it stands, a verdict and what is found, divided by ' | '"
        )
    says, where, said, found = cells
    word = said.strip().removesuffix(WHATEVER)
    if word not in SAID:
        raise ValueError(f"the statement {says!r} has the verdict {word!r}; write one of {', '.join(SAID)}")
    barred = word in TOLD and not judged and not said.strip().endswith(WHATEVER)
    return says, where, NOT_COMPARABLE if barred else word, found


def of_document(document: Document) -> Sequence[Sequence[str]]:
    """The statements that a document judges: rows of COLUMNS."""
    return next((table.rows for table in document.tables if table.title == TITLE), ())
