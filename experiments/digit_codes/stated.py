"""Whether what the report states in words is what the seeds do: 1 for it, -1 against it, 0 where they don't tell."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import jaxae as ae
from experiments.digit_codes.measures import GAP, LOWEST, PLATEAU, RISE, SCATTER, loss_pairs, size_pairs
from experiments.digit_codes.method import DECODERS, REPORTED, SPLITS
from jaxae.report.statements import mostly

ROUNDING = 1e-5  # of a value: sums over all pixels of all images in float32 agree to no more
RISEN = 1  # percent by which a loss that turns up lies above its lowest, at least
PLATEAUS = 20 / 1.5, 20 * 1.5  # epochs that are called "roughly 20 steps"
ERROR = "validation/rmse/last"


def answers(found: ae.Findings) -> dict[str, list[int]]:
    """Of every statement that this run can tell of; empty lists where it can't."""
    arms = quick(found)
    losses, sizes = loss_pairs(arms), size_pairs(arms)
    of_mse = [arm for arm in arms if arm.endswith(" mse") and found.has(arm, PLATEAU)]
    return {
        "fits": [fits(found, arm) for arm in arms if found.has(arm, RISE)],
        "ends last": ends_last(found),
        "smoother": [-each for each in pair_sides(found, losses, SCATTER)],
        "plateaus": [plateaus(found.values(arm, PLATEAU)) for arm in of_mse],
        "generalises": [-each for each in pair_sides(found, losses, GAP)],
        "larger": [*(-each for each in pair_sides(found, sizes, ERROR)), *pair_sides(found, sizes, GAP)],
    }


def quick(found: ae.Findings) -> list[str]:
    """The arms that are compared: those of which no seed shows one picture after a training too short to call it dead,
    which would be in every mean."""
    return [arm for arm in found.measures if not found.slow.get(arm)]


def side(found: ae.Findings, first: str, second: str, metric: str) -> int:
    """-1 or 1 where the interval of `first` less `second`, paired by living seed, lies below or above 0; else 0."""
    return ae.results.side_of_zero(found.difference(first, second, metric), rounding(found, second, metric))


def rounding(found: ae.Findings, arm: str, metric: str) -> float:
    """What is no difference from a measure of the arm."""
    return ROUNDING * float(np.abs(found.values(arm, metric)).max())


def pair_sides(found: ae.Findings, pairs: Sequence[tuple[str, str]], metric: str) -> list[int]:
    """The sides of all pairs of arms that have a measure."""
    return [side(found, *pair, metric) for pair in having(found, pairs, metric)]


def having(found: ae.Findings, pairs: Sequence[tuple[str, str]], metric: str) -> list[tuple[str, str]]:
    """The pairs of arms that both have a measure."""
    return [pair for pair in pairs if all(found.has(arm, metric) for arm in pair)]


def fits(found: ae.Findings, arm: str) -> int:
    """Whether an arm's validation loss ends no more than RISEN percent above its lowest."""
    rise = ae.results.interval(found.values(arm, RISE))
    return 0 if rise is None else int(rise[1] < RISEN) - int(rise[0] > RISEN)


def plateaus(epochs: np.ndarray) -> int:
    """Whether an arm's seeds, two at least, plateau at roughly 20 epochs."""
    there = (epochs >= PLATEAUS[0]) & (epochs <= PLATEAUS[1])
    return 0 if len(epochs) < 2 or (there.any() and not there.all()) else 1 if there.all() else -1


def ends_last(found: ae.Findings) -> list[int]:
    """Whether in most seeds all arms have their lowest validation loss after the last epoch."""
    arms = [arm for arm in quick(found) if found.has(arm, LOWEST)]
    last = [(found.measures[arm][LOWEST] == found.config.epochs)[found.living(*arms)] for arm in arms]
    return [mostly(int(np.all(last, axis=0).sum()), len(last[0]))] if last else []


def by_size(found: ae.Findings) -> dict[str, Any]:
    """What codes of 7 change against codes of 2: of how many pairs of arms, none where no pair has both measures, and
    the least and the most of their means."""
    pairs, words = size_pairs(quick(found)), {}
    for name, metric in (("error", ERROR), ("gap", GAP)):
        means = [float(found.difference(*pair, metric).mean()) for pair in having(found, pairs, metric)]
        words |= {name: (min(means), max(means))} if means else {}
    return {"pairs": len(pairs) if len(words) == 2 else 0, **words}


def by_its_own() -> Mapping[str, Any]:
    """Whether the report's own numbers, of training on MSE, have the transposed decoder lowest, by split: and these
    numbers, the transposed decoder's and the others'."""
    numbers = {split: REPORTED["mse", split] for split in SPLITS}
    assert DECODERS[0] == "transposed"
    sides = [1 if of[0] == min(of) else -1 for of in numbers.values()]
    return {"sides": sides, "numbers": {split: (of[0], of[1:]) for split, of in numbers.items()}}
