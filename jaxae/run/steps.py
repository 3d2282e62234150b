"""A run from beginning to end, and the ends of it done again: measured once more, said once more."""

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxae import commands
from jaxae.errors import UsageError
from jaxae.files import write_json
from jaxae.findings import Findings
from jaxae.findings.claims import row_to_json
from jaxae.findings.storage import load_findings, save_findings
from jaxae.report.console import console
from jaxae.report.page import write_report
from jaxae.run import flags, manifest
from jaxae.run.cost import cost_of, words_of_cost
from jaxae.run.experiment import Experiment, find_experiment
from jaxae.run.folder import claim
from jaxae.run.run import Like, Run
from jaxae.run.signals import Interrupted, Stop
from jaxae.run.tensorboard import write_results
from jaxae.train import hosts

MEASURED_BY = ("git_commit", "versions", "device")  # of the manifest


def perform(
    experiment: Experiment, config: flags.Flags, *, like: Like = None, job: Mapping[str, Any] | None = None
) -> Path:
    """Train, measure and say: the run's folder, complete. `like` is a run whose data this must have, and where it is;
    `job` what the manifest says of the sweep that this is a job of.

    Raises UsageError for what can't be done, and Interrupted, once all is saved, after Ctrl-C or SIGTERM.
    """
    opened = Run(experiment, config, like=like)
    opened.manifest |= {"job": dict(job)} if job else {}  # before it is first written: a run may be killed then
    with opened as run:
        if told := words_of_cost(cost_of(experiment, config)):
            run.say(told)
        trained = experiment.train(run)
        run.stop_if_asked()
        with run.working("measuring"):
            found = experiment.measure(run, trained)
        save_findings(run.folder, found)
        if run.writer is not None:
            write_results(run.writer, config, experiment.arms(config), found)
        run.write_manifest("complete")
    if not hosts.first():
        return run.folder
    with Stop(run.say):  # the pages take seconds: the first signal waits for them
        try:
            with run.working("drawing the figures and the report"):
                page = write_pages(run.folder, experiment, manifest.load_manifest(run.folder), found, run.console)
            if like is None:  # a run beside another may lie where it is gone in a moment
                run.console.print(f"report: {page}", soft_wrap=True, highlight=False, markup=False)
        except KeyboardInterrupt:
            raise Interrupted(signal.SIGINT, commands.tool("report", run.folder)) from None
    return run.folder


def report_again(folder: Path, *, given: str = "", data_dir: Path | None = None, saved: bool = False) -> Path:
    """Measure a complete run again, without training, and say what was found; its page.

    Where its checkpoints or data aren't at hand, or with `saved`, what was measured before is said by today's code.
    `given` names the experiment where it isn't one of jaxae's own: a module, or a file.
    Raises UsageError for a folder that holds no complete run.
    """
    made = manifest.load_manifest(folder)
    onward = commands.onward(made["command"], folder)
    if made["status"] != "complete":
        raise UsageError(
            f"the run in {folder} has not finished (its status is {made['status']!r}), so there is nothing to report; "
            f"{onward}"
        )
    experiment = find_experiment(made["module"], given)
    if saved:
        found = load_findings(folder, manifest.origin(made, experiment))
    else:
        try:
            found = measured_again(experiment, folder, made, data_dir)
        except UsageError as error:
            found = _measured_before(experiment, folder, made, error, onward)
    return write_pages(folder, experiment, manifest.load_manifest(folder), found)


def _measured_before(experiment, folder, made, reason, onward) -> Findings:
    """The saved findings, where `reason` keeps the run from being measured; `onward` trains what both lack."""
    try:
        found = load_findings(folder, manifest.origin(made, experiment))
    except UsageError as damaged:
        raise UsageError(
            f"{folder} can be said neither from its checkpoints ({reason}) nor from what was measured ({damaged}); "
            f"to train what is missing, {onward}"
        ) from damaged
    print(f"not measured again, but said again from what was measured before: {reason}")
    return found


def measured_again(
    experiment: Experiment, folder: Path, made: Mapping[str, Any], data_dir: Path | None, *, merged: bool = False
) -> Findings:
    """The findings of a complete run's checkpoints, written down, and in the manifest by what they were measured where
    that isn't what trained. Of a `merged` run, the scores of its parts are taken where this code made them.

    Raises UsageError where checkpoints or data aren't at hand.
    """
    config = flags.restored(experiment.config, made["config"], out=folder, data_dir=data_dir)
    now = manifest.new_manifest(experiment, config)
    measured = {name: now[name] for name in MEASURED_BY}
    before = {**made, **made.get("measured", {})}
    scored = merged and manifest.is_known(now["git_commit"]) and measured.items() <= before.items()
    with Run(experiment, config, training=False, scored=scored) as run:
        found = experiment.measure(run, experiment.train(run))
        save_findings(folder, found)
        trained = {name: value for name, value in made.items() if name != "measured"}
        alike = all(made[name] == value for name, value in measured.items())
        write_json(folder / "manifest.json", trained if alike else {**trained, "measured": measured})
    return found


def write_pages(
    folder: Path, experiment: Experiment, made: Mapping[str, Any], found: Findings, terminal: Any = None
) -> Path:
    """Write results.json, the figures and the pages of findings, and print the table; the page.

    Raises UsageError where another process works in the folder: its pages would be of two.
    """
    document, departures = experiment.document(found), experiment.departures(found)
    with claim(folder, fresh=False):
        write_json(folder / "results.json", [row_to_json(row) for row in document.rows])
        page = write_report(folder, made, document, departures)
    if terminal is not None:
        terminal.print(console(document, made, departures))
    return page
