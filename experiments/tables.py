"""Write the README's table of results from the committed files: `python -m experiments.tables`.

With --check, change nothing and exit with 1 where the README isn't what the files say.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxae.check import read
from jaxae.data import AS_JPEG
from jaxae.report import table

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
START, END = "<!-- results:", "<!-- end of results -->"


def section(path: Path) -> str:
    """The table of one results file, below what it was measured with."""
    manifest, rows = read(path)
    data = ", ".join(described(entry) for entry in manifest["data"])
    device = f"{manifest['device']['kind']}, {manifest['device']['cores']} cores"
    about = f"{len(manifest['seeds'])} seeds, {data}; {device}; jax {manifest['versions']['jax']}"
    head = f"### {manifest['title'].rstrip('.')}\n\n`{manifest['command']}`: {about}."
    return f"{head}\n\n{table([row for row in rows if row.reported is not None])}"


def described(entry: Mapping[str, Any]) -> str:
    """A data set in words."""
    lossy = ", re-encoded as JPEG" if entry["source"] == AS_JPEG else ""
    return f"{entry['name']} {entry['split']} (n = {entry['n']:,}{lossy})"


def rendered(text: str) -> str:
    """The README `text` with its tables made anew."""
    before, _, rest = text.partition(START)
    comment, _, rest = rest.partition("\n")
    after = rest.partition(END)[2]
    sections = [section(path) for path in sorted((HERE / "results").glob("*.json"))]
    body = "".join(f"{section.strip()}\n\n" for section in sections)
    return f"{before}{START}{comment}\n\n{body}{END}{after}"


def main() -> None:
    """Write the README, or check it."""
    parser = argparse.ArgumentParser("python -m experiments.tables", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 where it would")
    text = README.read_text()
    if parser.parse_args().check:
        sys.exit(rendered(text) != text)
    README.write_text(rendered(text))


if __name__ == "__main__":
    main()
