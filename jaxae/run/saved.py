"""Saved results: manifest and findings in one JSON file, without arrays; said by today's code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxae.errors import UsageError
from jaxae.files import load_json, write_json
from jaxae.findings import Findings
from jaxae.findings.storage import from_json, load_findings, to_json
from jaxae.report import Document, key_pictures
from jaxae.run import manifest
from jaxae.run.experiment import Experiment, find_experiment

MEND = "give a run's folder, or a file that `python -m jaxae report RUN --save FILE` has written"


class Saved(NamedTuple):
    """What a results file holds."""

    manifest: Mapping[str, Any]
    experiment: Experiment
    findings: Findings


def load_result(path: Path, given: str = "") -> Saved:
    """A saved result: a file of `save_result`, or a run's folder. Raises UsageError for anything else.

    `given` names the experiment where it isn't one of jaxae's own.
    """
    if path.is_dir():
        made = manifest.load_manifest(path)
        experiment = find_experiment(made["module"], given)
        return Saved(made, experiment, load_findings(path, manifest.origin(made, experiment)))
    made, content = read_result(path)
    experiment = find_experiment(made["module"], given)
    return Saved(made, experiment, from_json(content, manifest.origin(made, experiment), path))


def read_result(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The manifest and the findings, as JSON has them, of a results file. Raises UsageError for anything else."""
    content = load_json(path, {"manifest": {}, "findings": {}}, MEND)
    if content.keys() != {"manifest", "findings"}:
        raise UsageError(f"{path} is not a results file of jaxae; {MEND}")
    return manifest.known_manifest(content["manifest"], path), content["findings"]


def refuse_precious(path: Path, given: str = "") -> None:
    """Raise UsageError where there is something in the place of a results file that isn't one."""
    if path.exists():
        try:
            load_result(path, given)
        except UsageError:
            raise UsageError(f"{path} exists and is no results file; choose another name for --save") from None


def save_result(folder: Path, path: Path, given: str = "") -> list[Path]:
    """Write the result of a run's folder into one file, in the place of an older one and of nothing else; and where a
    folder `pictures` is beside it, the key figures into that. The paths of what is written."""
    refuse_precious(path, given)
    saved, has_pictures = load_result(folder, given), (path.parent / key_pictures.FOLDER).is_dir()
    document = saved.experiment.document(saved.findings) if has_pictures else Document("")
    drawn = key_pictures.key_pictures(document)
    try:
        write_json(path, {"manifest": saved.manifest, "findings": to_json(saved.findings)})
        return [path, *(key_pictures.write_pictures(path, drawn) if has_pictures else ())]
    except OSError as error:
        raise UsageError(f"{path} can't be written ({error.strerror}); choose another name for --save") from None
