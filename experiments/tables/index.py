"""The page that counts: how many numbers and statements have which verdict, every file, its departures and cost."""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.tables.counts import (
    APART,
    ELSEWHERE,
    STATED,
    Said,
    chance,
    left_open,
    of_the_living,
    statements_table,
    verdicts_table,
)
from experiments.tables.places import MADE, file_of, link, of_more_seeds, page_of, plain_table
from experiments.tables.sources import sources_list
from jaxae.findings import VERDICTS
from jaxae.report.document import Table
from jaxae.report.key_pictures import pictures_of
from jaxae.report.page import images_of, markdown_table
from jaxae.report.tables import EQUAL, EXPLANATION, claimed, has_verdicts

INTRO = f"""# Results

{MADE}"""
DATA = """Not all of CIFAR-10 was at hand where these were measured. "n = 5,438 of 50,000" is the part of it that was,
with the original pixels; "re-encoded as JPEG" is all of it with nearly the same pixels. A run on all images that were
at hand, in as many steps as the report's, is judged, though it saw fewer photos, each more often. With `--limit`, other
epochs, JPEG pixels or other first weights than the report's nothing is judged but what is exact."""
COUNTED = """A number counts once, whatever the files that hold it: in the reading that decides, and in the run of the
most seeds that can be judged. The margins, and which reading decides, were named from 25 to 30 November 2026, after
runs of these seeds had been seen. A run that is done again has the same seeds, and so nearly the same numbers:
"measured", when it began, doesn't say that they were new."""
STATED_WHERE = """What the reports state in words, each statement once: told by a run that can be judged, where there is
one, of these by that of the most living seeds. Where a report gives no number, what counts as holding was named after
these runs had been seen. On the pages a statement is "not judged here" where the run trained or measured too little to
tell: that says nothing against it."""
RULE = f"""{EXPLANATION} A number that differs in the reading that decides is explained where another reading reproduces
it. Not comparable: the run isn't the report's, or has too few seeds."""


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
    stated = [(head, "number") for head in ("Report", "Statements", *STATED, ELSEWHERE)]
    listed = [said for said in results if claimed(said.document.rows) or said.departures]
    parts = [
        INTRO, "## Verdicts", COUNTED, RULE, markdown_table(counts),
        *filter(None, [left_open(results), of_the_living(results)]), words, DATA,
        STATED_WHERE, markdown_table(Table("", stated, statements_table(results))),
        f"[The ladder]({page_of('ladder').name}): the conventions between disputed numbers and ours, one at a time.",
        "## The reports", sources_list(said.source for said in results),
        "## Results", files_table(results),
        "## How they depart from the reports", departures_table(listed),
        "## What they cost", compute_table(results),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def files_table(results: Sequence[Said]) -> str:
    """Every file, what it was measured on, and how many pictures its page shows."""
    rows = []
    for said in results:
        pictures = str(len(pictures_of(file_of(said))) or "none until it is trained again")
        data, seeds = images_of(said.saved.manifest), str(len(said.saved.findings.seeds))
        seeds += f"; more in {', '.join(map(link, more))}" if (more := of_more_seeds(said, results)) else ""
        rows.append([link(said), said.report, data, seeds, said.saved.manifest["started"][:10], pictures])
    return plain_table(("result", "report", "data", "seeds", "measured", "pictures"), rows)


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
    timed = {said.saved.manifest["device"]["platform"] for said in results} - {"cpu"}
    words = f"In all {total:.1f} core hours, {' and '.join(sorted(timed)) or 'no accelerator'} among them."
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
