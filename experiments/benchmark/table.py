"""benchmark.json as tables, in Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.benchmark.sides import busy
from jaxae.report.document import Table
from jaxae.report.numbers import NONE
from jaxae.report.page import markdown_table

FEW, ONCE = "medians of three runs at most", "one run each"
SECTIONS = {  # of the file, but for the steps: title, of how many runs, and columns by their key
    "lanes": (
        "Several seeds in one program, all lanes together, against as many runs one after another beside them",
        FEW, {
        "arm": "Arm", "batch": "Batch", "mode": "Lanes", "lanes": "Number", "images_per_second": "images/s",
        "ratio_alone": "times jaxae alone", "ratio_torch": "times PyTorch at its best"}),
    "startup": ("Seconds from the start of a process to its first training steps", ONCE, {
        "arm": "Arm", "batch": "Batch", "import_seconds": "import", "load_seconds": "data, cached",
        "compile_seconds": "compile, first run", "compile_again_seconds": "compile, second run",
        "start_seconds": "all, first run", "start_again_seconds": "all, second run",
        "command_seconds": "the study's command", "command_again_seconds": "again",
        "torch_start_seconds": "PyTorch, eager", "torch_compiled_start_seconds": "PyTorch, compiled",
        "torch_compiled_start_again_seconds": "PyTorch, compiled, second run"}),
    "evaluation": ("Evaluation: images per second, PyTorch's at its best", FEW, {
        "arm": "Arm", "images": "images at hand", "jaxae_loss_images_per_second": "loss, jaxae",
        "torch_loss_images_per_second": "loss, PyTorch", "torch_best": "way", "ratio": "ratio",
        "jaxae_scores_images_per_second": "all scores, jaxae"}),
    "memory": ("The most memory held, in MiB, by the number of training images", ONCE, {
        "arm": "Arm", "batch": "Batch", "images": "Images", "jaxae_peak_mib": "jaxae", "torch_peak_mib": "PyTorch"}),
    "operations": (
        "What a step spends its time on, in ms, by both sides' profilers: products and convolutions (jaxae's with some "
        "of the sums), what goes element by element (PyTorch's with all that is compiled and fused), what only moves "
        "numbers, devices that meet and wait for each other, and the rest, in which no operation was seen; operations "
        "that run at the same time count each, so that kinds can add up to more than a step. The profilers slow both "
        "sides, short operations most: a step is no measure of speed here", ONCE, {
        "arm": "Arm", "batch": "Batch", "jaxae_step_ms": "jaxae: a step", "jaxae_products_ms": "products",
        "jaxae_elements_ms": "elements", "jaxae_moves_ms": "moves", "jaxae_exchange_ms": "meetings",
        "jaxae_rest_ms": "rest", "torch_best": "PyTorch", "torch_step_ms": "a step", "torch_products_ms": "products",
        "torch_elements_ms": "elements", "torch_moves_ms": "moves", "torch_rest_ms": "rest"}),
}  # fmt: skip
KEY = (
    "A ratio above 1: jaxae trains faster. fc and conv are the networks of `fc_vs_conv`, conv with nearest "
    "upsampling, transposed and upsampling the decoders of `digit_codes`, addition is the adder of `digit_addition`. "
    "PyTorch at its best is the fastest of the ways tried, by one run each{again}; the column after it names it. A "
    "ratio is that of two medians, and its range is of runs that followed each other, so that it can lie at an end. "
    "What is aimed at is for two threads and float32. As commonly written, a DataLoader transforms image by image. "
    "Compilation and memory are jaxae's but where PyTorch's are said. Losses are compared after equal steps from the "
    "same parameters on the same batches, by the largest relative difference of any step; further on roundings part "
    "them, and sooner where a loss leaps, as conv's at a batch of 10 does within 50 steps."
)
WAYS = "PyTorch's ways, images per second (one run each, by which the fastest are chosen and asked again)"
AGAIN = ", or, where another came within a quarter of it, the better of both by these medians"  # not in older files
TARGETS = {  # ratios to PyTorch at its best that are aimed at on two cores of a CPU
    ("fc", 10): 3.0, ("fc", 128): 1.5, ("conv", 10): 2.0, ("conv", 128): 1.3, ("bottleneck", 2048): 1.2,
    ("denoise", 16): 1.6, ("denoise", 128): 1.3, ("transposed", 128): 1.2, ("upsampling", 128): 1.5,
    ("addition", 128): 1.2, ("unmix", 128): 1.3,
}  # fmt: skip
TEXT = ("arm", "mode", "torch_best")  # keys of columns of words


def markdown(content: Mapping[str, Any]) -> str:
    """What benchmark.json holds, as tables."""
    parts = [about(content["manifest"])]
    if content["rows"]:
        table = steps_table(content)
        again = any("load" in each for each in content["manifest"]["sittings"])
        parts += [table.title, KEY.format(again=AGAIN if again else ""), markdown_table(table)]
        parts += [WAYS, markdown_table(ways_table(content["samples"]))]
    for name, (title, runs, columns) in SECTIONS.items():
        if content.get(name):
            shown = {key: words for key, words in columns.items() if any(key in entry for entry in content[name])}
            kinds = [(words, "text" if key in TEXT else "number") for key, words in shown.items()]
            cells = [[cell(entry.get(key)) for key in shown] for entry in content[name]]
            parts += [f"{title} ({runs})", markdown_table(Table(title, kinds, cells))]
    parts += [f"Not measured: {text}" for text in content["manifest"].get("failed", ())]
    return "\n\n".join(part.strip() for part in parts)


def about(made: Mapping[str, Any]) -> str:
    """With what it was measured."""
    device, gflops = made["machine"]["device"], {side: top(made, side) for side in ("jaxae", "torch")}
    commands = ", then ".join(f"`{command}`" for command in dict.fromkeys(each["command"] for each in made["sittings"]))
    return (
        f"{commands}: {device['kind']}, {made['threads']} threads; jaxae as of {states(made['sittings'])}, jax "
        f"{made['machine']['versions']['jax']}, "
        f"PyTorch {made['torch']['version']}; {made['precision']}; each run a process of its own; training steps are "
        f"medians of {made['repeats']} alternating runs of {made['seconds']:g} s or more, ratios with their range. A "
        f"product of two matrices of 2048x2048 reaches {gflops['jaxae']:,.0f} GFLOP/s in jax and "
        f"{gflops['torch']:,.0f} in PyTorch; shares of GFLOP/s are of the larger, by the operations of the network as "
        f"it is written: a form that takes fewer can have more than 100%.{for_cuda(made)}{crowd(made)}"
    )


def states(sittings: Sequence[Mapping[str, Any]]) -> str:
    """The days and commits of jaxae that were measured; "+changes" is of one that wasn't committed."""
    named = dict.fromkeys(f"{each['started'][:10]} ({short(each['git_commit'])})" for each in sittings)
    return " and ".join(named)


def short(commit: str) -> str:
    """A commit as git shortens it, with what was changed since."""
    name, plus, changes = commit.partition("+")
    return name[:7] + plus + changes


def for_cuda(made: Mapping[str, Any]) -> str:
    """A sentence where PyTorch on a CPU is a build for CUDA."""
    build = made.get("device") == "cpu" and "+cu" in made["torch"]["version"]
    return " This PyTorch is a build for CUDA, which holds more memory on a CPU than one for CPUs." if build else ""


def crowd(made: Mapping[str, Any]) -> str:
    """A sentence on what ran in the minute before a sitting, where much did."""
    cores = made["machine"]["device"].get("cores") or made["threads"]
    loads = [each["load"] for each in made["sittings"] if busy(each.get("load"), made["threads"], cores)]
    return f" Just before it began the machine had a load of {max(loads):.1f}." if loads else ""


def top(made: Mapping[str, Any], side: str) -> float:
    """GFLOP/s of a product of two matrices, the most of all sittings."""
    return max(each["matmul_gflops"][side] for each in made["sittings"])


def steps_table(content: Mapping[str, Any]) -> Table:
    """A line for every row."""
    columns = (
        ("Arm", "text"), ("Batch", "number"), ("jaxae", "number"), ("PyTorch at its best", "number"), ("way", "text"),
        ("ratio", "number"), ("aimed at", "number"), ("as commonly written", "number"), ("ratio", "number"),
        ("compile, s", "number"), ("memory, MiB", "number"), ("PyTorch's", "number"), ("share of GFLOP/s", "number"),
        ("PyTorch's", "number"), ("losses differ by", "number"),
    )  # fmt: skip
    lines, peak = [], max(top(content["manifest"], side) for side in ("jaxae", "torch"))
    for row, sample in zip(content["rows"], content["samples"], strict=True):
        losses, gflop = sample["losses"], sample["gflop_per_image"]
        share = {side: gflop * row[f"{side}_images_per_second"] / peak for side in ("jaxae", "torch_best")}
        lines.append([
            row["arm"], cell(row["batch"]), cell(row["jaxae_images_per_second"]),
            cell(row["torch_best_images_per_second"]), row["torch_best"], ranged(row, sample, "best"),
            cell(target(content, row)), cell(row["torch_common_images_per_second"]), ranged(row, sample, "common"),
            cell(row["jaxae_compile_seconds"]), cell(row["jaxae_peak_mib"]), cell(row["torch_peak_mib"]),
            f"{share['jaxae']:.0%}", f"{share['torch_best']:.0%}",
            f"{losses['largest_relative_difference']:.0e} in {losses['steps']} steps",
        ])  # fmt: skip
    return Table("Complete training steps: images per second", columns, lines)


def ways_table(samples: Sequence[Mapping[str, Any]]) -> Table:
    """How fast each way of writing PyTorch was that was tried."""
    ways = list(dict.fromkeys(way for sample in samples for way in sample["torch_tried"]))
    columns = [("Arm", "text"), ("Batch", "number"), *((way, "number") for way in ways)]
    lines = [
        [sample["arm"], cell(sample["batch"]), *(cell(sample["torch_tried"].get(way)) for way in ways)]
        for sample in samples
    ]
    return Table(WAYS, columns, lines)


def target(content: Mapping[str, Any], row: Mapping[str, Any]) -> float | None:
    """The ratio that is aimed at; None where none is, as on a GPU."""
    made = content["manifest"]
    aimed = (made.get("device"), made["threads"], made["precision"]) == ("cpu", 2, "float32")
    return TARGETS.get((row["arm"], row["batch"])) if aimed else None


def ranged(row: Mapping[str, Any], sample: Mapping[str, Any], kind: str) -> str:
    """A ratio and its range over the runs."""
    low, high = sample[f"ratio_{kind}_range"]
    return f"{row[f'ratio_{kind}']:.2f} ({low:.2f} to {high:.2f})"


def cell(value: Any) -> str:
    """A value in words: three digits or whole numbers."""
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else NONE if value is None else str(value)
