"""Write the committed results as tables, in results/README.md and the README: `python -m experiments.tables`.

With --check, change nothing and exit with 1 where they aren't what the files say.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.benchmark import table as benchmark_table
from experiments.benchmark.contents import load_content
from jaxae.findings import VERDICTS, Row
from jaxae.report.page import images_of, section
from jaxae.report.tables import claimed
from jaxae.run.saved import load_result
from jaxae.run.terminal import duration

HERE = Path(__file__).parent
README, RESULTS = HERE.parent / "README.md", HERE / "results" / "README.md"
START, END = "<!-- results:", "<!-- end of results -->"
INTRO = """# Results

Made by `python -m experiments.tables` from the JSON files of this folder, never by hand.

Not all of CIFAR-10 was at hand where these were measured. "n = 5,438 of 50,000" is the part of it that was, with the
original pixels; "re-encoded as JPEG" is all of it with nearly the same pixels. A run on all images that were at hand,
in as many steps as the report's, is judged, though it saw fewer photos, each more often. With `--limit`, other epochs
or JPEG pixels nothing is judged but what is exact."""


def pages() -> dict[Path, str]:
    """Both files as they should be: what today's code says of the saved findings."""
    files = sorted(RESULTS.parent.glob("*.json"))
    timed = [path for path in files if path.stem.startswith("benchmark")]
    lines, parts = [], []
    for path in files:
        if path in timed:
            continue
        saved = load_result(path)
        document = saved.experiment.document(saved.findings)
        parts.append(section(path.stem, saved.manifest, document, saved.experiment.departures(saved.findings)))
        if claimed(document.rows):
            lines.append(summary(path.stem, saved.manifest, document.rows))
    head = ("study", "data", "device", "took", "seeds", *VERDICTS)
    rows = "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *lines))
    parts += [f"## {path.stem}\n\n{benchmark_table.markdown(load_content(path))}" for path in timed]
    sections = "\n\n".join(parts)
    return {README: within(README.read_text(), rows), RESULTS: f"{INTRO}\n\n{sections}\n"}


def summary(name: str, manifest: Mapping[str, Any], rows: Sequence[Row]) -> list[str]:
    """One line of the README: how many of the reported numbers got which verdict."""
    # where seeds died, the row without them is the later one, and the one that is judged
    judged = {(row.arm, row.metric, row.reported): row.verdict for row in claimed(rows)}
    counts = Counter(judged.values())
    cores = manifest["device"].get("cores")
    took = duration(manifest["wall_seconds"]) + (f" on {cores} cores" if cores else "")
    about = images_of(manifest), manifest["device"]["platform"], took, str(len(manifest["seeds"]))
    return [f"[{name}](experiments/results/README.md#{name})", *about, *(str(counts[verdict]) for verdict in VERDICTS)]


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
