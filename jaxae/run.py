"""A run: its directory, its training with checkpoints, its numbers and its report.

    with Run(config, claims) as run:
        train, test = run.data("mnist", "train"), run.data("mnist", "test")
        trained = run.train(study, train, validation=test, test=test)

When the block ends, the run directory is complete: manifest, history, scores, results, figures, report. The numbers
come from `train`, `evaluate` and `results`; nothing here can change one.
"""

import dataclasses
import functools
import shutil
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console

from jaxae import (
    arms,
    checkpoint,
    data,
    display,
    flags,
    keys,
    lanes,
    manifest,
    plots,
    pretrained,
    report,
    results,
    tables,
)
from jaxae import train as training
from jaxae.arms import Trained
from jaxae.errors import UsageError
from jaxae.record import NonFiniteLossError
from jaxae.study import Claim, Study

UNLISTED = ("/first", "/best", " over epochs", "parameters")  # measures that are rows only where a claim names them
SAVE_EVERY = 30.0  # seconds between checkpoints within an arm; every first epoch and every end are saved too


class Interrupted(Exception):  # noqa: N818  not an error
    """Ctrl-C or SIGTERM came; everything is saved, and `command` goes on."""

    def __init__(self, number: int, command: str):
        self.number, self.command = number, command
        super().__init__(f"interrupted and saved; go on with: {command}")


class Run:
    """The run directory of one experiment, open for writing; a context manager."""

    def __init__(self, config: flags.Flags, claims: Sequence[Claim] = ()):
        self.config, self.claims = config, tuple(claims)
        self.manifest = manifest.new(config)
        self.seeds = self.manifest["seeds"]
        self.folder = config.out or _new_folder(self.manifest["experiment"])
        self.console = Console()
        self.measures: dict[str, dict[str, np.ndarray]] = {}
        self.dead: dict[str, list[int]] = {}
        self.history: dict[str, Any] = {}
        self.scores: dict[str, np.ndarray] = {}
        self.differences: list[tuple[str, str, str]] = []
        self.sizes: dict[str, int] = {}
        self.before: dict[str, Any] | None = None
        self.signal = 0
        self.began = time.perf_counter()

    # ---- opening and closing

    def __enter__(self) -> "Run":
        if self.config.resume:
            self.before = manifest.read(self.folder)
            manifest.refuse_other(self.before, self.manifest, self.folder, self.config)
        elif self.folder.exists():
            mend = ", or add --resume" if (self.folder / "manifest.json").exists() else ""
            raise UsageError(f"{self.folder} exists and is not overwritten; choose another --out{mend}")
        self.writer = display.tensorboard_writer(self.folder) if self.config.tensorboard else None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{self.folder} can't be made ({error.strerror}); choose another --out") from None
        if self.before is None:
            self._write_manifest("running")
        else:
            self.manifest = manifest.continued(self.before, self.manifest)
        self._say(f"{self.manifest['title']}\n{self.manifest['command']}\ninto {self.folder}")
        self._handlers = self._catch_signals()
        return self

    def __exit__(self, kind, error, traceback) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if kind is None:
            self._finish()
            handler = self._handlers.get(self.signal)
            if callable(handler) and handler is not signal.default_int_handler:
                handler(self.signal, None)  # too late to stop this run, not to stop the one that it is a part of
        else:
            stopped = issubclass(kind, (Interrupted, KeyboardInterrupt))
            self._write_manifest("interrupted" if stopped else "failed")
            if issubclass(kind, KeyboardInterrupt):
                self._say(f"stopped; go on from the last checkpoint, or from the start, with: {self.again()}")
            if kind is UsageError and self.before is None and not any(self.folder.rglob("checkpoints")):
                shutil.rmtree(self.folder)  # nothing was trained: the corrected command can have the folder

    def _finish(self) -> None:
        """Write the numbers, draw the report, print the table."""
        rows = self.rows()
        manifest.write_json(self.folder / "history.json", self.history)
        manifest.write_json(self.folder / "results.json", [results.to_json(row) for row in rows])
        np.savez_compressed(self.folder / "scores.npz", **self.scores)  # pyright: ignore[reportArgumentType]
        self._write_manifest("complete")
        page = report.write(self.folder)
        self.console.print(report.console(rows, self.manifest))
        self.console.print(f"report: {page}", soft_wrap=True, highlight=False)

    # ---- what an experiment calls

    def data(self, name: str, split: str, *, whole: bool = False) -> data.Dataset:
        """The data set of this run's source; of a training split the first --limit images, unless `whole` is asked for.

        What a run uses and doesn't study, such as a judge, is trained on the whole split, whatever the limit.
        """
        loaded = data.load(name, split, source=self.config.source, data_dir=self.config.data_dir)
        role, limit = f"{name} {split}", self.config.limit if split.startswith("train") else None
        if limit is not None and limit < len(loaded):
            if whole:
                role += ", whole"
            else:
                self.sizes[role], loaded = len(loaded), loaded.head(limit)
        entry = manifest.describe_data(role, loaded)
        manifest.refuse_other_data((self.before or {}).get("data", []), entry, self.folder)
        if entry not in self.manifest["data"]:
            self.manifest["data"].append(entry)
        lossy = [f"{old['name']} re-encoded as JPEG" for old in self.manifest["data"] if old["source"] == data.AS_JPEG]
        if self.config.settings:  # without any there is no report to depart from
            self.manifest["deviations"] = [*flags.deviations(self.config, self.sizes), *dict.fromkeys(lossy)]
        return loaded

    def file(self, role: str, path: Path) -> Path:
        """Note a file that the run depends on, such as pretrained weights, with its SHA-256; the same path."""
        entry = manifest.describe_file(role, path)
        manifest.refuse_other_data((self.before or {}).get("files", []), entry, self.folder)
        self.manifest["files"].append(entry)
        return path

    def train(self, study: Study, data: Any, *, test: Any = None, best: bool = False, **options: Any) -> Trained:
        """Train an arm, a lane for every seed, and score it on `test`.

        `best` scores the state of lowest validation loss in place of the last one. `options` are those of
        `train.progress` and `train.Plan`: validation, validate_every, patience, chunk, initial.
        """
        return self.train_settings(study, data, {"": None}, test=test, best=best, **options)[0]

    def train_settings(
        self, study: Study, data: Any, settings: Mapping[str, Any], *, test: Any = None, best: bool = False, **options
    ) -> list[Trained]:
        """Train an arm for every setting, all settings and seeds in one compiled program.

        `settings` maps a name to its hparams, a pytree of numbers; the arm is called "study name". A seed has the same
        initial parameters, data order and noise in every setting, so settings are compared in pairs.
        """
        roots = jnp.stack([keys.root(seed) for seed in self.seeds] * len(settings))
        table = [hparams for hparams in settings.values() for _ in self.seeds]
        hparams = None if all(row is None for row in table) else lanes.stack(table)
        how = self._lanes(study, roots, data, hparams)
        if how.axis:
            self._note_batch_devices(study, how.devices)
        names = [f"{study.name} {setting}".strip() for setting in settings]
        if taken := [name for name in names if name in self.history]:
            raise UsageError(f"this run has an arm called {taken[0]!r} already; give every arm a name of its own")
        try:
            now = self._fit(study, roots, data, hparams, how, options)
        except NonFiniteLossError as error:
            raise self._non_finite(study, names, error) from error
        state = now.best if best else now.state
        if test is not None:
            self._say(f"{study.name}: scoring the test images")
        scores = (
            {} if test is None else jax.device_get(arms.scores(study, roots, state, lanes.resident(test, how), how))
        )
        trained = []
        for place, name in enumerate(names):
            part = slice(place * len(self.seeds), (place + 1) * len(self.seeds))
            cut = functools.partial(jax.tree.map, lambda leaf, part=part: leaf[part])
            steps = cut(now.train)
            epochs = {name: arms.epoch_means(losses, study.steps_per_epoch(data)) for name, losses in steps.items()}
            arm = Trained(
                name, study, roots[part], cut(state), steps, epochs, cut(now.validation), cut(scores),
                alive=np.ones(len(self.seeds), bool), how=how,
            )  # fmt: skip
            if test is not None:
                arm = dataclasses.replace(arm, alive=arms.alive(arm, test))
            self._note_arm(arm, data, options)
            saved = {"trained_as": study.name, "lanes": [part.start, part.stop], "scored": "best" if best else "state"}
            self._note_manifest(name, parameters=arms.parameters(arm.state), **saved)
            trained.append(arm)
        self._write_manifest("running")
        return trained

    def pretrained(self, study: Study, data: Any, recipe: Mapping[str, Any]) -> dict[str, Any]:
        """The variables of a model that this run uses and doesn't study, from the cache; trained first if need be.

        `recipe` holds what tells this training from others of the name, as JSON values, its "seed" among them. The
        model is no arm: it has one seed, and no place in the results. See `jaxae.pretrained`.
        """
        kept = pretrained.folder(study, data, recipe)
        self.manifest.setdefault("pretrained", {})[study.name] = kept.name
        if not kept.is_dir():
            self._say(f"{study.name}: trained once, for this run and later ones")
            self._fit(study, keys.root(recipe["seed"])[None], data, None, lanes.SOLO, {})
            pretrained.publish(self.folder, study, data, recipe)
        return checkpoint.variables(kept if kept.is_dir() else self.folder, study.name)

    def publish(self, arm: Trained, data: Any, recipe: Mapping[str, Any]) -> None:
        """Keep an arm's first seed in the cache, where `pretrained` of any run with this recipe finds it.

        Only where it was trained by `map`, and so has the bits that a run of its own would have.
        """
        if arm.how.mode == "map":
            pretrained.publish(self.folder, arm.study, data, recipe)

    def measure(self, arm: str, metric: str, values: Any) -> None:
        """Add a measure of an arm: one number per seed, or one number that is the same for all (kept as [1])."""
        values = np.atleast_1d(np.asarray(values, np.float64))
        if values.shape not in ((len(self.seeds),), (1,)):
            raise UsageError(f"{arm}, {metric}: {values.shape} values for {len(self.seeds)} seeds; give one for each")
        self.measures.setdefault(arm, {})[metric] = values

    def score(self, arm: str, name: str, values: Any) -> None:
        """Add a score of an arm, float[seeds, n], one for every test image; its means are the measure test/NAME."""
        self.measure(arm, f"test/{name}", np.asarray(values, np.float64).mean(1))
        self.scores[f"{arm}/{name}"] = np.asarray(values)

    def mark_dead(self, arm: Trained, alive: np.ndarray) -> Trained:
        """Name the seeds of an arm that died, all but alive bool[seeds]; the arm with them marked."""
        dead = [seed for seed, lives in zip(self.seeds, alive, strict=True) if not lives]
        self.dead[arm.name] = self.history[arm.name]["dead"] = dead
        if dead:
            self.measure(arm.name, "seeds that died", len(dead))
        return dataclasses.replace(arm, alive=alive)

    def living(self, *arms: str) -> np.ndarray:
        """bool[seeds]: those that died in none of these arms; all where that would leave none."""
        dead = {seed for arm in arms for seed in self.dead[arm]}
        alive = np.array([seed not in dead for seed in self.seeds])
        return alive if alive.any() else ~alive

    def words(self, arm: str, metric: str, *, by_seed: bool = False) -> str:
        """A measure for a note, as tables show it: mean and half-width of its interval; the seeds one by one."""
        values = self.measures[arm][metric]
        each = f" (by seed: {', '.join(map(tables.number, values))})" if by_seed and len(values) > 1 else ""
        return tables.over_seeds(values) + "%" * metric.endswith("%") + each

    def compare(self, first: str, second: str, *names: str) -> None:
        """Add the paired difference of two arms in each of these measures to the results."""
        self.differences += [(first, second, name) for name in names]

    def figure(self, name: str, figure: Any) -> None:
        """Save a figure (a record of `plots`) under figures/NAME, as arrays and as a picture."""
        plots.save(figure, self.folder / "figures", name)
        self.manifest["figures"].append(name)

    def note(self, text: str) -> None:
        """Add a paragraph to the report."""
        self.manifest["notes"].append(" ".join(text.split()))

    def table(self, title: str, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]]) -> None:
        """Add a table to the report: columns of (name, kind), kinds as in `page.Table`, and rows of strings."""
        self.manifest["tables"].append({"title": title, "columns": columns, "rows": rows})

    def rows(self) -> list[results.Row]:
        """The results so far: a row for every claim, then the other measures, then the paired differences."""
        common = {"seeds": self.seeds, "dead": self.dead}
        rows = results.compare(self.measures, self.claims, deviations=self.manifest["deviations"], **common)
        claimed = {(row.arm, row.metric) for row in rows}
        shown = results.rows(self.measures, **common)
        rows += [row for row in shown if (row.arm, row.metric) not in claimed and not row.metric.endswith(UNLISTED)]
        for first, second, name in self.differences:
            rows += results.difference(self.measures, first, second, name, **common)
        return rows

    def again(self) -> str:
        """The command that goes on with this run."""
        config = type(self.config)(**{**vars(self.config), "out": self.folder, "resume": True})
        return flags.command(config, local=("data_dir", "devices", "out", "resume", "tensorboard"))

    # ---- training with checkpoints

    def _fit(self, study, roots, data, hparams, how, options) -> training.Progress:
        if self.signal:  # it came while an earlier arm was scored
            raise Interrupted(self.signal, self.again())
        plan, options = training.Plan.split(study.epochs, options)
        per_epoch = study.steps_per_epoch(data)
        folder = self._checkpoints(study)
        validate = options.get("validation") is not None
        initial = options.pop("initial", None)
        now = training.begin(study, roots, data, plan, validate=validate, hparams=hparams, initial=initial, how=how)
        now = (checkpoint.restore(folder, now) if self.before else None) or now
        count = f"{len(roots)} {'lane' if len(roots) == 1 else 'lanes'}"
        epochs = f"{plan.epochs} {'epoch' if plan.epochs == 1 else 'epochs'}"
        self._say(f"{study.name}: {count}, {epochs} of {per_epoch:,} steps, batch {study.batch_size}")
        clock = display.Clock(study.batch_size, int(now.done))
        steps = training.progress(study, roots, data, plan, hparams=hparams, how=how, start=now, **options)
        with display.Bar(
            study.name, plan.epochs, per_epoch, int(now.done), self.console, quiet=self.config.quiet
        ) as bar:
            for now in steps:
                clock.tick(now)
                bar.update(now, clock.rate)
                display.write_events(self.writer, study.name, now, per_epoch)
                self._note_manifest(study.name, **clock.summary(self._spent(study.name)))
                self._keep(folder, now, clock, per_epoch, plan.epochs)
        return now

    def _keep(self, folder, now, clock, per_epoch, epochs) -> None:
        """Save where it is due; stop where a signal asked for it."""
        done = int(now.done)
        due = done in (per_epoch, epochs * per_epoch) or time.perf_counter() - clock.saved > SAVE_EVERY
        if due or self.signal or not np.any(now.active):
            checkpoint.save(folder, now)
            clock.saved = time.perf_counter()
        if self.signal:
            raise Interrupted(self.signal, self.again())

    def _checkpoints(self, study) -> Path:
        return self.folder / "checkpoints" / checkpoint.file_name(study.name)

    def _non_finite(self, study, names, error) -> UsageError:
        place, seed = divmod(error.lane, len(self.seeds))
        folder = self._checkpoints(study)
        steps = [path.name for path in folder.glob("*") if path.name.isdigit()]
        kept = f"the checkpoint after step {steps[0]} is kept" if steps else "no epoch was complete, nothing is kept"
        return UsageError(
            f"{names[place]}, seed {self.seeds[seed]}: {error.what} step {error.step} of epoch {error.epoch}; "
            f"lower the learning rate ({kept} in {folder})"
        )

    def _lanes(self, study, roots, data, hparams) -> lanes.Lanes:
        """As asked for; `map` where batches can't be divided. Without --devices, as many as help."""
        there, mode = jax.device_count(), self.config.lanes
        if mode == "split":
            devices = self.config.devices or lanes.dividing(study.batch_size, there)
            first = jax.tree.map(lambda leaf: leaf[0], hparams)
            reason = training.indivisible(study, roots[0], data, devices, first)
            if devices > 1 and not reason:
                return lanes.Lanes(mode, devices)
            self._say(f"{study.name}: by --lanes map, for {reason or 'one device has nothing to share'}")
            mode = "map"
        return lanes.Lanes(mode, self.config.devices or min(len(roots), there))

    def _note_batch_devices(self, study, devices: int) -> None:
        """On how many devices each batch is; raises UsageError where a resumed run had it on others."""
        before = self._spent(study.name).get("batch_devices", devices)
        if before != devices and not self.config.force:
            raise UsageError(
                f"{study.name} began with each batch on {before} devices and this would be {devices}: not bitwise the "
                f"same; give --devices {before}, or --force"
            )
        self._note_manifest(study.name, batch_devices=devices)
        self._write_manifest("running")  # to be known whatever ends this run

    def _spent(self, arm: str) -> Mapping[str, float]:
        """What the manifest said of an arm when this process began: its seconds are added up."""
        return (self.before or {}).get("arms", {}).get(arm, {})

    def _note_manifest(self, arm: str, **facts: Any) -> None:
        entry = self.manifest["arms"].setdefault(arm, dict(self._spent(arm)))
        entry.update(facts)

    # ---- the numbers of an arm

    def _note_arm(self, arm: Trained, data, options) -> None:
        """Measures, history, scores, and which seeds died."""
        self.measure(arm.name, "parameters", arms.parameters(arm.state))
        for split, losses in (("train", arm.epochs), ("validation", arm.validation)):
            for name, values in losses.items():
                for summary, value in arms.summaries(values).items():
                    self.measure(arm.name, f"{split}/{name}/{summary}", value)
        for name, values in arm.scores.items():
            self.score(arm.name, name, values)
        self.history[arm.name] = arms.history(arm, self.seeds, data, options.get("validate_every"))
        self.mark_dead(arm, arm.alive)

    # ---- small things

    def _catch_signals(self) -> dict[int, Any]:
        """Note the first Ctrl-C or SIGTERM, to stop between chunks; a second Ctrl-C stops at once."""
        if threading.current_thread() is not threading.main_thread():
            return {}

        def note(number, _frame):
            if self.signal and number == signal.SIGINT:
                raise KeyboardInterrupt
            self.signal = number
            self._say(
                "stopping after this chunk, once compiled ... (Ctrl-C again: at once, back to the last checkpoint)"
            )

        return {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}

    def _write_manifest(self, status: str) -> None:
        self.manifest["status"] = status
        spent = (self.before or {}).get("wall_seconds", 0.0) + time.perf_counter() - self.began
        self.manifest["wall_seconds"] = round(spent, 1)
        manifest.write_json(self.folder / "manifest.json", manifest.with_the_rest(self.manifest, self.before or {}))

    def _say(self, text: str) -> None:
        if not self.config.quiet:
            self.console.print(text, soft_wrap=True, highlight=False)


def _new_folder(experiment: str) -> Path:
    return Path("runs") / f"{experiment}-{time.strftime('%Y%m%d-%H%M%S')}"
