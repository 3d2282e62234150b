"""A gallery over run folders and results files: what each is, how those of one experiment compare, where two differ.

What is damaged or foreign is a sentence each, and the rest is shown. Nothing is imported but jaxae's own studies, and
the one that the command line names.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jaxae import commands
from jaxae.errors import UsageError
from jaxae.files import load_json, write_whole
from jaxae.findings.storage import from_json
from jaxae.report.gallery import MARK, Card, Gallery, gallery_page, thumbnail
from jaxae.report.key_pictures import FOLDER
from jaxae.report.numbers import listed_seeds
from jaxae.report.page import SYNTHETIC, is_synthetic
from jaxae.report.tables import tally_of
from jaxae.run import manifest
from jaxae.run.comparing import Entry, comparisons
from jaxae.run.cost import where
from jaxae.run.experiment import OWN, find_experiment
from jaxae.run.folder import in_use
from jaxae.run.saved import read_result

DEEP = 3  # folders below a named one's children in which runs are looked for
LEFT = ("checkpoints", "findings.json", "report.html")  # by any of them a run without its manifest is known
MEND = "measure the run again: python -m jaxae report RUN"
BENCHMARK = {"manifest": {"sittings": list}, "rows": list, "samples": list}  # of a file of speeds
PICTURE = re.compile(r"\]\((figures/[\w.-]+\.png)\)")  # of a report.md


def index_runs(paths: Sequence[Path], out: Path, *, given: str = "") -> Gallery:
    """Write the gallery of these runs, results files and folders of them into the page `out`; what it shows.

    `given` names the experiment of those that aren't jaxae's own. Raises UsageError where there is no run at all, and
    where `out` is something else than such a page.
    """
    _refuse_other_page(out)
    if given:
        find_experiment(given, given)  # what is named by hand is there, or nothing is written
    entries, problems, speeds = [], [], []
    for path in runs_in(paths):
        try:
            entries.append(entry_of(path, given))
        except UsageError as error:
            if _is_of_benchmark(path):
                speeds.append(str(path))
            else:
                problems.append(_legible(str(error)))
        except OSError as error:  # a closed folder, a name that is too long
            problems.append(_legible(f"{path} can't be read ({error.strerror}); leave it out, or open it to be read"))
    if speeds:
        problems.append(_legible(f"{', '.join(speeds)}: speeds that experiments.benchmark measured, no runs"))
    if not entries:
        raise UsageError(problems[0] if len(problems) == 1 else f"there is no run in {' '.join(map(str, paths))}")
    entries = [entry._replace(name=_legible(name)) for entry, name in zip(entries, _names(entries), strict=True)]
    gallery = Gallery([_card(entry, out) for entry in entries], comparisons(entries), problems)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, gallery_page(gallery).encode(errors="replace"))
    except OSError as error:
        raise UsageError(f"{out} can't be written ({error.strerror}); choose another --out") from None
    return gallery


def _legible(text: str) -> str:
    """Text with question marks for what is no letter: names of files are bytes, and JSON can hold half a letter."""
    return text.encode(errors="replace").decode()


def _refuse_other_page(out: Path) -> None:
    try:
        known = not os.path.lexists(out) or (out.is_file() and MARK.encode() in _head(out))  # no device, no pipe
    except OSError:
        known = False
    if not known:
        raise UsageError(f"{out} exists and is no page of this command; choose another --out")


def _head(page: Path) -> bytes:
    with page.open("rb") as file:
        return file.read(4096)


# ---- what there is


def runs_in(paths: Sequence[Path]) -> list[Path]:
    """The runs and files that are named, or lie in named folders, each once; to be said, too, a named folder that
    holds none, and one in it that looks like a run without its manifest."""
    found = []
    for path in paths:
        inside = [] if _is_run(path) else _children(path)
        found += [run for child in inside for run in _below(child, DEEP) or _left_of_run(child)] or [path]
    return [*{_real(path): path for path in found}.values()]


def _real(path: Path) -> Path:
    """Where links lead; a link that leads back to itself is left as it is, to be said."""
    return Path(os.path.realpath(path))


def _below(path: Path, deep: int) -> list[Path]:
    """The run that this is, or those in it; a file, which may be a result; a closed folder, to be said."""
    if _is_run(path) or os.path.isfile(path) or not os.access(path, os.R_OK | os.X_OK):
        return [path]
    return [run for child in _children(path) if os.path.isdir(child) and deep for run in _below(child, deep - 1)]


def _left_of_run(path: Path) -> list[Path]:
    """The folder, where it has what else a run leaves."""
    return [path] if any(os.path.exists(path / name) for name in LEFT) else []


def _children(path: Path) -> list[Path]:
    """The folders in a folder, and files of JSON; no hidden ones, and none where it is closed."""
    try:
        inside = sorted(child for child in path.iterdir() if not child.name.startswith("."))
    except OSError:
        return []
    return [child for child in inside if os.path.isdir(child) or child.suffix == ".json"]


def _is_run(path: Path) -> bool:
    return os.path.exists(path / "manifest.json")


def entry_of(path: Path, given: str) -> Entry:
    """A run, or result, and what today's code says of it. Raises UsageError for what is neither."""
    try:
        path.stat()
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist; name run folders, results files, or folders of them") from None
    _refuse_pipes(path)
    if path.is_file():
        made, content = read_result(path)
        return _worded(Entry(path, made), content, given)
    made = manifest.load_manifest(path, "name the folder of one, or of several")
    if made["status"] != "complete":
        return Entry(path, made)
    try:
        return _worded(Entry(path, made), load_json(path / "findings.json", {}, MEND), given)
    except UsageError as error:
        return Entry(path, made, problem=str(error))


def _refuse_pipes(path: Path) -> None:
    """Raise UsageError where reading a file, or those of a run, might have no end."""
    for part in [path / "manifest.json", path / "findings.json"] if path.is_dir() else [path]:
        if part.exists() and not part.is_file():
            raise UsageError(f"{part} is no file but a pipe, a device or a folder, which isn't read; leave it out")


def _is_of_benchmark(path: Path) -> bool:
    """Whether a file that is no result of a run is one of experiments.benchmark."""
    try:
        return os.path.isfile(path) and bool(load_json(path, BENCHMARK, MEND))
    except UsageError:
        return False


def _worded(entry: Entry, content: Mapping[str, Any], given: str) -> Entry:
    """With its findings, without arrays, and what is said of them; or why not."""
    made = entry.made
    try:
        experiment = find_experiment(made["module"], "" if OWN.fullmatch(made["module"]) else given)
        found = from_json(content, manifest.origin(made, experiment), entry.path)
        return entry._replace(experiment=experiment, found=found, document=experiment.document(found))
    except UsageError as error:
        return entry._replace(problem=str(error))
    except Exception as error:  # of a study's own words, whatever they miss in findings of other code
        said = f"{type(error).__name__}: {error}"
        return entry._replace(problem=f"{entry.path} can't be said by today's code ({said}); {MEND}")


def _names(entries: Sequence[Entry]) -> list[str]:
    """What runs are called: the last part of their paths, or as much as tells them apart."""
    paths = [_real(entry.path) for entry in entries]
    parts = [path.with_suffix("").parts if path.suffix == ".json" else path.parts for path in paths]
    return [
        next(
            "/".join(own[-n:])
            for n in range(1, len(own) + 1)
            if n == len(own) or [other[-n:] for other in parts].count(own[-n:]) == 1
        )
        for own in parts
    ]


# ---- cards


def _card(entry: Entry, out: Path) -> Card:
    made = entry.made
    report = _report(entry.path, made["experiment"])
    return Card(
        entry.name, _legible(made["title"]), _legible(made["command"]), where(made), listed_seeds(made["seeds"]),
        _state(entry),
        conclusion=_legible(_conclusion(entry)),
        tally=tally_of(entry.document.rows) if entry.document else [],
        alarms=[
            *([SYNTHETIC.partition(":")[0]] if is_synthetic(made) else []),
            *(["not comparable with its report"] if _is_barred(entry) and not is_synthetic(made) else []),
        ],
        note=_legible(entry.problem or _onward(entry)),
        link=_address(report, out) if report else "",
        picture=_picture(entry.path),
    )  # fmt: skip


def _is_barred(entry: Entry) -> bool:
    """Whether its settings or images keep a report's numbers from being held against it."""
    if entry.experiment is None or entry.found is None:
        return False
    return any(departure.bars for departure in entry.experiment.departures(entry.found))


def _state(entry: Entry) -> str:
    """As the manifest has it; a run that no process works in any more is left."""
    status = entry.made["status"]
    if status == "running" and not in_use(entry.path):
        return "left to resume"
    return "finished" if status == "complete" else status


def _onward(entry: Entry) -> str:
    """The command that goes on with a run that has not finished."""
    if _state(entry) in ("finished", "running"):
        return ""
    return commands.onward(entry.made["command"], entry.path)


def _conclusion(entry: Entry) -> str:
    """The first sentence that is said, without its bullet."""
    lines = entry.document.conclusions.splitlines() if entry.document else []
    return next((line.removeprefix("- ") for line in lines if line.strip()), "")


def _report(path: Path, study: str) -> Path | None:
    """The page of a run; of a results file its study's, where that lies beside it."""
    page = path.with_name(f"{study}.md") if path.is_file() else path / "report.html"
    return page if os.path.isfile(page) else None


def _address(page: Path, out: Path) -> str:
    """Where a page is, seen from `out`."""
    return quote(os.fsencode(os.path.relpath(_real(page), _real(out).parent).replace(os.sep, "/")))


def _picture(path: Path) -> bytes:
    """The first figure of a run's report, or beside a results file, that isn't the loss curves, small; nothing where
    there is none that can be read."""
    try:
        named = _pictures(path)
        first = [name for name in named if not name.endswith("loss_curves.png")] + named
        picture = (path.parent if os.path.isfile(path) else path) / first[0]
        return thumbnail(picture.read_bytes()) if os.path.isfile(picture) else b""  # reading a pipe would have no end
    except (OSError, IndexError, ValueError, SyntaxError):  # SyntaxError is Pillow's, of a damaged PNG
        return b""


def _pictures(path: Path) -> list[str]:
    """The pictures of a run or of a results file, from its folder on."""
    if os.path.isfile(path):
        return sorted(
            str(shown.relative_to(path.parent)) for shown in (path.parent / FOLDER / path.stem).glob("[0-9]_*.png")
        )
    return PICTURE.findall((path / "report.md").read_text("utf-8")) if os.path.isfile(path / "report.md") else []
