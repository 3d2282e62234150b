"""What a report states in words, statement by statement, and whether it holds."""

from collections.abc import Iterable, Sequence

from jaxae.findings import NOT_COMPARABLE, share_interval
from jaxae.report.document import Document, Table

HOLDS, PARTLY, FAILS, OPEN, ABSENT = "holds", "in part", "doesn't hold", "undecided", "not in this run"
ROWS, SHOWN, BY_EYE = "see the rows", "shown", "by eye"  # a number, a picture, nothing that can be measured
DECIDED = HOLDS, PARTLY, FAILS
SAID = (*DECIDED, OPEN, ABSENT, ROWS, SHOWN, BY_EYE, NOT_COMPARABLE)  # what can be said of a statement
WHATEVER = "!"  # after it: whatever was trained, so that no other setting bars it
TITLE = "The report, statement by statement"
COLUMNS = (("It says", "text"), ("Where", "text"), ("Verdict", "verdict"), ("We find", "text"))


def verdict(sides: int | Iterable[int]) -> str:
    """What one or several answers come to, each 1 for the statement, -1 against it or 0 where it doesn't tell.

    >>> verdict(1), verdict([1, -1]), verdict([-1, 0]), verdict([])
    ('holds', 'in part', 'undecided', 'not in this run')
    """
    found = {sides} if isinstance(sides, int) else {int(side) for side in sides}
    if not found:
        return ABSENT
    if {1, -1} <= found:
        return PARTLY
    return OPEN if 0 in found else HOLDS if 1 in found else FAILS


def mostly(count: int, of: int) -> int:
    """Whether most of all seeds do what `count` of `of` do: 1 or -1 where the exact interval leaves out one half."""
    low, high = share_interval(count, of)
    return 1 if low > 0.5 else -1 if high < 0.5 else 0


def statements(bullets: Sequence[str], judged: bool) -> tuple[Table, ...]:
    """A table of bullets "statement | where it stands | verdict | what is found", or none.

    In a run that isn't `judged` nothing is decided but what holds or doesn't whatever was trained. Raises ValueError
    for a bullet of another form, and a verdict that isn't in SAID.
    """
    return (Table(TITLE, COLUMNS, [_row(bullet, judged) for bullet in bullets]),) if bullets else ()


def _row(bullet: str, judged: bool) -> tuple[str, ...]:
    says, where, said, *found = bullet.split(" | ", maxsplit=3)
    word = said.strip().removesuffix(WHATEVER)
    if word not in SAID or not found:
        raise ValueError(f"the statement {says!r} has the verdict {word!r}; write one of {', '.join(SAID)}")
    barred = word in DECIDED and not judged and not said.strip().endswith(WHATEVER)
    return says, where, NOT_COMPARABLE if barred else word, found[0]


def of_document(document: Document) -> Sequence[Sequence[str]]:
    """The statements that a document judges: rows of COLUMNS."""
    return next((table.rows for table in document.tables if table.title == TITLE), ())
