"""A run while it trains and measures: its folder, its data, its trained arms. `perform` opens and ends it."""

import contextlib
import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
from rich.console import Console

from jaxae import commands, keys, train
from jaxae.data import Dataset
from jaxae.errors import UsageError
from jaxae.files import write_json
from jaxae.findings import Origin
from jaxae.run import flags, manifest, pretrained, resuming
from jaxae.run import folder as folders
from jaxae.run.experiment import Experiment
from jaxae.run.foresight import foresee
from jaxae.run.scoring import written_arms
from jaxae.run.signals import Interrupted, Stop
from jaxae.run.sources import Sets, Use, load_noted
from jaxae.run.tensorboard import tensorboard_writer
from jaxae.run.terminal import Output, Working
from jaxae.run.training import choose_lanes, non_finite, refuse_devices, side_by_side, train_or_restore
from jaxae.study import Arm, Study
from jaxae.train import lanes
from jaxae.train.plan import Plan
from jaxae.train.trained import Trained, of_progress

Like = tuple[Path, Mapping[str, Any]] | None  # a run, or saved result, whose data another must have; its manifest


class Run:
    """The run directory of one experiment, open for training; or, with `training=False`, for measuring once more: then
    the scores that lie there are made anew, unless `scored` says that this code has made them.

    What an experiment calls: `data` and `file` for what it uses, `train` for its arms, `pretrained` and `publish` for
    models that runs use and don't study, `origin` for its findings.
    """

    rehearsing = False  # where it is only planned: nothing need be fetched

    def __init__(
        self,
        experiment: Experiment,
        config: flags.Flags,
        *,
        training: bool = True,
        scored: bool = False,
        like: Like = None,
    ):
        self.experiment, self.training, self.scored = experiment, training, scored or training
        self.config: Any = config  # of the experiment's own type
        self.manifest = manifest.new_manifest(experiment, config)
        refuse_devices(config.devices)
        self.seeds: tuple[int, ...] = tuple(self.manifest["seeds"])
        self.folder = config.out or Path("runs")  # until one is made there
        self.console = Console(file=Output())  # pyright: ignore[reportArgumentType]  as a file
        self.stop = Stop(self.say)
        self.writer: Any = None
        self.before: dict[str, Any] | None = None
        self.like = like
        self.history: dict[str, Any] = {}
        self._studies: dict[str, bool] = {}  # those whose checkpoints this run has, and whether they are its arms'
        self._pretrained: dict[Path, dict[str, Any]] = {}  # by their places in the cache
        self._sets: Sets = {}
        self._began = time.perf_counter()

    # ---- opening and closing

    def __enter__(self) -> "Run":
        if self.fresh:
            folders.refuse_alike(arm.study.name for arm in self.experiment.arms(self.config))
            if self.config.out is not None:
                folders.refuse_used(self.folder)  # before it is asked for: no system may have such a path
            self._was_there = self.config.out is not None and self.folder.exists()
            self.folder = self.config.out or folders.new_folder(self.experiment.name)
        else:
            self._read_before()  # there is a run, or nothing is made
        self._lock = folders.claim(self.folder, fresh=self.fresh)
        try:
            self._open()
        except BaseException:
            self._lock.close()
            if self.fresh and not (self.folder / "manifest.json").exists():
                folders.clear(self.folder, keep=self._was_there)
            raise
        if self.training:  # measuring again has nothing to save, so a signal may end it at once
            self.stop.__enter__()
        return self

    def __exit__(self, kind, error, traceback) -> None:
        self.stop.__exit__()
        try:
            if kind is None:
                self.stop.hand_on()  # too late to stop this run, not to stop the one that it is a part of
            elif self.training and not self._untouched:
                with contextlib.suppress(OSError):  # a disk that is full: what ended the run is said
                    self._note_end(kind)
        finally:
            if self.writer is not None:
                self.writer.close()
            self._lock.close()

    @property
    def fresh(self) -> bool:
        """Whether this run begins: it is neither resumed nor measured again."""
        return self.training and not self.config.resume

    @property
    def _untouched(self) -> bool:
        """Whether this run was complete, and nothing of it has been taken up again."""
        return self.before is not None and self.before["status"] == "complete" and not self.history

    # ---- what an experiment calls

    @property
    def origin(self) -> Origin:
        """What the findings of this run are of."""
        return Origin(flags.scientific(self.config), self.seeds, tuple(self.manifest["data"]))

    @property
    def limited(self) -> bool:
        """Whether --limit has left out training images."""
        entries = [entry for entry in self.manifest["data"] if entry["split"].startswith("train")]
        return any("of" in entry and not entry["role"].endswith(", judge") for entry in entries)

    def data(self, name: str, split: str, *, use: Use = "study", size: int | None = None) -> Dataset:
        """The data set of this run's source: of a training split the first --limit images, of others --test-limit.

        What trains a "judge" is limited by --judge-limit, and what is used "whole" isn't. `size` is that of
        `jaxae.data.load`. A set is loaded once, and goes to each device once.
        """
        return load_noted(self, self._sets, name, split, use, size)

    def file(self, role: str, path: Path) -> Path:
        """Note a file that the run depends on, such as pretrained weights, with its SHA-256; the same path."""
        self.note_source("files", manifest.describe_file(role, path))
        return path

    def train(
        self,
        arm: Arm | Study,
        data: Any,
        *,
        validation: Any = None,
        test: Any = None,
        validate_every: int | None = None,
        patience: int | None = None,
        stop_dead: bool = False,
        chunk: int | None = None,
        initial: Any = None,
        best: bool = False,
    ) -> dict[str, Trained]:
        """Train a study under every setting of the arm, a lane for every setting and seed, all in one program.

        Returns the trained arms by name, "study setting", scored on `test`. A seed has the same initial parameters,
        data order and noise in every setting, so settings are compared in pairs. `best` takes the state of the lowest
        validation loss for the arm's, in place of the last one. The other options are those of `train.fit`.

        What was trained already, in a run that is resumed or measured again, is taken from its checkpoint.
        Raises UsageError for an arm or study whose name is taken, for `best` without validation and for a loss that is
        not finite.
        """
        arm = Arm(arm) if isinstance(arm, Study) else arm
        self._refuse_taken(arm)
        if best and validation is None:
            raise UsageError(f"the best state of {arm.study.name!r} takes validation data; give validation=")
        roots = jnp.stack([keys.root(seed) for seed in self.seeds] * len(arm.settings))
        table = [hparams for hparams in arm.settings.values() for _ in self.seeds]
        hparams = None if all(row is None for row in table) else lanes.stack(table)
        how = choose_lanes(self, arm.study, len(roots), data, validation, test)
        plan = Plan(arm.study.epochs, validate_every, patience, chunk, stop_dead)
        sets = {"training": data, "validation": validation, "test": test}
        with self.working(f"{arm.study.name}: looking ahead", at_once=False):
            if self.training:
                foresee(self, arm, roots, sets, plan, initial, how)
            how = side_by_side(self, arm, roots, how, sets)
        options = {"validation": validation, "hparams": hparams, "initial": initial}
        try:
            now = train_or_restore(self, arm.study, roots, data, plan, how, **options)
        except train.NonFiniteLossError as error:
            raise non_finite(self, arm.study, arm.names, error) from error
        whole = of_progress(arm.study.name, arm.study, roots, now, how, plan, arm.study.steps_per_epoch(data))
        if best:
            whole = dataclasses.replace(whole, state=whole.best)
        return written_arms(self, arm, whole, test, best)

    def pretrained(self, study: Study, data: Any, recipe: Mapping[str, Any]) -> dict[str, Any]:
        """The variables of a model that this run uses and doesn't study, from the cache; trained first if need be.

        `recipe` holds what tells this training from others of the name, as JSON values, its "seed" among them. The
        model is no arm: it has one seed, and no place in the results. See `jaxae.run.pretrained`.
        """
        folders.take(self._studies, study.name, arm=False)
        kept = pretrained.kept_folder(study, data, recipe)
        self.manifest.setdefault("pretrained", {})[study.name] = kept.name
        if kept not in self._pretrained:
            self._pretrained[kept] = pretrained.provided(self, study, data, recipe)
        return self._pretrained[kept]

    def publish(self, arm: Trained, data: Any, recipe: Mapping[str, Any]) -> None:
        """Keep an arm's first seed in the cache, where `pretrained` of any run with this recipe finds it.

        Only where it was trained by `map`, and so has the bits that a run of its own would have.
        """
        if arm.how.mode == "map" and self.training:
            pretrained.keep(self.folder, arm.study, data, recipe)

    # ---- what the parts of a run call

    def say(self, text: str) -> None:
        """Print it, unless the run is quiet."""
        if not self.config.quiet:
            self.console.print(text, soft_wrap=True, highlight=False, markup=False)

    def working(self, what: str, *, at_once: bool = True) -> Working:
        """Within it the run says what it does, and every few seconds that it still does, unless it is quiet; at first
        only then without `at_once`."""
        return Working(what, self.say, log=not self.console.is_terminal, at_once=at_once)

    def stop_if_asked(self) -> None:
        """Raise Interrupted where a signal has come: called where everything is saved."""
        if self.stop.number:
            raise Interrupted(self.stop.number, self.again())

    def again(self) -> str:
        """The command that goes on with this run."""
        config = type(self.config)(**{**vars(self.config), "out": self.folder, "resume": True})
        local = (
            "data_dir", "devices", "stream", "out", "resume", "tensorboard", "distributed", "coordinator", "processes",
        )  # fmt: skip
        return commands.here(self.experiment.command(config, local=local))

    def spent(self, arm: str) -> Mapping[str, Any]:
        """What the manifest said of an arm when this process began: its seconds are added up."""
        return (self.before or {}).get("arms", {}).get(arm, {})

    def note_arm(self, arm: str, **facts: Any) -> None:
        """Facts of an arm for the manifest."""
        entry = self.manifest["arms"].setdefault(arm, dict(self.spent(arm)))
        entry.update(facts)

    def write_manifest(self, status: str) -> None:
        """Write the manifest as it stands; a run that only measures leaves what was written."""
        if not self.training:
            return
        self.manifest["status"] = status
        spent = (self.before or {}).get("wall_seconds", 0.0) + time.perf_counter() - self._began
        self.manifest["wall_seconds"] = round(spent, 1)
        if (memory := manifest.peak_memory()) is not None:
            self.manifest["peak_memory_gib"] = max(memory, (self.before or {}).get("peak_memory_gib", 0.0))
        write_json(self.folder / "manifest.json", resuming.with_the_rest(self.manifest, self.before or {}))

    # ---- inside

    def _read_before(self) -> None:
        self.before = manifest.load_manifest(self.folder, "to start one, leave out --resume")
        if self.config.resume:
            resuming.refuse_other_run(self.before, self.manifest, self.folder, self.config)

    def _open(self) -> None:
        """Begin in the folder, or go on from what whoever had it last has left."""
        self.writer = tensorboard_writer(self.folder) if self.config.tensorboard else None
        if self.fresh:
            self.write_manifest("running")
        else:
            self._read_before()
            self.manifest = resuming.continued(self.before or {}, self.manifest)
        verb = "into" if self.training else "measuring again in"
        self.say(f"{self.manifest['title']}\n{self.manifest['command']}\n{verb} {self.folder}")

    def _note_end(self, kind: type[BaseException]) -> None:
        """Note what ended the run; where nothing was trained the corrected command can have the folder."""
        self.write_manifest("interrupted" if issubclass(kind, Interrupted | KeyboardInterrupt) else "failed")
        if issubclass(kind, KeyboardInterrupt):
            self.say(f"stopped; go on from the last checkpoint, or from the start, with: {self.again()}")
        if kind is UsageError and self.fresh and not any(self.folder.rglob("checkpoints")):
            folders.clear(self.folder, keep=self._was_there)

    def note_source(self, kind: str, entry: Mapping[str, Any]) -> None:
        """Note a data set or file; refuse one that isn't what the run, or the one that it is to be like, had."""
        for folder, made in ((self.folder, self.before or {}), self.like or (self.folder, {})):
            resuming.refuse_other_data(made.get(kind, []), entry, folder)
        if entry not in self.manifest[kind]:
            self.manifest[kind].append(entry)

    def _refuse_taken(self, arm: Arm) -> None:
        if taken := [name for name in arm.names if name in self.history]:
            raise UsageError(f"this run has an arm called {taken[0]!r} already; give every arm a name of its own")
        folders.take(self._studies, arm.study.name, arm=True)
