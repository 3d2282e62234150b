"""From runs to rows: medians, ratios to PyTorch and their ranges; and a file's ratios against another's."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

SLACK = 0.15  # by which ratios of the same code differ from day to day on a machine that others use too

Runs = Mapping[str, Sequence[float]]  # images per second, run by run: of "jaxae", "torch_best" and "torch_common"


def row(arm: str, batch: int, device: str, runs: Runs, **facts: Any) -> dict[str, Any]:
    """A row of benchmark.json: medians of the runs, and the ratios of these medians.

    `facts` are torch_best (which way of writing it was the fastest), jaxae_compile_seconds, and the peaks in MiB.
    """
    rate = {side: median(values) for side, values in runs.items()}
    return {
        "arm": arm, "batch": batch, "device": device,
        "jaxae_images_per_second": rate["jaxae"],
        "torch_best": facts["torch_best"],
        "torch_best_images_per_second": rate["torch_best"],
        "torch_common_images_per_second": rate["torch_common"],
        "ratio_best": rate["jaxae"] / rate["torch_best"],
        "ratio_common": rate["jaxae"] / rate["torch_common"],
        "jaxae_compile_seconds": facts["jaxae_compile_seconds"],
        "jaxae_peak_mib": facts["jaxae_peak_mib"],
        "torch_peak_mib": facts["torch_peak_mib"],
    }  # fmt: skip


def spread(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float]:
    """The least and the largest ratio of runs that followed each other."""
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    return min(ratios), max(ratios)


def agreement(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """The last loss of both sides after as many steps on the same data, and how far apart they ever were."""
    apart = max(abs(a - b) / max(abs(a), abs(b), 1e-30) for a, b in zip(ours, theirs, strict=True))
    return {"steps": len(ours), "jaxae": ours[-1], "torch": theirs[-1], "largest_relative_difference": apart}


def slower_and_faster(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """What is slower than in a committed file, against PyTorch, and what is faster; a sentence each.

    A ratio differs where the ranges over runs don't meet, and the medians are more than SLACK apart.
    """
    found = {_key(sample): (row, sample) for row, sample in zip(now["rows"], now["samples"], strict=True)}
    slower, faster = [], []
    for row, sample in zip(before["rows"], before["samples"], strict=True):
        where = f"{row['arm']}, batch {row['batch']}"
        if _key(sample) not in found:
            slower.append(f"{where}: not measured now")
            continue
        new_row, new_sample = found[_key(sample)]
        for kind, words in (("best", "at its best"), ("common", "as commonly written")):
            (low, high), (new_low, new_high) = sample[f"ratio_{kind}_range"], new_sample[f"ratio_{kind}_range"]
            old, new = row[f"ratio_{kind}"], new_row[f"ratio_{kind}"]
            text = f"{where}: {new:.2f} times PyTorch {words} ({new_low:.2f} to {new_high:.2f}), was {old:.2f}"
            if new_high < low and new < old * (1 - SLACK):
                slower.append(text)
            elif new_low > high and new > old * (1 + SLACK):
                faster.append(text)
    return slower, faster


def _key(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    return entry["arm"], entry["batch"], entry["device"]
