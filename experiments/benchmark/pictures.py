"""benchmark.json as figures."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxae.report.figures import Bars, Curves, Line

BROKEN = {"bottleneck": "bottle-\nneck", "transposed": "trans-\nposed", "upsampling": "up-\nsampling"}


def figures(content: Mapping[str, Any]) -> dict[str, Any]:
    """The ratios of every row, and how lanes gain, by the figure's file name."""
    found: dict[str, Any] = {}
    if content["rows"]:
        names = [f"{BROKEN.get(row['arm'], row['arm'])}\n{row['batch']}" for row in content["rows"]]
        groups = [
            ("against PyTorch at its best", [row["ratio_best"] for row in content["rows"]]),
            ("against PyTorch as commonly written", [row["ratio_common"] for row in content["rows"]]),
        ]
        title = "How many times as fast jaxae trains as PyTorch (1: equally fast)"
        axes = "model and batch size", "ratio of images per second"
        found["benchmark"] = Bars(
            title, *axes, names, groups, "Medians of alternating runs; their ranges are in the table."
        )
    if content.get("lanes"):
        found["benchmark_lanes"] = lanes_figure(content["lanes"])
    return found


def lanes_figure(entries: Sequence[Mapping[str, Any]]) -> Curves:
    """Images per second of all lanes together, by their number, over those of runs one after another."""
    lines = []
    for arm, mode in dict.fromkeys((entry["arm"], entry["mode"]) for entry in entries):
        own = [entry for entry in entries if (entry["arm"], entry["mode"]) == (arm, mode)]
        x = [entry["lanes"] for entry in own]
        for key, panel in (("ratio_alone", "against jaxae alone"), ("ratio_torch", "against PyTorch at its best")):
            lines.append(Line(f"{arm}, {mode}", x, [[entry[key] for entry in own]], panel))
    title = "How many times as fast seeds train in one program as in runs one after another"
    return Curves(title, "seeds", "ratio of images per second", lines)
