"""The report of a run: figures, report.md and report.html, made from what the run's folder holds and nothing else.

Nothing here depends on when or how fast or in how many sittings the run was made: an interrupted run that was resumed
has the same report, byte for byte, as one that wasn't.
"""

import json
import math
import os
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxae import page, plots
from jaxae.data import count
from jaxae.errors import UsageError
from jaxae.page import VERDICTS
from jaxae.results import Row
from jaxae.tables import SYNTHETIC, claims, console, is_synthetic, known, others, table

__all__ = ["console", "table", "write"]

FORMAT = 1
LOSSES = "loss_curves"
MEND = "give the folder of a run, or resume the run with --resume --out"
EXPLANATION = (
    "Reproduced: the mean over n seeds ± the half-width of its 95% Student-t interval. The verdict holds the reported "
    "number, which is one run, against the range in which 95% of single runs fall; an outcome is reproduced where most "
    "seeds have it."
)


def write(folder: str | os.PathLike[str]) -> Path:
    """Draws figures/*.png and writes report.md and report.html; returns the latter.

    The curves of history.json are saved as the figure `loss_curves`. Raises UsageError where a file is missing or
    isn't what a run writes.
    """
    folder = Path(folder)
    manifest = _manifest(folder)
    if manifest["status"] != "complete" and not (folder / "results.json").exists():
        raise UsageError(
            f"the run in {folder} has not finished (its status is {manifest['status']!r}), so there is nothing to "
            f"report; go on with: {manifest['command']} --resume --out {shlex.quote(str(folder))}"
        )
    rows, history = _rows(folder), _read(folder / "history.json", dict)
    curves = _loss_curves(history, folder / "history.json")
    if curves is not None:
        plots.save(curves, folder / "figures", LOSSES)
    pictures = _pictures(folder, manifest.get("figures", ()))
    try:
        blocks = _blocks(manifest, rows, pictures)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{folder / 'manifest.json'} isn't what a run writes ({error!r}); {MEND}") from None
    plots.write(folder / "report.md", page.markdown(manifest["title"], blocks).encode())
    return plots.write(folder / "report.html", page.html(manifest["title"], blocks).encode())


def _read(path: Path, kind: type) -> Any:
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError:
        raise UsageError(f"{path} can't be read; {MEND}") from None
    except ValueError as error:
        raise UsageError(f"{path} is not JSON ({error}); {MEND}") from None
    if not isinstance(content, kind):
        raise UsageError(f"{path} holds a {type(content).__name__}, not a {kind.__name__}; {MEND}")
    return content


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    manifest = _read(path, dict)
    if manifest.get("format") != FORMAT:
        raise UsageError(
            f"{path} has format {manifest.get('format')}; this jaxae reads {FORMAT}: use the one that ran it"
        )
    needed = "title summary command config seeds key_implementation versions device xla_flags matmul_precision data"
    missing = [name for name in f"{needed} git_commit deviations notes status arms".split() if name not in manifest]
    if missing:
        raise UsageError(f"{path} lacks {', '.join(missing)}; resume the run with --resume --out")
    return manifest


def _rows(folder: Path) -> list[Row]:
    try:
        return known(_read(folder / "results.json", list))
    except (KeyError, TypeError) as error:
        raise UsageError(
            f"{folder / 'results.json'} has a row that is none ({error}); run the experiment again"
        ) from None


def _loss_curves(history: Mapping[str, Any], path: Path) -> plots.Curves | None:
    try:
        lines = [line for arm, entry in history.items() for line in _arm_lines(arm, entry)]
        lines *= any(len(line.x) > 1 for line in lines)  # points alone are no curves
        trained = any(line.label == "train" for line in lines)
        means = "A training loss is the mean over an epoch's steps, drawn at its middle. " if trained else ""
        note = (means + _stops(history)).strip()
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path} is not the history of a run ({error!r}); run the experiment again") from None
    values = np.concatenate([np.ravel(line.values) for line in lines]) if lines else np.zeros(0)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    log = bool(values.min() > 0 and values.max() > 10 * values.min())
    arms = list(dict.fromkeys(line.panel for line in lines))
    title = f"The loss of {arms[0]}, epoch by epoch." if len(arms) == 1 else "The loss of each arm, epoch by epoch."
    return plots.Curves(title, "epoch", "loss", lines, log=log, note=note)


def _arm_lines(arm: str, entry: Mapping[str, Any]) -> list[plots.Line]:
    """Training and validation of the seeds that live; the panel's title says which died."""
    seeds = np.asarray(entry["seeds"])
    dead = np.isin(seeds, entry.get("dead", []))
    if dead.any():
        words = f"seed{'s' if dead.sum() > 1 else ''} {', '.join(map(str, seeds[dead]))}"
        arm += f" ({'all seeds' if dead.all() else words} died)"
    lines = []
    for label in ("train", "validation"):
        values = _rectangle(entry.get(label, {}).get("loss", []), len(seeds))
        epochs = entry["validation_epochs"] if label == "validation" else np.arange(values.shape[1]) + 0.5
        x = np.asarray(epochs, float)[: values.shape[1]]
        if len(x):
            lines.append(plots.Line(label, x, values[~dead | dead.all()], arm))
    return lines


def _rectangle(losses: Sequence[Sequence[float | None]], seeds: int) -> np.ndarray:
    """float[seeds, n], NaN where a seed has no value."""
    values = np.full((seeds, max(map(len, losses), default=0)), np.nan)
    if losses and len(losses) != seeds:
        raise ValueError(f"{len(losses)} curves for {seeds} seeds")
    for row, curve in zip(values, losses, strict=False):
        row[: len(curve)] = [math.nan if loss is None else loss for loss in curve]
    return values


def _stops(history: Mapping[str, Any]) -> str:
    """Which seeds died or stopped early."""
    words = []
    for arm, entry in history.items():
        dead = entry.get("dead", [])
        out = "" if len(dead) == len(entry["seeds"]) else " and is left out of the mean"
        words += [f"{arm}: seed {seed} died{out}" for seed in dead]
        words += [f"{arm}: seed {seed} stopped at epoch {at:g}" for seed, at in entry.get("stopped", {}).items()]
    return "; ".join(words) + "." if words else ""


def _pictures(folder: Path, order: Sequence[str]) -> list[page.Picture]:
    """Every saved figure, drawn again: the losses, then the others in the order in which the run showed them."""
    place = {name: i for i, name in enumerate((LOSSES, *order))}
    found = sorted((folder / "figures").glob("*.npz"), key=lambda path: (place.get(path.stem, len(place)), path.name))
    pictures = []
    for i, path in enumerate(found, 1):
        figure = plots.load(path)
        png = plots.write(path.with_suffix(".png"), plots.png(figure))
        within = plots.png(figure, titled=False)
        pictures.append(page.Picture(i, f"figures/{png.name}", figure.title, figure.note, within))
    return pictures


def _blocks(manifest: Mapping[str, Any], rows: Sequence[Row], pictures: Sequence[page.Picture]) -> list[Any]:
    """The report as a document."""
    claimed, other = claims(rows), others(rows)
    counts = Counter(row.verdict for row in rows if row.reported is not None)
    blocks: list[Any] = [page.Text(manifest["summary"]), *_banners(manifest), page.Facts(_status(manifest))]
    if claimed.rows:
        tally = [(verdict, counts[verdict]) for verdict in [*VERDICTS, *sorted(counts.keys() - {*VERDICTS, ""})]]
        words = page.Tally([(verdict, count) for verdict, count in tally if count])
        blocks += [page.Heading("Reported against reproduced"), words, claimed, page.Text(EXPLANATION)]
    blocks += [page.Text(note) for note in manifest["notes"]]
    for table_ in manifest.get("tables", ()):
        blocks += [page.Heading(table_["title"], 3), page.Table(tuple(map(tuple, table_["columns"])), table_["rows"])]
    if other.rows:
        blocks += [page.Heading("Other measures"), other]
    if pictures:
        blocks += [page.Heading("Figures"), *pictures]
    return [*blocks, *_appendix(manifest)]


def _banners(manifest: Mapping[str, Any]) -> list[page.Banner]:
    banners = [page.Banner("alarm", SYNTHETIC)] if is_synthetic(manifest) else []
    if manifest["status"] != "complete":
        banners.append(page.Banner("alarm", f"This run has not ended: its status is {manifest['status']!r}."))
    if manifest["deviations"]:
        banners.append(page.Banner("notice", "This run departs from the report's settings:", manifest["deviations"]))
    return banners


def _status(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    seeds, device = manifest["seeds"], manifest["device"]
    data = [
        f"{d['role']}: {d['name']} {d['split']}, {d['source']}, n = {count(d['name'], d['split'], d['n'], d['source'])}"
        for d in manifest["data"]
    ]
    shown = ", ".join(map(str, seeds)) if len(seeds) <= 10 else f"{seeds[0]} to {seeds[-1]}"
    return [
        ("Seeds", f"{len(seeds)} ({shown})"),
        ("Data", "; ".join(data)),
        ("Device", f"{device['count']} × {device['kind']} ({device['platform']})"),
        ("Command", f"`{manifest['command']}`"),
    ]


def _appendix(manifest: Mapping[str, Any]) -> list[Any]:
    names = ("Role", "Name", "Version", "Split", "Source")
    rows = [[*(str(d[name.lower()]) for name in names), f"{d['n']:,}", d["sha256"]] for d in manifest["data"]]
    data = page.Table((*((name, "text") for name in names), ("n", "number"), ("SHA-256", "code")), rows)
    files = [
        (f["role"], f"{f['name']}, {f['bytes']:,} bytes, SHA-256 {f['sha256']}") for f in manifest.get("files", ())
    ]
    sizes = [(arm, f"{entry['parameters']:,}") for arm, entry in manifest["arms"].items() if entry.get("parameters")]
    setting = [
        ("commit", f"`{manifest['git_commit']}`" if manifest["git_commit"] else ""),
        ("random keys", str(manifest["key_implementation"])),
        ("matmul precision", str(manifest["matmul_precision"])),
        ("XLA flags", f"`{manifest['xla_flags']}`" if manifest["xla_flags"] else ""),
        *((name, str(version)) for name, version in manifest["versions"].items()),
    ]
    config = [(name, f"`{_flag(value)}`") for name, value in manifest["config"].items()]
    parts = {"Parameters": page.Facts(sizes) if sizes else None, "Data": data if rows else None}
    parts |= {"Files": page.Facts(files) if files else None}
    parts |= {"Settings": page.Facts(config), "Software": page.Facts(setting)}
    shown = [part for name, block in parts.items() if block for part in (page.Heading(name, 3), block)]
    return [page.Heading("How it was run"), *shown]


def _flag(value: Any) -> str:
    return "none" if value is None else value if isinstance(value, str) and value else json.dumps(value)
