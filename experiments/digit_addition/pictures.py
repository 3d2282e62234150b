"""The report's figures: sums, curves, pairs, fractions; what is read by digit, KL by unit, and lines of all tenths."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import jaxae as ae
from experiments.digit_addition.measures import ACTIVE
from experiments.digit_addition.outcomes import TENTHS, VALUES
from experiments.digit_addition.recipes import FRACTIONS
from experiments.digit_addition.ways import COURSE
from jaxae.report.figures import Bars, Curves, Images, Line, by_epoch

DIGITS = tuple("0123456789")
TABLES = {  # rows of the report's table by their pairs: how their names begin, and the title of their picture
    "table": (
        "generative row",
        "What each row of the report's table draws for a + b (the first seed that learns, if one does)",
    ),
    "table_natural": (
        "generative natural row",
        "What each row of the report's table draws for a + b, trained on natural pairs "
        "(the first seed that learns, if one does)",
    ),
    "table_course": (
        "generative course row",
        "What each row of the report's table draws for a + b, trained on the course's pairs "
        "(the first seed that learns, if one does)",
    ),
}


def figures(found: ae.Findings) -> dict[str, Any]:
    """All of them; of the table's rows the last stands for all but in the table's own."""
    rows = {name: [arm for arm in found.by_seed if arm.startswith(start)] for name, (start, _) in TABLES.items()}
    others = {arm for of in rows.values() for arm in of[:-1]}
    models = [arm for arm in found.by_seed if arm not in others]
    fractions = [arm for arm in FRACTIONS if arm in found.by_seed]
    drawn: dict[str, Any] = {"sums": sums(found), "sums_mean": mean_targets(found)}
    if "ways" in found.facts:
        drawn["ways"] = ways(found)
    drawn["curves"] = curves(found, models)
    if any(terms(found, arm) for arm in found.by_seed):
        drawn |= {"kl": kl_terms(found), "kl_units": kl_units(found, models)}
    drawn["digits_read"] = digits_read(found, models)
    drawn["pairs"] = pairs(
        found, models, "Pairs, and what the models draw for a + b (the first seed that learns, if one does)"
    )
    for name, arms in rows.items():
        if len(arms) > 1:
            drawn[name] = pairs(found, arms, TABLES[name][1])
    drawn |= {f"line_{model_of(arm).replace(' ', '_')}": line(found, arm) for arm in fractions}
    return drawn | ({"fractions": fraction_images(found, fractions)} if fractions else {})


def model_of(arm: str) -> str:
    """The model's name without that of its weights."""
    return arm.partition(" row")[0]


def captions(seen: Mapping[str, np.ndarray], name: str) -> list[str]:
    """What is read in each of an arm's images of this name, and its probability."""
    read = zip(seen[f"{name}, digit read"].ravel(), seen[f"{name}, probability"].ravel(), strict=True)
    return [f"{digit} ({sure:.0%})" for digit, sure in read]


def sums(found: ae.Findings) -> Bars:
    """Figure 21, the histogram of the sums."""
    groups = [(kind, 100 * found.arrays[""][f"sums, {kind}"]) for kind in ("natural", "balanced")]
    course = found.facts.get("ways", {}).get(COURSE)
    if course:
        groups.insert(0, ("the course's", 100 * np.array(course["a + b"])))
    too = ", and of all of the course's" if course else ""
    title = f"Sums a + b of {found.facts['sums']['pairs']:,} drawn pairs{too}"
    return Bars(title, "a + b", "pairs, %", DIGITS, groups)


def mean_targets(found: ae.Findings) -> Images:
    """What a model draws that knows nothing but how common the sums are."""
    seen = found.arrays[""]
    read = [captions(seen, "mean targets")]
    title = "The mean of all targets, and the digit read"
    return Images(title, [("", seen["mean targets"])], ["natural", "balanced"], captions=read)


def ways(found: ae.Findings) -> Curves:
    """What each way to draw pairs would show in the place of Figure 21, and whether it leaves images even."""
    names = {"a + b": "sums a + b", "b": "numbers added, b", "a": "images of a"}
    lines = [
        Line(way, np.arange(10), 100 * np.array([of[what]]), panel, colour)
        for what, panel in names.items()
        for colour, (way, of) in enumerate(found.facts["ways"].items())
    ]
    title = "How common sums, numbers and images are, by the way that pairs are drawn (exactly)"
    return Curves(title, "digit", "pairs, %", lines)


def curves(found: ae.Findings, arms: Sequence[str]) -> Curves:
    """The error of the image of the sum."""
    lines = []
    for arm in arms:
        seen, living = found.by_seed[arm], found.living(arm)
        lines.append(by_epoch("training", seen["train/added"][living], arm, middle=True, colour=0, style="dashed"))
        lines.append(by_epoch("test", seen["validation/added"][living], arm, colour=1))
    note = (
        "Of pairs drawn as those that the arm is trained on. In training codes are sampled, and weights are those on "
        "the way; in the test codes are means. Seeds that died are left out."
    )
    return Curves("Error of the image of the sum", "epoch", "mean squared error", lines, note=note)


def terms(found: ae.Findings, arm: str) -> list[str]:
    """The KL terms of an arm's loss."""
    return [term for term in "EP" if f"train/KL of {term}" in found.by_seed[arm]]


def kl_terms(found: ae.Findings) -> Curves:
    """KL by epoch."""
    lines = [
        by_epoch(f"KL of {term}", seen[f"train/KL of {term}"][found.living(arm)], arm, colour="EP".index(term))
        for arm, seen in found.by_seed.items()
        for term in terms(found, arm)
    ]
    return Curves("KL to N(0, I) in training", "epoch", "nats, sum over units", lines, log=True)


def kl_units(found: ae.Findings, arms: Sequence[str]) -> Curves:
    """KL of each unit by epoch, of one seed, as another's units are others: below 0.01 nats it has collapsed."""
    lines = [
        by_epoch(f"unit {i + 1}", values[None], f"{arm}, {term}", colour=i)
        for arm in arms
        for term in terms(found, arm)
        for i, values in enumerate(found.by_seed[arm][f"KL of {term} by unit"][found.shown(arm)])
    ]
    marks = [("below it a unit has collapsed", ACTIVE)]
    title = "KL of each unit of the code in training (the first seed that learns, if one does)"
    return Curves(title, "epoch", "nats", lines, marks, log=True)


def digits_read(found: ae.Findings, arms: Sequence[str]) -> Bars:
    """How common each digit is among those that are read."""
    title = "What the classifier reads in images of sums that are uniform from 0 to 9 (mean over the seeds that live)"
    groups = [(arm, 100 * shares(found, arm)[found.living(arm)].mean(0)) for arm in arms]
    return Bars(title, "digit read", "images, %", DIGITS, groups)


def shares(found: ae.Findings, arm: str) -> np.ndarray:
    """Of each digit among those read, f64[seeds, 10]."""
    return np.stack([found.measures[arm][f"test/share read as {digit}"] for digit in range(10)], axis=1)


def pairs(found: ae.Findings, arms: Sequence[str], title: str) -> Images:
    """Figures 23, 27 and 30: ten pairs in the order of their sums, the same for every arm; what is read below."""
    given = found.arrays[""]
    rows = [("image of a", given["pairs, image"]), ("target", given["pairs, target"])]
    rows += [(arm, found.arrays[arm]["pairs"]) for arm in arms]
    added = [f"{a} + {b}" for a, b in zip(given["pairs, a"], given["pairs, b"], strict=True)]
    below = [added, [], *(captions(found.arrays[arm], "pairs") for arm in arms)]
    note = "Below each image that a model draws: the digit that the classifier reads, and its probability."
    return Images(title, rows, captions=below, note=note)


def line(found: ae.Findings, arm: str) -> Curves:
    """All tenths b from 0 to 9 - a added to images of every a."""
    lines = []
    for a in range(9):  # to 9 nothing can be added
        x, panel = TENTHS[a] / 10, f"image of {a}"
        digit = found.by_seed[arm][f"line, image of {a}"][found.living(arm)].sum(0).argmax(1)
        lines.append(Line("digit read in most images, of all seeds that live", x, digit[None], panel, 0))
        lines.append(Line("a + b", x, (a + x)[None], panel, 1, "dotted"))
    title = f"What is read when a real number b is added to images of a digit ({arm})"
    return Curves(title, "b, in steps of 0.1", "digit", lines)


def fraction_images(found: ae.Findings, arms: Sequence[str]) -> Images:
    """Figures 24, 28 and 31: images of 7 and the report's five numbers, by each model; the digit read below."""
    rows, below = [], []
    for place, image in enumerate(found.arrays[""]["sevens"]):
        for arm in arms:
            seen = {name: values[place] for name, values in found.arrays[arm].items() if name.startswith("fractions")}
            images = np.concatenate([image[None] / 255, seen["fractions"]])
            rows.append((f"7 no. {place + 1}, {model_of(arm)}", images))
            below.append(["", *captions(seen, "fractions")])
    labels = ["image", *(f"+ {value:g}" for value in VALUES)]
    title = "Numbers added to three test images of 7, and the digit read (the first seed that learns, if one does)"
    return Images(title, rows, labels, captions=below)
