"""Write the committed results as tables, in results/README.md and the README: `python -m experiments.tables`.

With --check, change nothing and exit with 1 where they aren't what the files say.
"""

import argparse
import dataclasses
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments import benchmark_table
from jaxae import results
from jaxae.run.check import read
from jaxae.data import AS_JPEG, count
from jaxae.report.page import Table, markdown_table
from jaxae.report.tables import others, table

HERE = Path(__file__).parent
README, RESULTS = HERE.parent / "README.md", HERE / "results" / "README.md"
START, END = "<!-- results:", "<!-- end of results -->"
INTRO = """# Results

Made by `python -m experiments.tables` from the JSON files of this folder, never by hand.

Not all of CIFAR-10 was at hand where these were measured. "n = 5,438 of 50,000" is the part of it that was, with the
original pixels; "re-encoded as JPEG" is all of it with nearly the same pixels. A run on all images that were at hand,
in as many steps as the report's, is judged, though it saw fewer photos, each more often. With `--limit`, other epochs
or JPEG pixels nothing is judged but what is exact."""

VERDICTS = (results.REPRODUCED, results.EXPLAINED, results.DIFFERS, results.NOT_COMPARABLE)


def pages() -> dict[Path, str]:
    """Both files as they should be."""
    files = sorted(RESULTS.parent.glob("*.json"))
    timed = [path for path in files if path.stem.startswith("benchmark")]
    found = {path: read(path) for path in files if path not in timed}
    lines = [summary(path, *content) for path, content in found.items() if claimed(content[1])]
    head = ("study", "data", "device", "seeds", *VERDICTS)
    rows = "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *lines))
    parts = [section(path.stem, *content) for path, content in found.items()]
    parts += [f"## {path.stem}\n\n{benchmark_table.markdown(json.loads(path.read_text()))}" for path in timed]
    sections = "\n\n".join(parts)
    return {README: within(README.read_text(), rows), RESULTS: f"{INTRO}\n\n{sections}\n"}


def summary(path: Path, manifest: Mapping[str, Any], rows: Sequence[results.Row]) -> list[str]:
    """One line of the README: how many of the reported numbers got which verdict."""
    # where seeds died, the row without them is the later one, and the one that is judged
    judged = {(row.arm, row.metric, row.reported): row.verdict for row in claimed(rows)}
    counts = Counter(judged.values())
    link = f"[{path.stem}](experiments/results/README.md#{path.stem})"
    about = images(manifest), manifest["device"]["platform"], str(len(manifest["seeds"]))
    return [link, *about, *(str(counts[verdict]) for verdict in VERDICTS)]


def claimed(rows: Sequence[results.Row]) -> list[results.Row]:
    """The rows that hold a reported number."""
    return [row for row in rows if row.reported is not None]


def images(manifest: Mapping[str, Any]) -> str:
    """The data sets, and how many images they have."""
    lossy = {True: ", re-encoded as JPEG", False: ""}
    return ", ".join(
        f"{entry['name']} {entry['split']} (n = {count(entry['name'], entry['split'], entry['n'])}"
        f"{lossy[entry['source'] == AS_JPEG]})"
        for entry in manifest["data"]
    )


def section(name: str, manifest: Mapping[str, Any], rows: Sequence[results.Row]) -> str:
    """One results file: what it was measured with, what was found, the table of claims."""
    device = f"{manifest['device']['kind']}, {manifest['device']['cores']} cores"
    about = f"{len(manifest['seeds'])} seeds, {images(manifest)}; {device}; jax {manifest['versions']['jax']}"
    trained = sum(arm.get("wall_seconds", 0) for arm in manifest["arms"].values())
    about += f"; {trained:,.0f} s of training" if trained else ""
    tables = [
        f"{shown['title']}:\n\n{markdown_table(Table(shown['columns'], shown['rows']))}"
        for shown in manifest.get("tables", ())
    ]
    shown = bool(claimed(rows) or tables)
    measured = judged(claimed(rows)) if claimed(rows) else [] if shown else [markdown_table(others(rows))]
    differences = [row for row in rows if results.PAIRED in row.arm]
    paired = others(differences)
    if paired.rows and shown:
        words = "Paired by seed, the first arm's measure less the second's. " + results.apart(differences)
        tables.append(f"{words}\n\n{markdown_table(paired)}")
    parts = [f"## {name}", manifest["title"], f"`{manifest['command']}`: {about}.", *manifest["notes"]]
    return "\n\n".join(part.strip() for part in [*parts, *measured, *tables])


def judged(rows: Sequence[results.Row]) -> list[str]:
    """The table of claims; a reason that all of them share stands above it, once."""
    reasons = {row.reason for row in rows}
    if len(rows) < 2 or len(reasons) > 1:
        return [table(rows)]
    words = f"All {len(rows)} reported numbers: {rows[0].verdict}, {rows[0].reason}."
    return [words, table([dataclasses.replace(row, reason="") for row in rows])]


def within(text: str, tables: str) -> str:
    """The README `text` with its tables made anew."""
    before, _, rest = text.partition(START)
    comment, _, rest = rest.partition("\n")
    after = rest.partition(END)[2]
    return f"{before}{START}{comment}\n\n{tables}\n\n{END}{after}"


def main() -> None:
    """Write both files, or check them."""
    parser = argparse.ArgumentParser("python -m experiments.tables", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 where it would")
    check = parser.parse_args().check
    for path, text in pages().items():
        if check and (not path.is_file() or path.read_text() != text):
            sys.exit(f"{path} is not what the results say; run: python -m experiments.tables")
        if not check:
            path.write_text(text)


if __name__ == "__main__":
    main()
