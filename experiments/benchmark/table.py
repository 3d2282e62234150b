"""The numbers of `experiments.benchmark`: from runs to rows, to a table and figures, and a file against another."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from jaxae.report.page import Table, markdown_table
from jaxae.report.figures import Bars, Curves, Line
from jaxae.report.tables import number

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


def compare(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[list[str], list[str]]:
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


# ---- as tables

SECTIONS = {  # of the file, but for the steps: title, and columns by their key
    "lanes": ("Several seeds in one program, all lanes together, against as many runs one after another", {
        "arm": "Arm", "batch": "Batch", "mode": "Lanes", "lanes": "Number", "images_per_second": "images/s",
        "ratio_alone": "times jaxae alone", "ratio_torch": "times PyTorch at its best"}),
    "startup": ("Seconds from the start of a process to its first results", {
        "arm": "Arm", "batch": "Batch", "import_seconds": "import", "load_seconds": "data, cached",
        "compile_seconds": "compile, first run", "compile_again_seconds": "compile, second run",
        "start_seconds": "all, first run", "start_again_seconds": "all, second run",
        "torch_start_seconds": "PyTorch, eager", "torch_compiled_start_seconds": "PyTorch, compiled",
        "torch_compiled_start_again_seconds": "PyTorch, compiled, second run"}),
    "evaluation": ("Evaluation: images per second", {
        "arm": "Arm", "jaxae_loss_images_per_second": "loss, jaxae", "torch_best": "PyTorch",
        "torch_loss_images_per_second": "loss, PyTorch", "ratio": "ratio",
        "jaxae_scores_images_per_second": "all scores, jaxae"}),
    "memory": ("The most memory held, in MiB, by the number of training images", {
        "arm": "Arm", "batch": "Batch", "images": "Images", "jaxae_peak_mib": "jaxae", "torch_peak_mib": "PyTorch"}),
}  # fmt: skip


KEY = (
    "A ratio above 1: jaxae trains faster. fc and conv are the networks of `fc_vs_conv`, transposed and upsampling the "
    "decoders of `digit_codes`, addition is the adder of `digit_addition`. PyTorch at its best is the fastest of the "
    "ways tried, which the column after it names; as commonly written, a DataLoader transforms image by image. Losses "
    "are those after equal steps from the same parameters on the same batches."
)
TEXT = ("arm", "mode", "torch_best")  # keys of columns of words


def markdown(content: Mapping[str, Any]) -> str:
    """What benchmark.json holds, as tables."""
    parts = [about(content["manifest"])]
    if content["rows"]:
        parts += ["Complete training steps: images per second", KEY, markdown_table(steps_table(content))]
    for name, (title, columns) in SECTIONS.items():
        if content.get(name):
            kinds = [(words, "text" if key in TEXT else "number") for key, words in columns.items()]
            cells = [[cell(entry.get(key)) for key in columns] for entry in content[name]]
            parts += [title, markdown_table(Table(kinds, cells))]
    parts += [f"Not measured: {text}" for text in content["manifest"].get("failed", ())]
    return "\n\n".join(part.strip() for part in parts)


def about(made: Mapping[str, Any]) -> str:
    """With what it was measured."""
    device, gflops = made["machine"]["device"], {side: top(made, side) for side in ("jaxae", "torch")}
    commands = ", then ".join(f"`{command}`" for command in dict.fromkeys(each["command"] for each in made["sittings"]))
    return (
        f"{commands}: {device['kind']}, {made['threads']} threads; jax {made['machine']['versions']['jax']}, "
        f"PyTorch {made['torch']['version']}; {made['precision']}; medians of {made['repeats']} alternating runs of "
        f"{made['seconds']:g} s or more, each a process of its own; ratios with their range. A product of two matrices "
        f"of 2048x2048 reaches {gflops['jaxae']:,.0f} GFLOP/s in jax and {gflops['torch']:,.0f} in PyTorch; shares of "
        "the peak are of the larger."
    )


def top(made: Mapping[str, Any], side: str) -> float:
    """GFLOP/s of a product of two matrices, the most of all sittings."""
    return max(each["matmul_gflops"][side] for each in made["sittings"])


def steps_table(content: Mapping[str, Any]) -> Table:
    """A line for every row."""
    columns = (
        ("Arm", "text"), ("Batch", "number"), ("jaxae", "number"), ("PyTorch at its best", "number"), ("way", "text"),
        ("ratio", "number"), ("as commonly written", "number"), ("ratio", "number"), ("compile, s", "number"),
        ("peak, MiB", "number"), ("PyTorch's", "number"), ("share of peak", "number"), ("PyTorch's", "number"),
        ("losses differ by", "number"),
    )  # fmt: skip
    lines, peak = [], max(top(content["manifest"], side) for side in ("jaxae", "torch"))
    for row, sample in zip(content["rows"], content["samples"], strict=True):
        losses, gflop = sample["losses"], sample["gflop_per_image"]
        share = {side: gflop * row[f"{side}_images_per_second"] / peak for side in ("jaxae", "torch_best")}
        lines.append([
            row["arm"], cell(row["batch"]), cell(row["jaxae_images_per_second"]),
            cell(row["torch_best_images_per_second"]), row["torch_best"], ranged(row, sample, "best"),
            cell(row["torch_common_images_per_second"]), ranged(row, sample, "common"),
            cell(row["jaxae_compile_seconds"]), cell(row["jaxae_peak_mib"]), cell(row["torch_peak_mib"]),
            f"{share['jaxae']:.0%}", f"{share['torch_best']:.0%}",
            f"{losses['largest_relative_difference']:.0e} in {losses['steps']} steps",
        ])  # fmt: skip
    return Table(columns, lines)


def ranged(row: Mapping[str, Any], sample: Mapping[str, Any], kind: str) -> str:
    """A ratio and its range over the runs."""
    low, high = sample[f"ratio_{kind}_range"]
    return f"{row[f'ratio_{kind}']:.2f} ({low:.2f} to {high:.2f})"


def cell(value: Any) -> str:
    """A value in words: three digits or whole numbers."""
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else number(None) if value is None else str(value)


# ---- as figures

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
