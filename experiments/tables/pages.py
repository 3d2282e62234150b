"""The pages: one for every study, one that counts verdicts, and the README's table of the reports."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments import ladder
from experiments.benchmark import table as benchmark_table
from experiments.benchmark.contents import load_content
from experiments.tables.counts import Said, left_open, of_the_living, tally
from experiments.tables.index import index
from experiments.tables.picture import drawn_rows, picture
from experiments.tables.places import MADE, README, RESULTS, file_of, link, of_more_seeds, page_of, plain_table
from experiments.tables.sources import sources_list
from jaxae.findings.claims import NOT_COMPARABLE
from jaxae.report import statements
from jaxae.report.curves import unlearned
from jaxae.report.document import Document
from jaxae.report.key_pictures import Shown, pictures_of
from jaxae.report.numbers import FEW, listed
from jaxae.report.page import section
from jaxae.report.tables import claimed
from jaxae.run.cost import cost_of
from jaxae.run.experiment import find_experiment
from jaxae.run.saved import load_result
from jaxae.run.terminal import duration

PICTURE = RESULTS.with_name("numbers.svg")
# of the README
RESULTS_BLOCK, FINDINGS_BLOCK, REPORTS_BLOCK, PICTURE_BLOCK = "results", "findings", "reports", "picture"
STUDY = re.compile(
    r"^(\| `experiments\.(\w+)` \|.*\|) [^|]* \|$", re.MULTILINE
)  # of the README's table, and its last cell
VERSIONS = (
    "Each section names the state of jaxae that it is of: two of them can differ by that as much as by machine or "
    "PyTorch, and only ratios within one compare."
)
ABOVE = "What stands above in the same words is left out."


def pages() -> dict[Path, str]:
    """Every file as it should be: what today's code says of the saved findings."""
    timed = sorted(RESULTS.parent.glob("benchmark*.json"))
    results = [said_of(path) for path in results_files()]
    studies = dict.fromkeys(said.saved.experiment.name for said in results)
    made = {page_of(study): study_page(study, results) for study in studies}
    speed = [f"## {path.stem}\n\n{benchmark_table.markdown(load_content(path))}" for path in timed]
    made[page_of("benchmark")] = "\n\n".join(["# Speed", MADE, VERSIONS, *speed]) + "\n"
    made[page_of("ladder")] = ladder.page({said.name: said.saved.findings for said in results})
    made[RESULTS] = index(results)
    made[PICTURE] = picture(results)
    readme = within(README.read_text(), RESULTS_BLOCK, reports_table(results))
    readme = within(readme, REPORTS_BLOCK, sources_list(said.source for said in results))
    readme = within(readme, PICTURE_BLOCK, picture_and_counts(results))
    return {README: with_costs(within(readme, FINDINGS_BLOCK, findings_list(results))), **made}


def pictures() -> dict[Path, bytes]:
    """The pictures that pages show. They aren't checked: another matplotlib draws other bytes of the same numbers."""
    found = {path.stem: load_result(path).findings for path in results_files()}
    return {RESULTS.parent / name: drawn for name, drawn in ladder.pictures(found).items()}


def results_files() -> list[Path]:
    """Those of studies."""
    return [path for path in sorted(RESULTS.parent.glob("*.json")) if not path.stem.startswith("benchmark")]


def said_of(path: Path) -> Said:
    """A results file, and what today's code says of it."""
    saved = load_result(path)
    return Said(path.stem, saved, saved.experiment.document(saved.findings))


def study_page(study: str, results: Sequence[Said]) -> str:
    """All results of a study, what tells most first."""
    own = sorted((said for said in results if said.saved.experiment.name == study), key=_weight)
    title = own[0].saved.manifest["title"].rstrip(".")  # begins with the study's name
    parts = [
        _own_section(said, document, of_more_seeds(said, results))
        for said, document in zip(own, without_repeats([said.document for said in own]), strict=True)
    ]
    source = own[0].source
    about = [f"Report {source.report}: {source.words}."] if source else []
    return "\n\n".join([f"# {title}", MADE, *about, own[0].saved.experiment.summary, *parts]) + "\n"


def without_repeats(documents: Sequence[Document]) -> list[Document]:
    """The same without the conclusions, and the answers to the report's statements, that one above has word by word."""
    told: set[Any] = set()
    return [_of_its_own(document, told) for document in documents]


def _of_its_own(document: Document, told: set[Any]) -> Document:
    """What isn't in `told`, to which it is added."""
    bullets, rows = document.conclusions.splitlines(), statements.of_document(document)
    fresh, answers = [line for line in bullets if line not in told], [row for row in rows if tuple(row) not in told]
    told.update(bullets, map(tuple, rows))
    tables = [
        dataclasses.replace(table, rows=answers, note=ABOVE * (len(answers) < len(rows)))
        if table.title == statements.TITLE else table
        for table in document.tables
        if table.title != statements.TITLE or answers
    ]  # fmt: skip
    return dataclasses.replace(document, conclusions="\n".join(fresh or [f"- {ABOVE}"]), tables=tuple(tables))


def _own_section(said: Said, document: Document, more: Sequence[Said]) -> str:
    """A result's part of the page, the files that it read, and where its arms stand again with more seeds, if they
    do."""
    made = {**said.saved.manifest, "command": command_of(said)}
    text = section(said.name, made, document, said.departures, pictures_said(said))
    head, _, rest = text.partition("\n")
    notes = [f"All of it is told again, by more seeds, in {', '.join(map(link, more))}."] if more else []
    notes += [files_words(said.saved.manifest["files"])] if said.saved.manifest.get("files") else []
    return "\n\n".join([head, *notes]) + f"\n{rest}"


def files_words(files: Sequence[Mapping[str, Any]]) -> str:
    """Which files of weights a run read, and where it is said how they are had."""
    read = {file["sha256"]: f"`{file['name']}` (SHA-256 {file['sha256'][:8]})" for file in files}
    where = "the README and CONTRIBUTING.md say where such files come from"
    return f"It read {listed(list(read.values()))}; {where}."


def pictures_said(said: Said) -> list[Shown]:
    """Its pictures; those of curves with the seeds in their means that don't learn yet, which a title doesn't tell."""
    shown, more = pictures_of(file_of(said)), unlearned(said.saved.findings)
    return [
        each._replace(title=f"{each.title.rstrip('.')}. {more}") if more and "curves" in each.name else each
        for each in shown
    ]


def command_of(said: Said) -> str:
    """The command that makes it: as it was given, with its local flags, unless defaults have changed since."""
    given, now = said.saved.manifest["command"], said.saved.experiment.command(said.saved.findings.config)
    return given if {*now.split()} <= {*given.split()} else now


def _weight(said: Said) -> tuple[bool, bool, int, str]:
    """What stands first: what is judged, holds numbers of a report, and has the most seeds."""
    found = said.saved.findings
    return not found.judged, not claimed(said.document.rows), -len(found.seeds), said.name


# ---- the README


def reports_table(results: Sequence[Said]) -> str:
    """A line for every report: what it claims, what is found, and why.

    Of a study that is the run of the most seeds, and of others what is found of numbers that those before don't judge,
    or the first that is found beside them on each topic.
    """
    lines: dict[tuple[str, str], list[str]] = {}
    told: dict[str, set[float]] = {}
    beside: set[tuple[str, str]] = set()
    for said in (said for said in sorted(results, key=_weight) if said.document.line):
        study, numbers = said.saved.experiment.name, judged_numbers(said)
        topic, aside = said.document.aside
        *line, aside = (cell.replace("|", "\\|") for cell in (*said.document.line[:3], aside))
        more = line[1] if numbers - told.get(study, set()) else "" if (study, topic) in beside else aside
        if study not in told:
            lines[said.report, study] = [f"[{study}](experiments/results/{study}.md)", *line]
        elif more:
            lines[said.report, study][2] = f"{lines[said.report, study][2].rstrip('.')}; {more}"
            beside.update([(study, topic)] if more == aside else [])
        told[study] = told.get(study, set()) | numbers
    rows = []
    for report in sorted({report for report, _ in lines}):
        own = [line for (of, _), line in lines.items() if of == report]
        rows.append([report, *("<br>".join(cells) for cells in zip(*own, strict=True))])
    return plain_table(("report", "study", "it says", "we find", "why"), rows)


def picture_and_counts(results: Sequence[Said]) -> str:
    """The picture of the numbers that are judged, and how many there are of all: it shows but a part."""
    count, file = len(drawn_rows(results)), PICTURE.relative_to(README.parent).as_posix()
    which = f"that could be judged by an interval of {FEW} seeds or more"
    drawn = (
        f"![The {count} reported numbers {which}, each beside the range in which 95% of our single runs fall]({file})"
    )
    told = f"The picture shows the {count} {which}."
    return f"{drawn}\n\n{' '.join(filter(None, [tally(results), left_open(results), told, of_the_living(results)]))}"


def findings_list(results: Sequence[Said]) -> str:
    """A line for every report, what is most worth knowing of it: the fourth bullet of its study's words."""
    told = {said.report: said.document.line[3] for said in sorted(results, key=_weight)[::-1] if said.document.line[3:]}
    return "\n".join(f"- **{report}** {words}" for report, words in sorted(told.items()))


def judged_numbers(said: Said) -> set[float]:
    """The reported numbers that a run judges in the reading that decides, mere counts left out."""
    rows = [row for row in claimed(said.document.rows) if row.primary and not row.exact]
    return {row.reported for row in rows if row.reported is not None and row.verdict != NOT_COMPARABLE}


def with_costs(text: str) -> str:
    """The README `text`, where the last cell of each study's line says what its defaults cost."""
    return STUDY.sub(lambda line: f"{line[1]} {cost_words(line[2])} |", text)


def cost_words(study: str) -> str:
    """How long a study's defaults take, on what, and with how much memory where that was measured."""
    experiment = find_experiment(f"experiments.{study}")
    cost = cost_of(experiment, experiment.config())
    if cost is None:
        return "not measured"
    cores = "" if cost.where.startswith("2 cores") else f" on {cost.where}"
    memory = f", {cost.memory:.1f} GiB" if cost.memory else ""
    return f"{duration(cost.seconds)}{cores}{memory}" + (
        f", by a run with {' '.join(cost.others)}" if cost.others else ""
    )


def within(text: str, block: str, content: str) -> str:
    """The README `text` with this block, between two comments, made anew."""
    before, start, rest = text.partition(f"<!-- {block}:")
    comment, _, rest = rest.partition("\n")
    end, after = rest.partition(f"<!-- end of {block} -->")[1:]
    return f"{before}{start}{comment}\n\n{content}\n\n{end}{after}"
