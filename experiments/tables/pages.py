"""The pages: one for every study, one that counts verdicts, and the README's table of the reports."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments import ladder
from experiments.benchmark import table as benchmark_table
from experiments.benchmark.contents import load_content
from experiments.tables.counts import APART, Said, chance, verdicts_table
from experiments.tables.picture import picture
from experiments.tables.sources import sources_list
from jaxae.findings import VERDICTS
from jaxae.findings.claims import NOT_COMPARABLE
from jaxae.report.document import Table
from jaxae.report.key_pictures import pictures_of
from jaxae.report.page import images_of, markdown_table, section
from jaxae.report.tables import EQUAL, EXPLANATION, claimed, has_verdicts
from jaxae.run.cost import cost_of
from jaxae.run.experiment import find_experiment
from jaxae.run.saved import load_result
from jaxae.run.terminal import duration

HERE = Path(__file__).parents[1]
README, RESULTS = HERE.parent / "README.md", HERE / "results" / "README.md"
PICTURE = HERE / "results" / "numbers.svg"
RESULTS_BLOCK, FINDINGS_BLOCK, REPORTS_BLOCK = "results", "findings", "reports"  # of the README
STUDY = re.compile(
    r"^(\| `experiments\.(\w+)` \|.*\|) [^|]* \|$", re.MULTILINE
)  # of the README's table, and its last cell
MADE = "Made by `python -m experiments.tables` from the JSON files of this folder, never by hand."
INTRO = f"""# Results

{MADE}"""
DATA = """Not all of CIFAR-10 was at hand where these were measured. "n = 5,438 of 50,000" is the part of it that was,
with the original pixels; "re-encoded as JPEG" is all of it with nearly the same pixels. A run on all images that were
at hand, in as many steps as the report's, is judged, though it saw fewer photos, each more often. With `--limit`, other
epochs, JPEG pixels or other first weights than the report's nothing is judged but what is exact."""
COUNTED = """A number counts once, whatever the files that hold it: in the reading that decides, and in the run of the
most seeds that can be judged. The margins, and which reading decides, were named from 25 to 29 November 2026, after
runs of these seeds had been seen. A run that is done again has the same seeds, and so nearly the same numbers:
"measured", when it began, doesn't say that they were new."""
RULE = f"""{EXPLANATION} A number that differs in the reading that decides is explained where another reading reproduces
it. Not comparable: the run isn't the report's, or has too few seeds."""


def pages() -> dict[Path, str]:
    """Every file as it should be: what today's code says of the saved findings."""
    timed = sorted(RESULTS.parent.glob("benchmark*.json"))
    results = [said_of(path) for path in results_files()]
    studies = dict.fromkeys(said.saved.experiment.name for said in results)
    made = {page_of(study): study_page(study, results) for study in studies}
    speed = [f"## {path.stem}\n\n{benchmark_table.markdown(load_content(path))}" for path in timed]
    made[page_of("benchmark")] = "\n\n".join(["# Speed", MADE, *speed]) + "\n"
    made[page_of("ladder")] = ladder.page({said.name: said.saved.findings for said in results})
    made[RESULTS] = index(results)
    made[PICTURE] = picture(results)
    readme = within(README.read_text(), RESULTS_BLOCK, reports_table(results))
    readme = within(readme, REPORTS_BLOCK, sources_list(said.source for said in results))
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


def file_of(said: Said) -> Path:
    """Where a result is."""
    return RESULTS.parent / f"{said.name}.json"


def page_of(study: str) -> Path:
    """Where a study's results are told."""
    return RESULTS.parent / f"{study}.md"


def study_page(study: str, results: Sequence[Said]) -> str:
    """All results of a study, what tells most first."""
    own = sorted((said for said in results if said.saved.experiment.name == study), key=_weight)
    title = own[0].saved.manifest["title"].rstrip(".")  # begins with the study's name
    parts = [_own_section(said, of_more_seeds(said, results)) for said in own]
    source = own[0].source
    about = [f"Report {source.report}: {source.words}."] if source else []
    return "\n\n".join([f"# {title}", MADE, *about, own[0].saved.experiment.summary, *parts]) + "\n"


def _own_section(said: Said, more: Sequence[Said]) -> str:
    """A result's part of the page, and where its arms stand again with more seeds, if they do."""
    made = {**said.saved.manifest, "command": command_of(said)}
    text = section(said.name, made, said.document, said.departures, pictures_of(file_of(said)))
    head, _, rest = text.partition("\n")
    note = f"\n\nAll of it is told again, by more seeds, in {', '.join(map(link, more))}." if more else ""
    return f"{head}{note}\n{rest}"


def command_of(said: Said) -> str:
    """The command that makes it: as it was given, with its local flags, unless defaults have changed since."""
    given, now = said.saved.manifest["command"], said.saved.experiment.command(said.saved.findings.config)
    return given if {*now.split()} <= {*given.split()} else now


def _weight(said: Said) -> tuple[bool, bool, int, str]:
    """What stands first: what is judged, holds numbers of a report, and has the most seeds."""
    found = said.saved.findings
    return not found.judged, not claimed(said.document.rows), -len(found.seeds), said.name


# ---- the page that counts


def index(results: Sequence[Said]) -> str:
    """How many numbers have which verdict, by report; what chance would give; every file, its departures and cost."""
    luck = chance(results)
    heads = ("Report", "Numbers", "Readings tried", f"{EQUAL}s", *VERDICTS)
    counts = Table("", [(head, "number") for head in heads], verdicts_table(results))
    words = (
        f"{luck['judged']:.0f} numbers are held against an interval. Were every reading right, {luck['outside']:.1f} "
        "of them would lie outside by chance. Had each been drawn anywhere within a factor of "
        f"{APART:g} of where it is, {luck['lucky']:.1f} would be called reproduced; {luck['reproduced']:.0f} are."
    )
    listed = [said for said in results if claimed(said.document.rows) or said.departures]
    parts = [
        INTRO, "## Verdicts", COUNTED, RULE, markdown_table(counts), words, DATA,
        f"[The ladder]({page_of('ladder').name}): the conventions between disputed numbers and ours, one at a time.",
        "## The reports", sources_list(said.source for said in results),
        "## Results", files_table(results),
        "## How they depart from the reports", departures_table(listed),
        "## What they cost", compute_table(results),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def link(said: Said, folder: str = "") -> str:
    """A link to a result's section."""
    return f"[{said.name}]({folder}{said.saved.experiment.name}.md#{said.name})"


def plain_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table of cells that are Markdown already."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows))


def files_table(results: Sequence[Said]) -> str:
    """Every file, what it was measured on, and how many pictures its page shows."""
    rows = []
    for said in results:
        pictures = str(len(pictures_of(file_of(said))) or "none until it is trained again")
        data, seeds = images_of(said.saved.manifest), str(len(said.saved.findings.seeds))
        seeds += f"; more in {', '.join(map(link, more))}" if (more := of_more_seeds(said, results)) else ""
        rows.append([link(said), said.report or "", data, seeds, said.saved.manifest["started"][:10], pictures])
    return plain_table(("result", "report", "data", "seeds", "measured", "pictures"), rows)


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


def departures_table(results: Sequence[Said]) -> str:
    """What bars a run from being judged, what is listed, its batch and its weights."""
    rows = []
    for said in results:
        config, found = said.saved.findings.config, said.departures
        starts = [str(source) for source in getattr(config, "pretrained", ())]
        weights = ", ".join("random" if source == "none" else f"from {source}" for source in starts) or "random"
        weights = "as the arms' names say" if getattr(config, "rungs", ()) else weights
        bars = any(departure.bars for departure in found)
        judged = "no" if bars else "yes" if has_verdicts(said.document.rows) else "no, too few seeds"
        words = "; ".join(departure.words for departure in found) or "none known"
        rows.append([link(said), judged, words, str(config.batch_size), str(config.epochs), weights])
    heads = ("result", "judged", "departs from the report's settings", "batch", "epochs", "first weights")
    return plain_table(heads, rows)


def compute_table(results: Sequence[Said]) -> str:
    """Hours of training, on what, and by which commit."""
    rows = []
    for said in results:
        manifest = said.saved.manifest
        device, seconds = manifest["device"], seconds_of(manifest)
        memory = manifest.get("peak_memory_gib")
        hours = f"{seconds / 3600 * cores_of(device):.2f}"
        kind = f"{device['count']} × {device['kind']} ({device['platform']})"
        commit = short_commit(str(manifest["git_commit"] or ""))
        told = "" if memory is None else f"{memory:.1f}"
        rows.append([link(said), kind, str(cores_of(device)), f"{seconds:,.0f}", hours, told, f"`{commit}`"])
    total = sum(float(row[4]) for row in rows)
    heads = ["result", "device", "cores", "seconds of training", "core hours", "memory, GiB", "commit"]
    noted = any(row[5] for row in rows)
    if not noted:
        heads, *rows = ([*cells[:5], *cells[6:]] for cells in [heads, *rows])
    timed = {said.saved.manifest["device"]["platform"] for said in results} - {"cpu"}
    words = f"In all {total:.1f} core hours, {' and '.join(sorted(timed)) or 'no accelerator'} among them."
    words += "" if noted else " None of these runs noted its peak memory, as newer ones do."
    return f"{plain_table(heads, rows)}\n\n{words}"


def short_commit(commit: str) -> str:
    """Its first digits, and whether there were changes beside it."""
    digits, plus, changes = commit.partition("+")
    return digits[:7] + plus + changes


def seconds_of(manifest: Mapping[str, Any]) -> float:
    """Of training, all arms together."""
    return sum(arm.get("wall_seconds", 0) for arm in manifest["arms"].values()) or manifest.get("wall_seconds", 0)


def cores_of(device: Mapping[str, Any]) -> int:
    """Of the processor; of an accelerator, how many there were."""
    return device.get("cores", 1) if device["platform"] == "cpu" else device["count"]


# ---- the README


def reports_table(results: Sequence[Said]) -> str:
    """A line for every report: what it claims, what is found, and why.

    Of a study that is the run of the most seeds, and of others what is found of numbers that those before don't judge,
    or beside them.
    """
    lines: dict[tuple[str, str], list[str]] = {}
    told: dict[str, set[float]] = {}
    for said in (said for said in sorted(results, key=_weight) if said.document.line):
        study, numbers = said.saved.experiment.name, judged_numbers(said)
        line = [cell.replace("|", "\\|") for cell in said.document.line[:3]]
        if study not in told:
            lines[said.report, study] = [f"[{study}](experiments/results/{study}.md)", *line]
        elif more := line[1] if numbers - told[study] else said.document.aside.replace("|", "\\|"):
            lines[said.report, study][2] = f"{lines[said.report, study][2].rstrip('.')}; {more}"
        told[study] = told.get(study, set()) | numbers
    rows = []
    for report in sorted({report for report, _ in lines}):
        own = [line for (of, _), line in lines.items() if of == report]
        rows.append([report, *("<br>".join(cells) for cells in zip(*own, strict=True))])
    return plain_table(("report", "study", "it says", "we find", "why"), rows)


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
    return f"{duration(cost.seconds)}{cores}" + (f", {cost.memory:.1f} GiB" if cost.memory else "")


def within(text: str, block: str, content: str) -> str:
    """The README `text` with this block, between two comments, made anew."""
    before, start, rest = text.partition(f"<!-- {block}:")
    comment, _, rest = rest.partition("\n")
    end, after = rest.partition(f"<!-- end of {block} -->")[1:]
    return f"{before}{start}{comment}\n\n{content}\n\n{end}{after}"
