"""The tool: `python -m jaxae data list|prepare`, `report RUN`, `merge RUN RUN ... --out DIR`, `check RESULTS.json`,
`export RUN ARM --out DIR`, `index RUNS...`, `completion`."""

import argparse
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import jaxae
from jaxae import commands, data
from jaxae.errors import UsageError
from jaxae.run.command_line import set_up, with_errors


def parser() -> argparse.ArgumentParser:
    """The commands and their flags."""
    tool = argparse.ArgumentParser(
        "python -m jaxae", description="Prepare data; report, merge, check and compare runs; export models."
    )
    tool.add_argument("--version", action="version", version=f"jaxae {jaxae.__version__}")
    tool.set_defaults(action=lambda _: tool.print_help())  # without a command
    parts = tool.add_subparsers(metavar="COMMAND")
    sets = parts.add_parser("data", help="list or prepare data sets").add_subparsers(required=True, metavar="WHAT")
    made = [add(sets) for add in (_add_list, _add_prepare)]
    made += [add(parts) for add in (_add_report, _add_merge, _add_check, _add_export, _add_index, _add_completion)]
    tool.set_defaults(commands=made)
    return tool


def _add_list(sets: Any) -> argparse.ArgumentParser:
    made = sets.add_parser("list", parents=[_data_dir()], help="what is prepared in the data folder")
    made.set_defaults(action=list_data)
    return made


def _add_prepare(sets: Any) -> argparse.ArgumentParser:
    help_ = f"download and prepare one of {', '.join(data.PREPARABLE)}"
    made = sets.add_parser("prepare", parents=[_data_dir()], help=help_)
    made.add_argument("name", help="the data set")
    made.add_argument("--manual-dir", type=Path, help="folder with the official files, for machines offline")
    made.set_defaults(action=prepare_data)
    return made


def _add_report(parts: Any) -> argparse.ArgumentParser:
    help_ = "measure a run again, without training, and write its report anew"
    made = parts.add_parser("report", parents=[_experiment(), _data_dir()], help=help_)
    made.add_argument("run", type=Path, help="the run directory")
    made.add_argument("--saved", action="store_true", help="don't measure again: say what was measured before")
    also = "also write manifest and findings into one JSON file, and key figures where pictures/ is beside it"
    made.add_argument("--save", type=Path, metavar="FILE", help=also)
    made.set_defaults(action=report_run)
    return made


def _add_merge(parts: Any) -> argparse.ArgumentParser:
    help_ = "make one run of several that differ in their seeds, or their arms"
    made = parts.add_parser("merge", parents=[_experiment(), _data_dir()], help=help_)
    made.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="the run directories")
    made.add_argument("--out", type=Path, required=True, help="the folder of the merged run")
    made.set_defaults(action=merge)
    return made


def _add_check(parts: Any) -> argparse.ArgumentParser:
    help_ = "run a saved result again and compare (exit status 1: it differs)"
    made = parts.add_parser("check", parents=[_experiment(), _data_dir()], help=help_)
    made.add_argument("results", type=Path, help="a results file, such as experiments/results/fc_vs_conv.json")
    made.add_argument("--out", type=Path, help="keep the new run in this folder")
    made.add_argument("--seeds", type=int, help="run the first so many seeds alone: a part of the time")
    made.add_argument("--quick", action="store_true", help="run a small piece of its study instead: seconds")
    made.add_argument("--devices", type=int, help="devices to spread the seeds over")
    made.set_defaults(action=check_results)
    return made


def _add_export(parts: Any) -> argparse.ArgumentParser:
    help_ = "write a trained model for other software: StableHLO, safetensors"
    made = parts.add_parser("export", parents=[_experiment()], help=help_)
    made.add_argument("run", type=Path, help="the run directory, or a folder that ae.save wrote")
    arm = "the arm, by its name in the results; needed where there are several"
    made.add_argument("arm", nargs="?", default="", help=arm)
    made.add_argument("--out", type=Path, required=True, help="the model's new folder")
    made.add_argument("--seed", type=int, help="of the arm's seeds; without it the first")
    made.add_argument("--which", choices=("state", "best"), help="the last model, or that of the best validation")
    made.set_defaults(action=export_model)
    return made


def _add_index(parts: Any) -> argparse.ArgumentParser:
    help_ = "a page of runs: what each found, side by side, and where two differ"
    made = parts.add_parser("index", parents=[_experiment()], help=help_)
    runs = "run folders, results files, or folders of them"
    made.add_argument("runs", type=Path, nargs="+", metavar="RUN", help=runs)
    made.add_argument("--out", type=Path, default=Path("index.html"), help="the page; default: index.html")
    made.set_defaults(action=index)
    return made


def _add_completion(parts: Any) -> argparse.ArgumentParser:
    made = parts.add_parser("completion", help="a script by which bash or zsh completes these commands")
    made.add_argument("shell", nargs="?", choices=("bash", "zsh"), help="one script does for both")
    made.set_defaults(action=complete)
    return made


def _data_dir() -> argparse.ArgumentParser:
    """The flag that says where data sets are."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--data-dir", type=Path, help="default: $TFDS_DATA_DIR, or ~/tensorflow_datasets")
    return shared


def _experiment() -> argparse.ArgumentParser:
    """The flag that names an experiment."""
    shared = argparse.ArgumentParser(add_help=False)
    whose = "module or file of a study that isn't one of jaxae's own"
    shared.add_argument("--experiment", default="", metavar="MODULE", help=whose)
    return shared


def list_data(flags: argparse.Namespace) -> None:
    """Print the data sets that `load` can read."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("name", "version", "splits", "format", box=None)
    there = data.location(flags.data_dir).exists()
    found = data.listing(flags.data_dir) if there else []
    for entry in found:
        sizes = ", ".join(f"{split} {data.count(entry.name, split, n)}" for split, n in entry.splits.items())
        table.add_row(*map(Text, (entry.name, entry.version, sizes, entry.format)))  # brackets are no markup
    where = ["--data-dir", flags.data_dir] if flags.data_dir else []
    console = Console()
    if found:
        console.print(table)
    lacking = [name for name in data.PREPARABLE if name not in {entry.name for entry in found}]
    lines = [commands.tool("data", "prepare", name, *where) for name in lacking]
    if not found:
        lines = [f"nothing is prepared in {data.location(flags.data_dir)}; these can be:", *lines]
        lines.append(
            "studies also run without, on drawn digits: --source synthetic, or on a folder: --dataset ./photos"
        )
    elif lines:
        lines = ["these can be prepared besides:", *lines]
    for line in lines:
        console.print(line, markup=False, soft_wrap=True, highlight=False)


def prepare_data(flags: argparse.Namespace) -> None:
    """Download (or take from --manual-dir) and prepare a data set."""
    _clear_when_stopped()
    print(data.prepare(flags.name, data_dir=flags.data_dir, manual_dir=flags.manual_dir))


def report_run(flags: argparse.Namespace) -> None:
    """Measure a run again, and write its figures and pages."""
    from jaxae.run.saved import refuse_precious, save_result
    from jaxae.run.steps import report_again

    set_up()
    if flags.save is not None:
        refuse_precious(flags.save, flags.experiment)
    print(report_again(flags.run, given=flags.experiment, data_dir=flags.data_dir, saved=flags.saved))
    if flags.save is not None:
        print("\n".join(map(str, save_result(flags.run, flags.save, flags.experiment))))


def merge(flags: argparse.Namespace) -> None:
    """Put runs together."""
    from jaxae.run.merging import merge_runs

    _clear_when_stopped()
    set_up()
    print("report:", merge_runs(flags.runs, flags.out, given=flags.experiment, data_dir=flags.data_dir))


def _clear_when_stopped() -> None:
    """Let SIGTERM end the program as an exception does: what is half made is removed."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


def check_results(flags: argparse.Namespace) -> None:
    """Run a saved result again; the exit status says whether it holds."""
    from jaxae.run.check import check, check_quick

    if flags.quick and flags.seeds is not None:
        raise UsageError("--seeds is for the whole result and --quick for a piece of its study; leave one of them out")
    if flags.out is not None and flags.out.exists():
        raise UsageError(f"{flags.out} exists and is not overwritten; choose another --out")
    set_up(flags.devices)
    with tempfile.TemporaryDirectory() as scratch:
        out, local = flags.out or Path(scratch) / "run", {"data_dir": flags.data_dir, "devices": flags.devices}
        if flags.quick:
            how, problems = check_quick(flags.results, out, given=flags.experiment, **local)
        else:
            how, problems = check(flags.results, out, given=flags.experiment, seeds=flags.seeds, **local)
    kept = "that run, and its report, were in a temporary folder and are gone; --out keeps them"
    print(kept if flags.out is None else f"report: {flags.out / 'report.html'}")
    print("\n".join([f"compared {how}: {len(problems)} difference{'s' * (len(problems) != 1)}", *problems]))
    if problems and flags.quick:
        print(
            "where bits are meant to change, make the piece anew as CONTRIBUTING.md says, and tell it in the changelog"
        )
    if problems:
        sys.exit(1)


def export_model(flags: argparse.Namespace) -> None:
    """Write a trained model and its programs."""
    from jaxae.run.export import export_run

    set_up()
    print(export_run(flags.run, flags.arm, flags.out, seed=flags.seed, which=flags.which, given=flags.experiment))


def index(flags: argparse.Namespace) -> None:
    """Write the page of runs, and print it."""
    from rich.console import Console

    from jaxae.report.gallery import gallery_console
    from jaxae.run.index import index_runs
    from jaxae.run.terminal import Output

    found = index_runs(flags.runs, flags.out, given=flags.experiment)
    console = Console(file=Output())  # pyright: ignore[reportArgumentType]  as a file
    console.print(gallery_console(found), highlight=False)
    console.print(str(flags.out), highlight=False, soft_wrap=True, markup=False)


def complete(flags: argparse.Namespace) -> None:
    """Print the script."""
    from jaxae.run.completion import script

    print(script(flags.commands))


def main(arguments: list[str] | None = None) -> None:
    """Run the tool."""
    flags = parser().parse_args(arguments)
    with_errors(lambda: flags.action(flags))


if __name__ == "__main__":
    main()
