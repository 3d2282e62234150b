"""Where results and their pages are, and links between them."""

from collections.abc import Sequence
from pathlib import Path

from experiments.tables.counts import Said

HERE = Path(__file__).parents[1]
README, RESULTS = HERE.parent / "README.md", HERE / "results" / "README.md"
MADE = "Made by `python -m experiments.tables` from the JSON files of this folder, never by hand."


def file_of(said: Said) -> Path:
    """Where a result is."""
    return RESULTS.parent / f"{said.name}.json"


def page_of(study: str) -> Path:
    """Where a study's results are told."""
    return RESULTS.parent / f"{study}.md"


def link(said: Said, folder: str = "") -> str:
    """A link to a result's section."""
    return f"[{said.name}]({folder}{said.saved.experiment.name}.md#{said.name})"


def plain_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table of cells that are Markdown already."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows))


def of_more_seeds(said: Said, results: Sequence[Said]) -> list[Said]:
    """The results in which all its arms stand again, trained as here by more seeds; none where an arm doesn't."""
    found, study = said.saved.findings, said.saved.experiment.name
    beside = [
        other
        for other in results
        if other.saved.experiment.name == study
        and other.departures == said.departures
        and len(other.saved.findings.seeds) > len(found.seeds)
        and other.saved.findings.measures.keys() & found.measures.keys()
    ]
    again = {arm for other in beside for arm in other.saved.findings.measures}
    return beside if again >= found.measures.keys() else []
