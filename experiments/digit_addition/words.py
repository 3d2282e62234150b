"""What is said: which models add, what cured the nines, what becomes of fractions, whether the adder overfits."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import experiments.digit_addition.cures as cures
import experiments.digit_addition.nines as nines
import experiments.digit_addition.pictures as pictures
import experiments.digit_addition.surviving as surviving
import experiments.digit_addition.ways as ways
import jaxae as ae
from experiments import digit_classifier
from experiments.digit_addition.measures import ACTIVE, RISE, UNITS
from experiments.digit_addition.method import VALIDATION, all_settings, claims
from experiments.digit_addition.outcomes import BLUR, CORRECT, DIGITS, NINES, OUTCOMES, PARTS, READINGS, SEEN, VALUES
from experiments.digit_addition.recipes import FRACTIONS, ROWS
from jaxae.report import numbers
from jaxae.report.explorer import explorer_sections

TEMPLATE = Path(__file__).with_name("words.md")
SHOWN = (  # on a page of results, the first
    "sums_mean", "table_course", "table_natural", "table", "pairs", "fractions", "digits_read",
)  # fmt: skip
LINED = 9  # digits to which any tenth can be added: all but 9
RISEN = 1  # percent by which an error that turns up lies above its lowest, at least


def say(found: ae.Findings) -> ae.Document:
    """All of it."""
    rows = found.rows(claims(found.config), shares=shares(found))
    trained = [arm for arm in all_settings(found.config) if arm in found.measures]
    models = [arm for arm in FRACTIONS if arm in trained]
    ends = by_outcome(found, trained)
    words = ae.report.words(
        TEMPLATE,
        found=found,
        adder=adder_rise(found),
        readings=READINGS,
        validation=VALIDATION,
        doubt=digit_classifier.doubt(found),
        **of_sums(found, rows, ends),
        **of_cures(found),
        **of_fractions(found, models, ends),
        **of_pairs(found),
    )
    tables = (
        outcome_table(found, rows, trained), *nines.tables(found), *fraction_tables(found, rows, models),
        *cures.tables(found), *ways.tables(found),
    )  # fmt: skip
    drawn = {**pictures.figures(found), **nines.figures(found)} if found.arrays else {}
    return words.document(
        rows,
        tables,
        drawn,
        aside=next((said for said in (cures.aside(found), nines.aside(found)) if said[1]), ("", "")),
        sections=explorer_sections(found, first=models[-1] if models else ""),
        shown=tuple(name for name in SHOWN if name in drawn)[:3],
    )


def of_sums(found: ae.Findings, rows: Sequence[ae.results.Row], ends: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """What the sums are read as, beside the report, and which dimensions of the code survive."""
    return {
        "slow": [arm for arm, seeds in found.slow.items() if seeds],
        "outcomes": {name: nines.grouped(arms) for name, arms in ends.items()},
        "reported": as_reported(rows),
        "nines": nines.verdicts(found),
        "one": surviving.ONE,
        "active": ACTIVE,
    }


def of_cures(found: ae.Findings) -> dict[str, Any]:
    """What ended the nines."""
    return {
        "cured": cures.cured(found),
        "cured_by_row": cures.by_row(found),
        "cures": [answer for row in ("", *ROWS) for answer in cures.answers(found, row)],
    }


def of_fractions(found: ae.Findings, models: Sequence[str], ends: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """What becomes of numbers with fractions, by those models that add: the others say nothing of them."""
    adding = [arm for arm in models if arm in ends[CORRECT]]
    return {
        "models": models,
        "adding": [short(arm) for arm in adding],
        "line": line_ranges(found, adding),
        "open_at_half": any(open_at_half(found, arm) for arm in adding),
    }


def of_pairs(found: ae.Findings) -> dict[str, Any]:
    """How often each sum is drawn, and which ways to draw pairs the report's histogram fits."""
    tried = found.facts.get("ways", {})
    return {
        "sums": found.facts.get("sums"),
        "ways": tried,
        "fitting": ways.fitting(tried),
        "published": ways.PUBLISHED,
        "many": ways.MANY,
    }


def shares(found: ae.Findings) -> dict[str, int]:
    """The measures that are percentages of images, and of how many, at least: those of 7, or of every digit."""
    names = {name for of in found.measures.values() for name in of if name.endswith(", %")}
    counts = {"line/": LINED * found.config.images, "7 + ": found.config.images}
    read = [name for name in names if "gray" not in name]
    return {name: count for name in read for start, count in counts.items() if name.startswith(start)}


def short(arm: str) -> str:
    """A row of the report's table, or the arm."""
    return arm.removeprefix("generative ")


# ---- the outcomes of sums


def by_outcome(found: ae.Findings, arms: Sequence[str]) -> dict[str, list[str]]:
    """The arms whose living seeds mostly have each outcome; under "" those of which no outcome has most. Without those
    of which a seed shows one picture because it was trained too little: that is no outcome."""
    sorted_out: dict[str, list[str]] = {name: [] for name in (*OUTCOMES, "")}
    for arm in (arm for arm in arms if not found.slow.get(arm)):
        most = [name for name in OUTCOMES if found.values(arm, f"outcome/{name}").mean() > 0.5]
        sorted_out[most[0] if most else ""].append(arm)
    return sorted_out


def as_reported(rows: Sequence[ae.results.Row]) -> dict[str, dict[str, int]]:
    """Of the reported outcomes, and of what is said of fractions: how many have which verdict, of those judged."""
    verdicts = {
        (row.arm, row.metric): row.verdict  # where seeds died, the row without them is later
        for row in rows
        if row.reported is not None and row.verdict not in ("", ae.results.NOT_COMPARABLE)
    }
    kinds = {"outcomes": "outcome/", "fractions": "fractions/"}
    found = {}
    for kind, start in kinds.items():
        own = [word for (_, metric), word in verdicts.items() if metric.startswith(start)]
        words = ("reproduced", ae.results.REPRODUCED), ("open", ae.results.INCONCLUSIVE)
        found[kind] = {"judged": len(own), **{name: own.count(word) for name, word in words}}
    return found


def verdict(rows: Sequence[ae.results.Row], arm: str, metric: str) -> tuple[str, str]:
    """In how many living seeds an arm is what a claim says, and its verdict; empty where there is no claim."""
    own = [row for row in rows if (row.arm, row.metric) == (arm, metric) and row.reported is not None]
    return (f"{sum(own[-1].values):.0f} of {own[-1].n_seeds}", own[-1].verdict) if own else ("", "")


def outcome_table(found: ae.Findings, rows: Sequence[ae.results.Row], arms: Sequence[str]) -> ae.Table:
    """Reported outcome, measured outcome and verdict of every arm."""
    cells = []
    for arm in arms:
        weights, reported, _ = all_settings(found.config)[arm]
        active = [found.values(arm, f"{UNITS} {term}").mean() for term in "EP" if found.has(arm, f"{UNITS} {term}")]
        given = [f"{weight:g}" for weight in weights][: 2 + len(active)]  # a KL that isn't there has no weight
        digit = pictures.shares(found, arm)[found.living(arm)].mean(0)
        cells.append([
            arm, ", ".join(given), reported, counted_outcomes(found, arm),
            f"{found.values(arm, 'test/accuracy').mean():.1%}", f"{digit.argmax()} ({digit.max():.1%})",
            ", ".join(f"{count:.1f}" for count in active), *verdict(rows, arm, f"outcome/{reported}"),
        ])  # fmt: skip
    columns = (
        ("Arm", "text"), ("Weights of a, a + b, KL of E, of P", "text"), ("Reported", "text"),
        ("Measured (seeds)", "text"), ("Read as a + b", "number"), ("Commonest digit, all seeds", "text"),
        ("Active units of E, P", "text"), ("Seeds as reported", "text"), ("Verdict", "verdict"),
    )  # fmt: skip
    return ae.Table("What the images of sums are read as", columns, cells)


def counted_outcomes(found: ae.Findings, arm: str) -> str:
    """The outcomes of the living seeds, how many have each, and which digit it is where there is but one."""
    alive, digit = found.living(arm), pictures.shares(found, arm).argmax(1)
    words = []
    for outcome in OUTCOMES:
        hits = found.measures[arm][f"outcome/{outcome}"].astype(bool) & alive
        which = f", read as {', '.join(map(str, digit[hits]))}" if outcome == NINES else ""
        words += [f"{SEEN[outcome]} ({hits.sum()}{which})"] if hits.any() else []
    dead = len(found.dead.get(arm, ()))
    return ", ".join([*words, *([f"dead ({dead})"] if dead else [])])


# ---- fractions


def fraction_tables(found: ae.Findings, rows: Sequence[ae.results.Row], arms: Sequence[str]) -> list[ae.Table]:
    """What the report saw of fractions and what is read; what the lines of all tenths show."""
    if not arms:
        return []
    cells, count = [], LINED * found.config.images
    for arm in arms:
        _, digits, blurs = FRACTIONS[arm]
        blurred = ", ".join(f"{value:g}" for value in blurs)
        words = ", ".join(map(str, digits)) + f"; blurred: {blurred}" * bool(blurred)
        each = [fraction_cell(found, arm, value) for value in VALUES]
        cells.append([arm, *each, words, *verdict(rows, arm, DIGITS), *verdict(rows, arm, BLUR)])
    columns = (
        ("Model", "text"), *((f"7 + {value:g}", "text") for value in VALUES), ("Reported of 1.4, 1.5, 1.6", "text"),
        ("Seeds with these digits", "text"), ("Verdict", "verdict"), ("Seeds with this blur", "text"),
        ("Verdict on the blur", "verdict"),
    )  # fmt: skip
    title = "Numbers added to images of 7: the digit read in most, by seed (how surely; how gray, of all mid-gray)"
    line = [
        [arm, *(numbers.portion(found.values(arm, f"line/{part}, %"), count) for part, _, _ in PARTS)] for arm in arms
    ]
    kinds = [("Model", "text"), *((part, "number") for part, _, _ in PARTS)]
    sums = "Numbers in steps of 0.1 added to images of every digit, up to the sum 9: images read as each rule says, %"
    return [ae.Table(title, columns, cells), ae.Table(sums, kinds, line)]


def fraction_cell(found: ae.Findings, arm: str, value: float) -> str:
    """The digit read in most images, by living seed, and the means of confidence and of gray.

    A result of an older format has these means alone, in the fact "fractions".
    """
    named = f"7 + {value:g}"
    digit = ", ".join(f"{seen:g}" for seen in found.values(arm, f"{named}/digit read in most"))
    sure, gray = (
        found.values(arm, name).mean() if found.has(arm, name) else found.facts["fractions"][arm][name]
        for name in (f"{named}/confidence", f"{named}/gray, %")
    )
    return f"{digit} ({sure:.0%}; {gray:.1f}%)"


def line_ranges(found: ae.Findings, arms: Sequence[str]) -> dict[str, tuple[float, float]]:
    """The least and the most of the models' means, in percent, by part of the line."""
    means = {part: [float(found.values(arm, f"line/{part}, %").mean()) for arm in arms] for part, _, _ in PARTS}
    return {part: (min(values), max(values)) for part, values in means.items()} if arms else {}


def open_at_half(found: ae.Findings, arm: str) -> bool:
    """Whether a model's seeds leave open which of both digits a number that ends in .5 makes commoner."""
    lower, following = (found.values(arm, f"line/at .5, the {which} digit, %") for which in ("lower", "next"))
    return ae.results.side_of_zero(lower - following) == 0


# ---- 4.3: that the adder doesn't overfit


def adder_rise(found: ae.Findings) -> dict[str, Any]:
    """By how many percent an adder's test error ends above its lowest, by seed, and whether it turns up: that of the
    course's pairs first."""
    trained = [arm for arm in ("adder course", "adder") if arm in found.measures]
    if not trained or found.config.epochs < 2:
        return {}
    rise = found.values(trained[0], RISE)
    interval = ae.results.interval(rise)
    if interval is None:
        return {"arm": trained[0], "rise": rise, "known": False, "risen": False, "side": 0}
    risen, stays = interval[0] > RISEN, interval[1] < RISEN
    return {"arm": trained[0], "rise": rise, "known": True, "risen": risen, "side": int(stays) - int(risen)}
