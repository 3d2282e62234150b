"""What cured the nines: that balanced pairs alone left them, and ValueToLatent was the essential change (5.1.1)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import experiments.digit_addition.nines as nines
import experiments.digit_addition.pictures as pictures
import jaxae as ae
from experiments.digit_addition.measures import SHARE
from experiments.digit_addition.outcomes import NEAR, NINES, NUMBER
from experiments.digit_addition.recipes import ROWS
from jaxae.report import numbers
from jaxae.report.statements import mostly

CHANGES = {  # what an arm of the report's 5.1.1 changes in the VAE that saw nines, on pairs of either kind
    "vae": "balanced pairs and ValueToLatent", "vae {}": "ValueToLatent alone",
    "vae plain": "balanced pairs alone", "vae {} plain": "neither",
}  # fmt: skip


def changes_at(found: ae.Findings, row: str) -> dict[str, str]:
    """The four VAEs with the weights of a row of the table, or with those that they have without, and their changes."""
    kind = unbalanced(found, row)
    return {f"{arm.format(kind)} {row}".strip(): change for arm, change in CHANGES.items()}


def unbalanced(found: ae.Findings, row: str) -> str:
    """The kind of pairs that aren't balanced of which both VAEs were trained, the course's first."""
    both = [f"vae course {row}".strip(), f"vae course plain {row}".strip()]
    return "course" if found.measures.keys() >= {*both} else "natural"


def by_row(found: ae.Findings) -> dict[str, Mapping[str, Any]]:
    """`cured` of the table's rows of which all four were trained; those of which it says the same have one name."""
    told = {row: seen for row in ROWS if (seen := cured(found, row))}
    alike: dict[str, list[str]] = {}
    for row, seen in told.items():
        alike.setdefault(str(seen), []).append(row)
    return {numbers.listed(rows): told[rows[0]] for rows in alike.values()}


def cured(found: ae.Findings, row: str = "") -> Mapping[str, Any]:
    """Which changes leave most seeds with one digit or two and which don't, and the pairs that aren't balanced; nothing
    where not all four were trained."""
    changes = changes_at(found, row)
    if not found.measures.keys() >= changes.keys() or any(found.slow.get(arm) for arm in changes):
        return {}
    one = {arm: few(found, arm).mean() > 0.5 for arm in changes}
    return {
        "collapsed": [f"with {change}" for arm, change in changes.items() if one[arm]],
        "not": [f"with {change}" for arm, change in changes.items() if not one[arm]],
        "near": near(found, [arm for arm in changes if one[arm]]),
        "pairs": nines.CALLED[unbalanced(found, row)],
    }


def aside(found: ae.Findings) -> tuple[str, str]:
    """For the table of all reports: with which changes one digit or two are drawn, where a row's weights were tried."""
    told = [
        f"at {rows} {numbers.listed(of['collapsed'])}" + (f", not {numbers.listed(of['not'])}" if of["not"] else "")
        for rows, of in by_row(found).items()
        if of["collapsed"]
    ]
    if not told:
        return "", ""
    how = f"{numbers.plural(len(found.seeds), 'seed')}, {numbers.plural(found.config.epochs, 'epoch')}"
    barred = "" if found.judged else ", not comparable"
    kl = f"with the KL summed over batches of {found.config.batch_size} " if found.config.kl == "sum" else ""
    return "cures", f"{kl}one digit or two, whatever the sum, are drawn {'; '.join(told)} ({how}{barred})."


def near(found: ae.Findings, arms: Sequence[str]) -> str:
    """In words, what share of what these arms draw is nearest to the mean nine; empty where it isn't measured."""
    shares = [round(100 * float(found.values(arm, NEAR).mean())) for arm in arms if found.has(arm, NEAR)]
    return f"{' to '.join(map(str, sorted({min(shares), max(shares)})))}%" if shares else ""


def few(found: ae.Findings, arm: str) -> np.ndarray:
    """1 of each seed that draws one digit or one of two, whatever the sum, else 0: the report's two grades of nines."""
    return found.values(arm, f"outcome/{NINES}") + found.values(arm, f"outcome/{NUMBER}")


def answers(found: ae.Findings, row: str = "") -> list[int]:
    """For and against the report's words on what cured the nines: that balanced pairs alone leave them, and that
    ValueToLatent beside them doesn't; 0 where there is nothing to cure, and none without the four VAEs."""
    if not cured(found, row):
        return []
    one = {}
    for arm, change in changes_at(found, row).items():
        hits = few(found, arm)
        one[change] = mostly(int(hits.sum()), len(hits))
    if one[CHANGES["vae {} plain"]] < 1:
        return [0]
    return [one[CHANGES["vae plain"]], -one[CHANGES["vae"]]]


def tables(found: ae.Findings) -> list[ae.Table]:
    """How many of a VAE's images are read as a + b, and as the commonest digit, with each change."""
    return [table(found, row) for row in ("", *ROWS) if cured(found, row)]


def table(found: ae.Findings, row: str) -> ae.Table:
    """The same at the weights of one row."""
    cells = []
    for arm, change in changes_at(found, row).items():
        digit = pictures.shares(found, arm)[found.living(arm)].mean(0).argmax()
        names = ("test/accuracy", NEAR, SHARE)
        values = (100 * found.values(arm, name) for name in names if found.has(arm, name))
        cells.append([change, *(numbers.portion(share, tested(found)) for share in values), str(digit)])
    columns = (
        ("Changed in the VAE", "text"), ("Read as a + b", "number"),
        *([("Nearest to the mean nine", "number")] if len(cells[0]) > 4 else []),
        ("Read as the commonest digit", "number"), ("Which is", "number"),
    )  # fmt: skip
    where = f", with the weights of {row}" if row else ""
    return ae.Table(f"What cured the nines: shares of a VAE's images{where}", columns, cells)


def tested(found: ae.Findings) -> int:
    """How many test images, and pairs, there are."""
    return next((entry["n"] for entry in found.origin.data if entry["split"].startswith("test")), 1)
