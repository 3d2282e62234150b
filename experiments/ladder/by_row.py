"""The nines of report 003's table, row by row: a part of the ladder's page."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import experiments.digit_addition.nines as nines
import jaxae as ae
from experiments.ladder.rungs import Facts, Results
from jaxae.report.numbers import listed, plural
from jaxae.report.page import markdown_table

FOLDER = "pictures"  # beside the page
TABLES = (
    "digit_addition_table", "digit_addition_sum_32", "digit_addition_sum", "digit_addition_sum_128",
    "digit_addition_sum_course",
)  # fmt: skip


def tables_of(results: Results, facts: Facts) -> dict[str, ae.Findings]:
    """The results that have rows of report 003's table to predict, and the variances of class means.

    These follow from the training images, so they hold for a result that doesn't tell them but was trained on the same.
    """
    own = {name: with_variances(results[name], facts) for name in TABLES if name in results}
    return {name: found for name, found in own.items() if nines.predictions(found)}


def with_variances(found: ae.Findings, facts: Facts) -> ae.Findings:
    """A result with the stored variances, where it tells none and its training images are those that they are of."""
    trained, stored_of = (
        {(entry["role"], entry["sha256"]) for entry in data if entry["split"].startswith("train")}
        for data in (found.origin.data, facts["data"])
    )
    if "variances" in found.facts or not trained & stored_of:
        return found
    return dataclasses.replace(found, facts={"variances": facts["variances"], **found.facts})


def rows_section(name: str, found: ae.Findings) -> str:
    """What survives on paper beside what was seen."""
    bars = [departure.words for departure in found.departures if departure.bars]
    said = [f"- {told(kind, of)}" for kind, of in nines.verdicts(found).items()]
    said += [f"- Not comparable with what is reported: {'; '.join(bars)}."] if bars else []
    drawn = nines.figures(found)
    shown = [picture_of(name, what, each) for what, each in drawn.items()]
    tables = [
        f"<details><summary>{each.title}</summary>\n\n{each.note}\n\n{markdown_table(each)}\n\n</details>"
        for each in nines.tables(found)
    ]
    config = found.config
    pairs = listed([*nines.verdicts(found)])
    head = f"## Nines, row by row, on {pairs} pairs: the KL's {config.kl} over batches of {config.batch_size} ({name})"
    return "\n\n".join([head, "\n".join(said), *shown, *tables])


def picture_of(name: str, what: str, drawn: Any) -> str:
    """A picture, and beneath it what its figure's note says."""
    return "\n\n".join(filter(None, [f"![{drawn.title}]({FOLDER}/{name}_{what}.png)", drawn.note]))


def told(kind: str, of: Mapping[str, Any]) -> str:
    """The verdict on the prediction, of one kind of pairs."""
    rank = "dimensions and active units have no rank correlation, one being the same in all rows or the rows being few"
    if of["rank"] is not None:
        ends = " ({:+.2f} to {:+.2f})".format(*of["ends"]) if of["ends"] else ""
        rank = f"the rank correlation of dimensions with active units is {of['rank']:+.2f}{ends}"
    drawn = "no row draws one digit alone"
    if of["collapsed"]:
        read = f"read as 9 in {of['nines']} of {plural(of['read'], 'training')}"
        read += f", nearest to the mean 9 in {of['near']}" if of["near"] is not None else ""
        drawn = f"one picture alone is drawn in row{'s' * (len(of['collapsed']) > 1)} {listed(of['collapsed'])}, {read}"
    return f"On {kind} pairs {of['codes']}; {rank}; {drawn}."
