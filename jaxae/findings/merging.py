"""Findings of runs that differ in their seeds, put together: equal to those of one run of all seeds."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from jaxae.errors import UsageError
from jaxae.findings.claims import Difference
from jaxae.findings.findings import Arrays, Findings, Origin


def concatenated(parts: Sequence[Findings], origin: Origin) -> Findings:
    """The findings of all seeds, those of the parts in their order; `origin` is that of the whole.

    What is the same for all seeds must be the same in all parts; pictures come from the part that has the seed which
    `Findings.shown` names. Raises UsageError where the parts don't hold the same measures, facts and arrays.
    """
    first = parts[0]
    for part in parts[1:]:
        _refuse_others(first, part)
    whole = Findings(
        origin,
        {
            arm: {metric: _joined(arm, metric, [part.measures[arm][metric] for part in parts]) for metric in of}
            for arm, of in first.measures.items()
        },
        {arm: tuple(seed for part in parts for seed in part.dead[arm]) for arm in first.dead},
        tuple(
            Difference(*difference[:3], np.concatenate([part.differences[i].values for part in parts]))
            for i, difference in enumerate(first.differences)
        ),
        first.facts,
        _stacked([part.by_seed for part in parts]),
        scores=_stacked([part.scores for part in parts]),
        slow={
            arm: seeds
            for arm in first.measures
            if (seeds := tuple(s for part in parts for s in part.slow.get(arm, ())))
        },
    )
    return dataclasses.replace(whole, arrays={arm: _shown(whole, arm, parts).arrays[arm] for arm in first.arrays})


def _refuse_others(first: Findings, part: Findings) -> None:
    for name, one, other in (
        ("facts", first.facts, part.facts),
        ("differences", *([difference[:3] for difference in found.differences] for found in (first, part))),
        ("measures", *({arm: {*of} for arm, of in found.measures.items()} for found in (first, part))),
        ("arrays", *({arm: {*of} for arm, of in found.by_seed.items()} for found in (first, part))),
        ("scores", *({arm: {*of} for arm, of in found.scores.items()} for found in (first, part))),
    ):
        if one != other:
            raise UsageError(
                f"the runs that begin with seeds {first.seeds[0]} and {part.seeds[0]} have different {name}, so they "
                "aren't parts of one run; merge runs of the same code"
            )


def _joined(arm: str, metric: str, values: Sequence[np.ndarray]) -> np.ndarray:
    """One after another; a number that all seeds share must be the same in all parts."""
    if values[0].ndim:
        return np.concatenate(values)
    if not all(np.array_equal(value, values[0], equal_nan=True) for value in values):
        raise UsageError(f"{arm}, {metric} differs between runs that should share it; merge runs of the same data")
    return values[0]


def _stacked(parts: Sequence[Arrays]) -> Arrays:
    return {
        arm: {name: np.concatenate([part[arm][name] for part in parts]) for name in of} for arm, of in parts[0].items()
    }


def _shown(whole: Findings, arm: str, parts: Sequence[Findings]) -> Findings:
    """The part whose pictures of an arm are shown: of its seeds it shows the one that the whole does."""
    seed = whole.seeds[whole.shown(arm)]
    return next(part for part in parts if seed in part.seeds)
