"""What is said: which noise the report used, whether its denoiser denoises, what its suggestions bring."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import experiments.denoise.pictures as pictures
import jaxae as ae
from experiments import own_images
from experiments.denoise.measures import AFTER, GAP, changed
from experiments.denoise.method import ARMS, LOG, READINGS, claims
from jaxae.findings import measured
from jaxae.report import numbers

TEMPLATE = Path(__file__).with_name("words.md")
PSNR, SSIM = "test/psnr, 8-bit", "test/ssim, 8-bit"
LABELS = {  # the report's numbers that are held under both readings of its noise
    f"train/loss of {LOG} steps/first": "the training loss at step 100",
    "validation/loss/first": "the validation loss at step 100",
    f"train/loss of {LOG} steps/last": "the last training loss",
    "validation/loss/last": "the last validation loss",
    "test/mse, signed": "the test loss",
    PSNR: "PSNR",
    SSIM: "SSIM",
}
NAMED = ("Adam 1e-3", "8 layers", "3 x epochs", "4 noisy copies")  # what the report suggests, the rate as "tuning"
ALIKE = 5  # percent by which the test loss may lie off the training loss to be called roughly the same
TELLS = 10  # times likelier under one reading, from which a number is said to tell


def say(found: ae.Findings) -> ae.Document:
    """All of it."""
    base = ARMS[found.config.improve]
    drawn = pictures.figures(found, base) if found.arrays else {}
    if own_images.is_own(found.config):
        return own_images.document(found, found.facts["images"][1], (), drawn, measured=own_scores(found))
    rows = found.rows(claims(found.config))
    noise, reported = which_noise(rows), (ARMS["ae"], base)
    changes = [change(found, name, base) for name in changed(found.measures, base)]
    words = ae.report.words(
        TEMPLATE,
        found=found,
        noise=favoured(noise),
        denoisers=[denoiser(found, ARMS[name]) for name in ("deviation", "variance") if ARMS[name] in found.measures],
        base=base,
        changes=changes,
        named=[one for one in changes if one["name"] in NAMED],
        alike={"within": ALIKE, "sides": [about_alike(found, arm) for arm in reported if arm in found.measures]},
        gaps={arm: found.values(arm, f"{GAP}, in standard errors").mean() for arm in trained(found)},
        images=found.facts.get("images", ()),
    )
    return words.document(rows, (*noise_table(noise, found), *suggestions(changes, base), protocols(found)), drawn)


def about_alike(found: ae.Findings, arm: str) -> int:
    """Whether an arm's test loss is within ALIKE percent of its training loss: 1 or -1 where the interval over seeds
    says so."""
    away = ae.results.interval(100 * found.values(arm, GAP) / found.values(arm, AFTER))
    if away is None:
        return 0
    low, high = away
    return int(max(abs(low), abs(high)) < ALIKE) - int(low > ALIKE or high < -ALIKE)


def trained(found: ae.Findings) -> list[str]:
    """The arms."""
    return [name for name in found.measures if found.has(name, f"{GAP}, in standard errors")]


def own_scores(found: ae.Findings) -> list[str]:
    """What every arm makes of other images than the report's, in dB, and whether that is better than it was given."""
    denoisers_first = sorted(trained(found), key=lambda arm: not found.has(arm, f"{PSNR} gained"))
    return [_own_score(found, arm) for arm in denoisers_first]


def _own_score(found: ae.Findings, arm: str) -> str:
    if not found.has(arm, f"{PSNR} gained"):
        plain = numbers.over_seeds(found.values(arm, PSNR))
        return f"{arm}: the output has a PSNR of {plain} dB; it is given no noise."
    one = denoiser(found, arm)
    gain = one["gain"]
    side = one["side"] if len(gain) > 1 else np.sign(gain[0])
    said = {
        1: f"makes it better, by {numbers.over_seeds(gain)} dB",
        -1: f"makes it worse, by {numbers.over_seeds(-gain)} dB",
    }
    unsure = f"changes it by {numbers.over_seeds(gain)} dB, which {len(gain)} seeds don't tell from 0"
    return (
        f"{arm}: the noisy image has a PSNR of {numbers.over_seeds(one['given'])} dB, the output "
        f"{numbers.over_seeds(one['made'])} dB: the model {said.get(side, unsure)}."
    )


class Favour(NamedTuple):
    """A number of the report under both readings of its noise: how many times likelier it is under the first."""

    metric: str
    label: str
    reported: float
    ratio: float
    scale: Any = "plain"

    @property
    def times(self) -> str:
        """The ratio in words, of the likelier reading against the other."""
        return numbers.ratio(self.ratio if self.ratio > 1 / TELLS else 1 / self.ratio)


def which_noise(rows: Sequence[ae.results.Row]) -> list[Favour]:
    """The likelihood ratios, deviation against variance, of the numbers that are judged under both."""
    rows = [row for row in rows if row.reported is not None and row.verdict != ae.results.NOT_COMPARABLE]
    code, text = ({row.metric: row for row in rows if row.arm == ARMS[name]} for name in READINGS)
    found = []
    for metric in (metric for metric in code if metric in text):
        first, second, number = code[metric], text[metric], code[metric].reported or 0.0
        ratio = ae.results.likelihood_ratio(number, first.values, second.values, first.scale)
        found.append(Favour(metric, LABELS[metric], number, ratio, first.scale))
    return found


def favoured(noise: Sequence[Favour]) -> dict[str, Any]:
    """What the numbers say of the noise: those that tell, on either side, and those that don't.

    They aren't independent, so that their ratios aren't multiplied.
    """
    by_size = sorted(noise, key=lambda one: -one.ratio)
    code, text = ([one for one in by_size if one.ratio**sign > TELLS] for sign in (1, -1))
    silent = [one for one in noise if 1 / TELLS <= one.ratio <= TELLS]
    side = ("standard deviation" if code else "") if not text else "variance" if not code else ""
    groups: dict[str, list[str]] = {}
    for one in code or reversed(text):
        groups.setdefault(one.times, []).append(one.label)
    return {
        "judged": len(noise), "favoured": side, "groups": groups, "code": code, "text": text, "silent": silent
    }  # fmt: skip


def noise_table(noise: Sequence[Favour], found: ae.Findings) -> list[ae.Table]:
    """Every number under both readings, and the ratio."""
    cells = [
        [
            one.metric, f"{one.reported:g}", numbers.ratio(one.ratio),
            *(numbers.reproduced(measured("", "", found.values(ARMS[name], one.metric), scale=one.scale))
              for name in READINGS),
        ]
        for one in noise
    ]  # fmt: skip
    heads = ("Reported", "Times likelier under the deviation", "Deviation 0.1", "Variance 0.1")
    note = "Ratios of Student-t predictive densities, of losses on a log scale."
    columns = (("Number", "code"), *((head, "number") for head in heads))
    return [ae.Table("Which noise: the report's numbers under both readings", columns, cells, note)] if cells else []


def denoiser(found: ae.Findings, arm: str) -> dict[str, Any]:
    """Scores of what an arm is given, of what it makes of it, and the difference."""
    seen = {metric: found.values(arm, metric) for metric in found.measures[arm]}
    parts = {
        "arm": arm,
        "ssim": seen[f"{SSIM} gained"],
        "ssim_side": ae.results.side_of_zero(seen[f"{SSIM} gained"]),
        "gain": seen[f"{PSNR} gained"],
    }
    parts |= {"given": seen[PSNR.replace("test/", "test/input ")], "made": seen[PSNR]}
    return parts | {"side": ae.results.side_of_zero(parts["gain"])}


def change(found: ae.Findings, name: str, base: str) -> dict[str, Any]:
    """What one change adds to the denoiser's PSNR, paired by seed, and in how many seeds it beats the noisy image."""
    gain = found.difference(name, base, PSNR)
    gained = found.values(name, f"{PSNR} gained")
    return {
        "name": name.removeprefix(f"{base}, "), "gain": gain, "side": ae.results.side_of_zero(gain),
        "beats": f"{(gained > 0).sum()} of {len(gained)}",
        "few": numbers.undecided(gain),
    }  # fmt: skip


def suggestions(changes: Sequence[Mapping[str, Any]], base: str) -> list[ae.Table]:
    """What each change adds, where there are any."""
    cells = [[c["name"], numbers.over_seeds(c["gain"]), c["beats"]] for c in changes]
    columns = (("Change", "text"), ("Test PSNR, dB, paired by seed", "number"), ("Better than the noisy image", "text"))
    title = f"What the report's suggestions, and other changes, add to {base}"
    return [ae.Table(title, columns, cells)] if cells else []


def protocols(found: ae.Findings) -> ae.Table:
    """The report's protocol and dm-pix side by side, of what each model is given and of what it makes of it."""
    heads = {"psnr, 8-bit": "PSNR, 8-bit, dB", "psnr": "PSNR, dm-pix, dB"}
    heads |= {"ssim, 8-bit": "SSIM, 8-bit, 7x7", "ssim": "SSIM, dm-pix"}
    cells = [
        [arm, image, *(numbers.over_seeds(found.values(arm, prefix + metric)) for metric in heads)]
        for arm in trained(found)
        for image, prefix in (("noisy input", "test/input "), ("output", "test/"))
        if found.has(arm, f"{prefix}psnr")
    ]
    columns = [("Arm", "text"), ("Image", "text"), *((head, "number") for head in heads.values())]
    return ae.Table("The report's protocol (8-bit images, 7x7 SSIM) and dm-pix, on the test images", columns, cells)
