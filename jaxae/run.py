"""A run: its directory, its training with checkpoints, its numbers and its report.

    with Run(config, claims) as run:
        train, test = run.data("mnist", "train"), run.data("mnist", "test")
        trained = run.train(study, train, validation=test, test=test)

When the block ends, the run directory is complete: manifest, history, scores, results, figures, report. The numbers
come from `train`, `evaluate` and `results`; nothing here can change one.
"""

import dataclasses
import functools
import json
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
    checkpoint,
    data,
    display,
    evaluate,
    flags,
    keys,
    lanes,
    manifest,
    metrics,
    plots,
    pretrained,
    report,
    results,
    tables,
)
from jaxae import train as training
from jaxae.errors import UsageError
from jaxae.study import Batch, Claim, State, Study

UNLISTED = ("/first", "/best", " over epochs", "parameters")  # measures that are rows only where a claim names them
SAVE_EVERY = 30.0  # seconds between checkpoints within an arm; every first epoch and every end are saved too
SLOW_START = 1000  # steps


class Interrupted(Exception):  # noqa: N818  not an error
    """Ctrl-C or SIGTERM came; everything is saved, and `command` goes on."""

    def __init__(self, number: int, command: str):
        self.number, self.command = number, command
        super().__init__(f"interrupted and saved; go on with: {command}")


@dataclasses.dataclass(frozen=True)
class Trained:
    """An arm after training: a lane for every seed.

    state    the states that were scored (the last, or the best by validation), lanes leading
    train    {name: f32[seeds, steps]}; `epochs` {name: f64[seeds, epochs]}, the means over each epoch's steps
    validation {name: f32[seeds, points]}; `scores` {name: f32[seeds, images]}
    alive    bool[seeds]: whether the model shows different pictures for different inputs (true where there is no test)
    how      the lanes, as they were trained
    """

    name: str
    study: Study
    keys: jax.Array
    state: State
    train: Mapping[str, np.ndarray]
    epochs: Mapping[str, np.ndarray]
    validation: Mapping[str, np.ndarray]
    scores: Mapping[str, np.ndarray]
    alive: np.ndarray
    how: lanes.Lanes

    def sample(self, data: Any, index: Any, *, lane: int = 0) -> tuple[Any, Batch]:
        """Outputs and batch for the examples `index` of `data`, by the model of one seed."""
        state = jax.tree.map(lambda leaf: leaf[lane], self.state)
        return _sample(self.study, self.keys[lane], state, data, np.asarray(index, np.int32))

    def evaluate(self, data: Any, study: Study | None = None) -> dict[str, np.ndarray]:
        """Scores {name: f32[seeds, n]} of every example of `data`, in this study or one of other inputs or scores."""
        return jax.device_get(
            _scores(study or self.study, self.keys, self.state, lanes.resident(data, self.how), self.how)
        )

    def variables(self, lane: int = 0) -> dict[str, Any]:
        """The variables of one seed's model, as `study.model.apply` takes them."""
        params, batch_stats = jax.tree.map(lambda leaf: leaf[lane], (self.state.params, self.state.batch_stats))
        return {"params": params, "batch_stats": batch_stats}


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
            self.before = _read_manifest(self.folder)
            manifest.refuse_other(self.before, self.manifest, self.folder, self.config.force)
        elif self.folder.exists():
            raise UsageError(f"{self.folder} exists and is not overwritten; choose another --out, or add --resume")
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
        else:
            self._write_manifest("interrupted" if issubclass(kind, Interrupted) else "failed")
            if kind is UsageError and self.before is None and not (self.folder / "checkpoints").exists():
                shutil.rmtree(self.folder)  # nothing was trained: the corrected command can have the folder

    def _finish(self) -> None:
        """Write the numbers, draw the report, print the table."""
        rows = self.rows()
        _write_json(self.folder / "history.json", self.history)
        _write_json(self.folder / "results.json", [results.to_json(row) for row in rows])
        np.savez_compressed(self.folder / "scores.npz", **self.scores)  # pyright: ignore[reportArgumentType]
        self._write_manifest("complete")
        page = report.write(self.folder)
        self.console.print(report.console(rows, self.manifest))
        self.console.print(f"report: {page}", soft_wrap=True, highlight=False)

    # ---- what an experiment calls

    def data(self, name: str, split: str) -> data.Dataset:
        """The data set of this run's source; of a training split, the first --limit images."""
        loaded = data.load(name, split, source=self.config.source, data_dir=self.config.data_dir)
        role = f"{name} {split}"
        if split.startswith("train") and self.config.limit is not None:
            self.sizes[role] = len(loaded)
            loaded = loaded.head(self.config.limit) if self.config.limit < len(loaded) else loaded
        entry = manifest.describe_data(role, loaded)
        manifest.refuse_other_data((self.before or {}).get("data", []), entry, self.folder)
        self.manifest["data"].append(entry)
        lossy = [f"{old['name']} re-encoded as JPEG" for old in self.manifest["data"] if old["source"] == data.AS_JPEG]
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
        how = self._lanes(len(table))
        names = [f"{study.name} {setting}".strip() for setting in settings]
        try:
            now = self._fit(study, roots, data, hparams, how, options)
        except training.NonFiniteLossError as error:
            raise self._non_finite(study, names, error) from error
        state = now.best if best else now.state
        scores = {} if test is None else jax.device_get(_scores(study, roots, state, lanes.resident(test, how), how))
        trained = []
        for place, name in enumerate(names):
            part = slice(place * len(self.seeds), (place + 1) * len(self.seeds))
            cut = functools.partial(jax.tree.map, lambda leaf, part=part: leaf[part])
            steps = cut(now.train)
            epochs = {name: _epoch_means(losses, study.steps_per_epoch(data)) for name, losses in steps.items()}
            arm = Trained(
                name, study, roots[part], cut(state), steps, epochs, cut(now.validation), cut(scores),
                alive=np.ones(len(self.seeds), bool), how=how,
            )  # fmt: skip
            if test is not None:
                arm = dataclasses.replace(arm, alive=_alive(arm, test))
            self._note_arm(arm, data, options)
            saved = {"trained_as": study.name, "lanes": [part.start, part.stop], "scored": "best" if best else "state"}
            self._note_manifest(name, parameters=_parameters(arm.state), **saved)
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
        """Keep an arm's first seed in the cache, where `pretrained` of any run with this recipe finds it."""
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

    def words(self, arm: str, metric: str, *, by_seed: bool = False) -> str:
        """A measure for a note, as tables show it: mean and half-width of its interval; the seeds one by one."""
        values = self.measures[arm][metric]
        row = results.rows({arm: {metric: values}}, seeds=self.seeds, dead={})[0]
        mean = tables.reproduced(row) if row.ci95 else tables.number(row.mean)
        each = f" (by seed: {', '.join(map(tables.number, values))})" if by_seed and len(values) > 1 else ""
        return mean + "%" * metric.endswith("%") + each

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

    # ---- training with checkpoints

    def _fit(self, study, roots, data, hparams, how, options) -> training.Progress:
        options = dict(options)
        fields = {name: options.pop(name) for name in ("validate_every", "patience", "chunk") if name in options}
        plan = training.Plan(study.epochs, **fields)
        per_epoch = study.steps_per_epoch(data)
        folder = self._checkpoints(study)
        validate = options.get("validation") is not None
        initial = options.pop("initial", None)
        now = training.begin(study, roots, data, plan, validate=validate, hparams=hparams, initial=initial, how=how)
        now = (checkpoint.restore(folder, now) if self.before else None) or now
        count = f"{len(roots)} {'lane' if len(roots) == 1 else 'lanes'}"
        self._say(f"{study.name}: {count}, {plan.epochs} epochs of {per_epoch:,} steps, batch {study.batch_size}")
        clock = display.Clock(study.batch_size, int(now.done))
        steps = training.progress(study, roots, data, plan, hparams=hparams, how=how, start=now, **options)
        with display.Bar(
            study.name, plan.epochs, per_epoch, int(now.done), self.console, quiet=self.config.quiet
        ) as bar:
            for now in steps:
                clock.tick(now)
                bar.update(now, clock.rate)
                self._events(study.name, now, per_epoch)
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
            again = {**vars(self.config), "out": self.folder, "resume": True}
            local = ("data_dir", "devices", "out", "resume", "tensorboard")
            raise Interrupted(self.signal, flags.command(type(self.config)(**again), local=local))

    def _events(self, arm, now, per_epoch) -> None:
        """TensorBoard: the epoch's losses of every lane."""
        epoch, rest = divmod(int(now.done), per_epoch)
        if self.writer is None or rest:
            return
        for name, losses in now.train.items():
            for lane, values in enumerate(losses[:, (epoch - 1) * per_epoch : epoch * per_epoch]):
                self.writer.add_scalar(f"{arm}/lane {lane}/train/{name}", values.mean(), epoch)
        for name, losses in now.validation.items():
            for lane, values in enumerate(losses):
                for value in values[~np.isnan(values)][-1:]:
                    self.writer.add_scalar(f"{arm}/lane {lane}/validation/{name}", value, epoch)
        self.writer.flush()

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

    def _lanes(self, count: int) -> lanes.Lanes:
        devices = self.config.devices or min(count, jax.device_count())
        return lanes.Lanes(self.config.lanes, devices)

    def _spent(self, arm: str) -> Mapping[str, float]:
        """What the manifest said of an arm when this process began: its seconds are added up."""
        return (self.before or {}).get("arms", {}).get(arm, {})

    def _note_manifest(self, arm: str, **facts: Any) -> None:
        entry = self.manifest["arms"].setdefault(arm, dict(self._spent(arm)))
        entry.update(facts)

    # ---- the numbers of an arm

    def _note_arm(self, arm: Trained, data, options) -> None:
        """Measures, history, scores, and which seeds died."""
        per_epoch = arm.study.steps_per_epoch(data)
        self.measure(arm.name, "parameters", _parameters(arm.state))
        for split, losses in (("train", arm.epochs), ("validation", arm.validation)):
            for name, values in losses.items():
                for summary, value in _summaries(values).items():
                    self.measure(arm.name, f"{split}/{name}/{summary}", value)
        for name, values in arm.scores.items():
            self.score(arm.name, name, values)
        self.dead[arm.name] = [seed for seed, alive in zip(self.seeds, arm.alive, strict=True) if not alive]
        if self.dead[arm.name]:
            self.measure(arm.name, "seeds that died", len(self.dead[arm.name]))
        stops = [stop / per_epoch for stop in training.Plan(1, options.get("validate_every")).stops(per_epoch)]
        points = next(iter(arm.validation.values())).shape[1] if arm.validation else 0
        self.history[arm.name] = {
            "seeds": self.seeds,
            "train": _json_arrays(arm.epochs),
            "validation": _json_arrays(arm.validation),
            "validation_epochs": [epoch + stop for epoch in range(points // len(stops)) for stop in stops],
            "dead": self.dead[arm.name],
            "stopped": _stops(arm, self.seeds, per_epoch),
        }

    # ---- small things

    def _catch_signals(self) -> dict[int, Any]:
        """Note the first Ctrl-C or SIGTERM, to stop between chunks; a second Ctrl-C stops at once."""
        if threading.current_thread() is not threading.main_thread():
            return {}

        def note(number, _frame):
            if self.signal and number == signal.SIGINT:
                raise KeyboardInterrupt
            self.signal = number
            self._say("stopping after this chunk ... (Ctrl-C again: at once, back to the last checkpoint)")

        return {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}

    def _write_manifest(self, status: str) -> None:
        self.manifest["status"] = status
        spent = (self.before or {}).get("wall_seconds", 0.0) + time.perf_counter() - self.began
        self.manifest["wall_seconds"] = round(spent, 1)
        # what a resumed run has not come to yet stays known, its data above all: other data must go on being refused
        before, seen = self.before or {}, {entry["role"] for entry in self.manifest["data"]}
        data = [*self.manifest["data"], *(entry for entry in before.get("data", []) if entry["role"] not in seen)]
        arms = {**before.get("arms", {}), **self.manifest["arms"]}
        _write_json(self.folder / "manifest.json", {**self.manifest, "data": data, "arms": arms})

    def _say(self, text: str) -> None:
        if not self.config.quiet:
            self.console.print(text, soft_wrap=True, highlight=False)


# ---- functions


@functools.partial(jax.jit, static_argnames=("study", "how"))
def _scores(study, keys, state, data, how):
    return lanes.apply(lambda data, key, state: evaluate.scores(study, key, state, data), how, data, keys, state)


@functools.partial(jax.jit, static_argnames=("study",))
def _sample(study, key, state, data, index):
    return evaluate.sample(study, key, state, data, index)


def _alive(arm: Trained, test) -> np.ndarray:
    """bool[seeds]: false where the model shows the same picture whatever it is given.

    In the first thousand steps that can be a slow start, and nobody is called dead.
    """
    if arm.train["loss"].shape[1] < SLOW_START:
        return np.ones(len(arm.keys), bool)
    index = np.arange(min(200, arm.study.examples(test)))
    samples = [arm.sample(test, index, lane=lane) for lane in range(len(arm.keys))]
    # a classifier's outputs are its logits; they are constant as a picture is
    shown = [(getattr(outputs, "image", outputs), batch.target) for outputs, batch in samples]
    return np.array([not metrics.is_constant(image, target) for image, target in shown])


def _parameters(state: State) -> int:
    """Parameters of one lane."""
    return sum(leaf[0].size for leaf in jax.tree.leaves(state.params))


def _epoch_means(losses: np.ndarray, per_epoch: int) -> np.ndarray:
    """f32[seeds, steps] -> f64[seeds, epochs]: the mean over each epoch's steps, as they were trained."""
    return np.asarray(losses, np.float64).reshape(len(losses), -1, per_epoch).mean(2)


def _summaries(values: np.ndarray) -> dict[str, np.ndarray]:
    """One number per seed from f[seeds, points]; points after an early stop are NaN and left out."""
    values = np.asarray(values, np.float64)
    last = np.maximum((~np.isnan(values)).sum(1) - 1, 0)
    return {
        "first": values[:, 0],
        "last": np.take_along_axis(values, last[:, None], 1)[:, 0],
        "best": np.nanmin(values, 1),
        "mean over epochs": np.nanmean(values, 1),
        "sum over epochs": np.nansum(values, 1),
    }


def _stops(arm: Trained, seeds: Sequence[int], per_epoch: int) -> dict[str, float]:
    """The epoch at which early stopping ended a seed's training, {seed: epoch}."""
    steps = (~np.isnan(arm.train["loss"])).sum(1)
    whole = arm.train["loss"].shape[1]
    return {str(seed): count / per_epoch for seed, count in zip(seeds, steps, strict=True) if count < whole}


def _json_arrays(tree: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """{name: [[number or null]]}: JSON has no NaN."""
    return {
        name: [[float(value) if np.isfinite(value) else None for value in row] for row in values]
        for name, values in tree.items()
    }


def _write_json(path: Path, value: Any) -> None:
    plots.write(path, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())


def _new_folder(experiment: str) -> Path:
    return Path("runs") / f"{experiment}-{time.strftime('%Y%m%d-%H%M%S')}"


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / "manifest.json").read_text())
    except FileNotFoundError:
        raise UsageError(f"{folder} holds no run to resume; leave out --resume to start one there") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder}/manifest.json can't be read ({error}); start again with another --out") from None
