"""The reports, as the cards of their studies name them: title, course, and the code that their authors published."""

import re
from collections.abc import Iterable
from typing import NamedTuple

SOURCE = re.compile(r'Source "([^"]+)" \(([^)]+)\), (\d{3})_[0-9a-f]+\.txt')  # of a card whose lines are joined
CODE = re.compile(r"Code (https://\S+)")


class Source(NamedTuple):
    """A report: its number, its title, the course that it was written for, and where its code is, "" if it isn't."""

    report: str
    title: str
    course: str
    code: str

    @property
    def words(self) -> str:
        """In Markdown."""
        code = f" ([its author's code]({self.code}))" if self.code else ""
        return f"*{self.title}*, {self.course}{code}"


def source_of(card: str | None) -> Source | None:
    """The report that a run card names; None where it names none."""
    text = " ".join((card or "").split())
    code, found = CODE.search(text), SOURCE.search(text)
    return Source(found[3], found[1], found[2], code[1] if code else "") if found else None


def sources_list(sources: Iterable[Source | None]) -> str:
    """A line for every report, once."""
    found = {source.report: source for source in sources if source}
    return "\n".join(f"- **{report}** {source.words}" for report, source in sorted(found.items()))
