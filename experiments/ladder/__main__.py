"""Measure what follows from the images alone, for the ladder: `python -m experiments.ladder --data-dir DIR`."""

import argparse
import sys
from pathlib import Path

from experiments.ladder.facts import STORED, measure
from jaxae.errors import UsageError
from jaxae.files import write_json


def main() -> None:
    """Write the file that the ladder reads."""
    parser = argparse.ArgumentParser("python -m experiments.ladder", description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="folder of the prepared sets; else TFDS_DATA_DIR")
    try:
        write_json(STORED, measure(parser.parse_args().data_dir))
    except UsageError as error:
        sys.exit(str(error))
    print(f"written: {STORED}; now run: python -m experiments.tables")


if __name__ == "__main__":
    main()
