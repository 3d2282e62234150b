"""What is said: which measures bfloat16 changes."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

import jaxae as ae
from experiments.precision.measures import difference_name
from jaxae.report import numbers

TEMPLATE = Path(__file__).with_name("words.md")
UNLIKE = 3.0  # dB, a factor of two in squared error
UNLIKE_RMSE = 0.05  # of images in [0, 1], about as much where errors are those of a code of 2 numbers


def say(found: ae.Findings) -> ae.Document:
    """The differences, and those of them that can be told from 0."""
    ending = difference_name("", found.config)
    rows = tuple(row for row in found.rows() if row.metric.endswith(ending))
    known, apart = ae.results.leaving_out_zero(rows)
    words = ae.report.words(
        TEMPLATE,
        found=found,
        precision=found.config.precision,
        known=len(known),
        apart=[change(row, ending) for row in apart],
        unlike=[unlike(row, ending) for row in rows if is_unlike(row, ending)],
        untrained=found.facts.get("untrained", {}),
    )
    shown = [row for row in rows if not row.excluded and in_both(found, row, ending)]
    return words.document(rows, [both(found, shown, ending)] if shown else [])


def change(row: ae.results.Row, ending: str) -> dict[str, Any]:
    """A difference that can be told from 0: its size, and whether the measure is higher or lower."""
    side = ae.results.side_of_zero(np.array(row.values))
    return {
        "arm": row.arm, "metric": row.metric.removesuffix(ending), "side": side, "size": side * np.array(row.values)
    }  # fmt: skip


def is_unlike(row: ae.results.Row, ending: str) -> bool:
    """Whether the seeds' differences are too far apart for a mean to tell of any: by PSNR, or in a study without one by
    RMSE, of images in [0, 1]."""
    metric, apart = row.metric.removesuffix(ending), float(np.ptp(row.values))
    return (metric.startswith("test/psnr") and apart >= UNLIKE) or (metric == "test/rmse" and apart >= UNLIKE_RMSE)


def unlike(row: ae.results.Row, ending: str) -> dict[str, Any]:
    """A difference by seed."""
    return {"arm": row.arm, "metric": row.metric.removesuffix(ending), "values": row.values}


def in_both(found: ae.Findings, row: ae.results.Row, ending: str) -> list[str]:
    """A difference's measure in both precisions, in words; nothing where it isn't at hand.

    Results of before these were measures hold them as the words in which they were said.
    """
    metric = row.metric.removesuffix(ending)
    names = [f"{metric}, {precision}" for precision in found.config.both]
    if found.has(row.arm, *names):
        return [numbers.over_seeds(found.measures[row.arm][name]) for name in names]
    return [to_uncertainty(said) for said in found.facts.get("said", {}).get(f"{row.arm}, {metric}", [])]


def to_uncertainty(said: str) -> str:
    """A mean and a half-width as `numbers.rounded` gives them, of such in words; other words as they are."""
    mean, plus, half = said.partition(" ± ")
    if not plus or not Decimal(half):
        return said
    two = Decimal(half).as_tuple().digits[0] < 3
    unit = Decimal(1).scaleb(Decimal(half).adjusted() - two)
    return " ± ".join(f"{Decimal(part).quantize(unit):f}" for part in (mean, half))


def both(found: ae.Findings, rows: Sequence[ae.results.Row], ending: str) -> ae.Table:
    """Every measure in both precisions."""
    cells, apart = [], {row.arm for row in rows if is_unlike(row, ending)}
    apart |= {arm for arm, seeds in found.dead.items() if seeds}
    for row in rows:
        study, _, arm = row.arm.partition(": ")
        dead = ", ".join(map(str, found.dead.get(row.arm, ())))
        died = f" (seed {dead} died in one of them)" if dead else ""
        told = [*in_both(found, row, ending), numbers.reproduced(row)]
        if row.arm in apart:  # seeds that are averaged over nothing
            told = [*[numbers.NONE] * len(found.config.both), numbers.by_seed(row.values)]
        cells.append([study, arm + died, row.metric.removesuffix(ending), *told, str(row.n_seeds)])
    heads = (*found.config.both, f"{found.config.precision} - float32, by seed", "n")
    kinds = [("Study", "text"), ("Arm", "text"), ("Measure", "code"), *((head, "number") for head in heads)]
    return ae.Table(
        "Every measure in both precisions, mean over seeds; differences of unlike seeds by seed", kinds, cells
    )
