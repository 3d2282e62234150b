"""A document as pages: report.md and report.html of a run's folder, and a section of a page of results.

Nothing in them depends on when or how fast or in how many sittings the run was made: an interrupted run that was
resumed has the same report, byte for byte, as one that wasn't.
"""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from struct import unpack
from typing import Any, NamedTuple

from jaxae.data import count
from jaxae.files import write_whole
from jaxae.findings import Departure
from jaxae.report import figure_files
from jaxae.report.document import Document
from jaxae.report.figures import Curves, Images
from jaxae.report.live import curves_json, policy
from jaxae.report.numbers import listed_seeds, plural
from jaxae.report.rendering import MARKS, code_span, markdown_table, read_template, render, script_of
from jaxae.report.strips import legend_of, strips
from jaxae.report.tables import (
    EXPLANATION,
    claims_table,
    differences_table,
    has_verdicts,
    measures_table,
    primary,
    readings_table,
    tally_of,
)
from jaxae.report.tiles import Tiles, tiles_of

__all__ = [
    "MARKS", "SYNTHETIC", "images_of", "is_synthetic", "markdown_table", "section", "write_report",
]  # fmt: skip
PAGES = {"report.md": "report.md", "report.html": "page.html"}  # and their templates
SYNTHETIC = (
    "SYNTHETIC DATA: this run used the embedded synthetic images in place of the data that it names. "
    "Its numbers test the program and say nothing about the study."
)


class Picture(NamedTuple):
    """A figure as pages show it: its file beside them, its bytes and its record."""

    number: int
    file: str
    png: bytes
    figure: Any

    @property
    def title(self) -> str:
        """What is seen."""
        return self.figure.title

    @property
    def note(self) -> str:
        """What else the caption says."""
        return self.figure.note

    @property
    def curves(self) -> str:
        """What the page's script draws, of curves."""
        return curves_json(self.figure) if isinstance(self.figure, Curves) else ""

    @property
    def tiles(self) -> Tiles | None:
        """How the page lays out images; other figures are pictures, which a dark page may show light on dark."""
        return tiles_of(self.figure) if isinstance(self.figure, Images) else None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in CSS pixels, of which 100 are 150 dots."""
        width, height = unpack(">II", self.png[16:24])
        return round(width / 1.5), round(height / 1.5)

    @property
    def source(self) -> str:
        """The picture itself, as an address, in 256 colours, which take a third of the room."""
        from PIL import Image

        out = BytesIO()
        Image.open(BytesIO(self.png)).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(out, "PNG")
        return f"data:image/png;base64,{b64encode(out.getvalue()).decode()}"


def write_report(
    folder: Path, manifest: Mapping[str, Any], document: Document, departures: Sequence[Departure]
) -> Path:
    """Draw every figure once, into figures/, and write report.md and report.html; the path of the latter."""
    drawn = {name: figure_files.files_of(figure, name) for name, figure in document.figures.items()}
    pictures = [
        Picture(number, f"figures/{name}.png", drawn[name][f"{name}.png"], document.figures[name])
        for number, name in enumerate(in_order(document), 1)
    ]
    scripts = [script_of("scales.js", "page.js"), *(part.script for part in document.sections if part.script)]
    facts = _facts(manifest, document, departures) | {"pictures": pictures, "scripts": scripts}
    facts |= {"policy": policy(scripts), "style": read_template("page.css")}
    pages = {name: render(template, facts) for name, template in PAGES.items()}  # all is made, then all is written
    for files in drawn.values():
        figure_files.write_files(files, folder / "figures")
    _remove_others(folder / "figures", document.figures)
    return [write_whole(folder / name, page.encode()) for name, page in pages.items()][-1]


def in_order(document: Document) -> list[str]:
    """The figures' names, the key picture first: the one that is named, or the first images, or the first of all."""
    images = (name for name, figure in document.figures.items() if isinstance(figure, Images))
    key = document.key if document.key in document.figures else next(images, "")
    return sorted(document.figures, key=lambda name: name != key)


def section(
    name: str,
    manifest: Mapping[str, Any],
    document: Document,
    departures: Sequence[Departure],
    pictures: Sequence[Any] = (),
) -> str:
    """A section of a page of results, Markdown: conclusions first, then claims, pictures (of `key_pictures`) and
    tables, long ones folded."""
    facts = _facts(manifest, document, departures) | {"name": name, "pictures": pictures}
    return render("section.md", facts).strip()


def is_synthetic(manifest: Mapping[str, Any]) -> bool:
    """Whether any of the data is."""
    return any(entry["source"] == "synthetic" for entry in manifest["data"])


def _remove_others(folder: Path, figures: Mapping[str, Any]) -> None:
    """Remove the files of figures that are no longer drawn."""
    for path in folder.glob("*.npz"):
        if path.stem not in figures and path.with_suffix(".png").is_file():
            path.with_suffix(".png").unlink()
            path.unlink()


def _facts(manifest: Mapping[str, Any], document: Document, departures: Sequence[Departure]) -> dict[str, Any]:
    """What the templates show, worked out."""
    drawings = strips(primary(document.rows))
    return {
        "manifest": manifest,
        "document": document,
        "synthetic": SYNTHETIC if is_synthetic(manifest) else "",
        "badges": _badges(manifest, departures),
        "barring": [departure.words for departure in departures if departure.bars],
        "listed": [departure.words for departure in departures if not departure.bars],
        "tally": tally_of(document.rows),
        "held": has_verdicts(document.rows),
        "claims": claims_table(document.rows),
        "drawings": drawings,
        "legend": legend_of(drawings),
        "readings": readings_table(document.rows),
        "explanation": EXPLANATION,
        "measures": measures_table(document.rows),
        "differences": differences_table(document.rows),
        "status": _status(manifest),
        "details": _details(manifest, document.trained_with),
        "images": images_of(manifest),
        "seconds": sum(arm.get("wall_seconds", 0) for arm in manifest["arms"].values()),
    }


def _badges(manifest: Mapping[str, Any], departures: Sequence[Departure]) -> list[tuple[str, str]]:
    """What sets the run apart, in a word each, then its seeds and its device: (kind, words)."""
    device = manifest["device"]
    kind = "CPU" if device["platform"] == "cpu" else f"{device['count']} × {device['kind']}"
    apart = {
        ("alarm", "synthetic data"): is_synthetic(manifest),
        ("alarm", f"not ended: {manifest['status']}"): manifest["status"] != "complete",
        ("notice", "not the report's settings"): any(departure.bars for departure in departures),
    }
    return [*(badge for badge, here in apart.items() if here), ("", plural(len(manifest["seeds"]), "seed")), ("", kind)]


def _status(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Seeds, data, device and command."""
    device = manifest["device"]
    data = [
        f"{d['role']}: {d['name']} {d['split']}, {d['source']}, n = {count(d['name'], d['split'], d['n'], d['source'])}"
        for d in manifest["data"]
    ]
    return [
        ("Seeds", listed_seeds(manifest["seeds"])),
        ("Data", "; ".join(data)),
        ("Device", f"{device['count']} × {device['kind']} ({device['platform']})"),
        ("Command", code_span(manifest["command"])),
    ]


def images_of(manifest: Mapping[str, Any]) -> str:
    """The data sets, and how many images they have."""
    return ", ".join(
        f"{d['name']} {d['split']} (n = {count(d['name'], d['split'], d['n'])}"
        f"{', re-encoded as JPEG' * d['source'].endswith('JPEG')})"
        for d in manifest["data"]
    )


def _details(manifest: Mapping[str, Any], trained_with: str) -> dict[str, list[tuple[str, str]]]:
    """How it was run: (name, value) pairs under headings, values in `backticks` being code."""
    sizes = [(arm, f"{entry['parameters']:,}") for arm, entry in manifest["arms"].items() if entry.get("parameters")]
    data = [
        (d["role"], f"{d['name']} {d['version']}, {d['split']}, {d['source']}, n = {d['n']:,}, SHA-256 `{d['sha256']}`")
        for d in manifest["data"]
    ]
    files = [
        (f["role"], f"{f['name']}, {f['bytes']:,} bytes, SHA-256 `{f['sha256']}`") for f in manifest.get("files", ())
    ]
    software = [
        ("commit", f"`{manifest['git_commit']}`" if manifest["git_commit"] else ""),
        ("measured again by", _measurer(manifest)),
        ("random keys", str(manifest["key_implementation"])),
        ("matmul precision", str(manifest["matmul_precision"])),
        ("JAX settings", ", ".join(f"`{name} {value}`" for name, value in manifest.get("jax_settings", {}).items())),
        ("XLA flags", f"`{manifest['xla_flags']}`" if manifest["xla_flags"] else ""),
        *((name, str(version)) for name, version in manifest["versions"].items()),
    ]
    settings = [("trained with", trained_with)] if trained_with else []
    settings += [(name, f"`{_flag(value)}`") for name, value in manifest["config"].items()]
    parts = {"Parameters": sizes, "Data": data, "Files": files, "Flags": settings, "Software": software}
    return {name: pairs for name, pairs in parts.items() if pairs}


def _measurer(manifest: Mapping[str, Any]) -> str:
    """By what the findings were measured, where it isn't what trained; else nothing."""
    if "measured" not in manifest:
        return ""
    made = manifest["measured"]
    return f"commit `{made['git_commit'] or 'unknown'}`, jax {made['versions']['jax']}, {made['device']['kind']}"


def _flag(value: Any) -> str:
    return "none" if value is None else value if isinstance(value, str) and value else json.dumps(value)
