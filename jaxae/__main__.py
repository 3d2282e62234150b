"""The tool: `python -m jaxae data list|prepare`, `report RUN`, `check RESULTS.json`."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from jaxae import data, plots, program
from jaxae.check import check, read
from jaxae.errors import UsageError
from jaxae.report import write
from jaxae.results import to_json


def parser() -> argparse.ArgumentParser:
    """The commands and their flags."""
    tool = argparse.ArgumentParser("python -m jaxae", description="Prepare data, render reports, check results.")
    commands = tool.add_subparsers(required=True, metavar="COMMAND")
    sets = commands.add_parser("data", help="list or prepare data sets").add_subparsers(required=True, metavar="WHAT")
    listing = sets.add_parser("list", help="what is prepared in the data folder")
    prepare = sets.add_parser("prepare", help=f"download and prepare one of {', '.join(data.PREPARABLE)}")
    prepare.add_argument("name", help="the data set")
    prepare.add_argument("--manual-dir", type=Path, help="folder with the official files, for machines offline")
    report = commands.add_parser("report", help="render a run's report again from its saved arrays")
    report.add_argument("run", type=Path, help="the run directory")
    report.add_argument("--save", type=Path, metavar="FILE", help="also write manifest and rows into one JSON file")
    checking = commands.add_parser("check", help="run a saved result again and compare (exit status 1: it differs)")
    checking.add_argument("results", type=Path, help="a results file, such as experiments/results/fc_vs_conv.json")
    checking.add_argument("--out", type=Path, help="keep the new run in this folder")
    checking.add_argument("--devices", type=int, help="devices to spread the seeds over")
    for command in (listing, prepare, checking):
        command.add_argument("--data-dir", type=Path, help="default: $TFDS_DATA_DIR, or ~/tensorflow_datasets")
    actions = {listing: list_data, prepare: prepare_data, report: render, checking: check_results}
    for command, action in actions.items():
        command.set_defaults(action=action)
    return tool


def list_data(flags: argparse.Namespace) -> None:
    """Print the data sets that `load` can read."""
    table = Table("name", "version", "splits", "format", box=None)
    found = data.listing(flags.data_dir)
    for entry in found:
        sizes = ", ".join(f"{split} {data.count(entry.name, split, n)}" for split, n in entry.splits.items())
        table.add_row(entry.name, entry.version, sizes, entry.format)
    empty = "nothing is prepared there; for instance: python -m jaxae data prepare mnist"
    Console().print(table if found else empty)


def prepare_data(flags: argparse.Namespace) -> None:
    """Download (or take from --manual-dir) and prepare a data set."""
    print(data.prepare(flags.name, data_dir=flags.data_dir, manual_dir=flags.manual_dir))


def render(flags: argparse.Namespace) -> None:
    """Draw a run's figures and pages again."""
    print(write(flags.run))
    if flags.save is not None:
        manifest, rows = read(flags.run / "results.json")
        content = {"manifest": manifest, "rows": [to_json(row) for row in rows]}
        save(flags.save, json.dumps(content, indent=1) + "\n")


def save(path: Path, text: str) -> None:
    """Write a results file, in the place of an older one and of nothing else."""
    if path.exists():
        try:
            read(path)
        except UsageError:
            raise UsageError(f"{path} exists and is no results file; choose another name for --save") from None
    try:
        print(plots.write(path, text.encode()))
    except OSError as error:
        raise UsageError(f"{path} can't be written ({error.strerror}); choose another name for --save") from None


def check_results(flags: argparse.Namespace) -> None:
    """Run a saved result again; the exit status says whether it holds."""
    if flags.out is not None and flags.out.exists():
        raise UsageError(f"{flags.out} exists and is not overwritten; choose another --out")
    given = {"--data-dir": flags.data_dir, "--devices": flags.devices}
    local = [word for flag, value in given.items() if value is not None for word in (flag, str(value))]
    with tempfile.TemporaryDirectory() as scratch:
        how, problems = check(flags.results, local, flags.out or Path(scratch) / "run")
    print("\n".join([f"compared {how}: {len(problems)} difference{'s' * (len(problems) != 1)}", *problems]))
    if problems:
        sys.exit(1)


def main(arguments: list[str] | None = None) -> None:
    """Run the tool."""
    flags = parser().parse_args(arguments)
    program.with_errors(lambda: flags.action(flags))


if __name__ == "__main__":
    main()
