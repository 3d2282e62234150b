"""Write the committed results as pages, in results/ and the README, and their pictures: `python -m experiments.tables`.

With --check, change nothing and exit with 1 where the pages aren't what the files say.
"""

import argparse
import sys

from experiments.tables.pages import pages, pictures


def main() -> None:
    """Write the files, or check them."""
    parser = argparse.ArgumentParser("python -m experiments.tables", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 where it would")
    check = parser.parse_args().check
    for path, text in pages().items():
        if check and (not path.is_file() or path.read_text() != text):
            sys.exit(f"{path} is not what the results say; run: python -m experiments.tables")
        if not check:
            path.write_text(text)
    if not check:
        for path, drawn in pictures().items():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(drawn)


if __name__ == "__main__":
    main()
