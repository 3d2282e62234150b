"""jaxae's side of `experiments.benchmark`: one process, one question on its input, one line of JSON as its answer.

An arm is trained by `jaxae.train.progress` as a run trains it.
"""

import dataclasses
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

import jaxae as ae
from experiments.benchmark import operations as by_kind
from experiments.benchmark.jax_arms import ARMS, Question, chunk
from experiments.benchmark.worker import answer, process_peak
from jaxae import keys
from jaxae.run import command_line
from jaxae.run.manifest import new_manifest
from jaxae.train import evaluation as evaluating
from jaxae.train import lanes, memory

EPOCHS = 20  # of one training; another one follows where a measurement takes longer
# at least, at most, and else images in the steps whose losses are compared, before roundings part them
COMPARED = 6, 20, 1_000


class Training:
    """An arm in training, one training after another."""

    def __init__(self, asked: Question):
        self.arm = ARMS[asked.arm](asked)
        self.chunk = chunk(asked, self.arm)
        how = lanes.arranged(self.arm.study, asked.lanes, asked.mode)
        self.keys = jnp.stack([keys.root(seed) for seed in range(asked.lanes)])
        sets = {"training": self.arm.data}
        how = dataclasses.replace(how, stream=asked.stream)
        self.how = memory.limited(how, self.arm.study, self.keys[0], asked.lanes, sets, self.arm.hparams)
        self.hparams = None if self.arm.hparams is None else lanes.stack([self.arm.hparams] * asked.lanes)
        self.plan = ae.train.Plan(EPOCHS, chunk=self.chunk)
        self.calls: Iterator[Any] = self._calls()
        self.now: Any = None
        self.steps = 0

    def begin(self) -> Any:
        """Where it stands before the first step."""
        options = {"hparams": self.hparams, "how": self.how}
        return ae.train.begin(self.arm.study, self.keys, self.arm.data, self.plan, **options)

    def _calls(self) -> Iterator[Any]:
        options = {"hparams": self.hparams, "how": self.how}
        while True:
            yield from ae.train.progress(self.arm.study, self.keys, self.arm.data, self.plan, **options)

    def call(self) -> float:
        """One compiled call; its seconds. `steps` counts those of every lane."""
        before, began = 0 if self.now is None else int(self.now.done), time.perf_counter()
        self.now = next(self.calls)
        spent, after = time.perf_counter() - began, int(self.now.done)
        self.steps += after - before if after > before else after  # a training can have begun anew
        return spent


# ---- questions


def steps(asked: Question) -> dict[str, Any]:
    """Images per second of complete training steps, all lanes together, and how long it took to get there."""
    ready = time.time()
    training = Training(asked)
    loaded = time.time()
    first = training.call()
    started = time.time()
    others = [training.call()] if asked.arm != "unmix" else []  # the first call has warmed up what is large
    began, before = time.perf_counter(), training.steps
    while training.steps == before or time.perf_counter() - began < asked.seconds:
        others.append(training.call())
    spent, count = time.perf_counter() - began, training.steps - before
    return {
        "images_per_second": count * training.arm.study.batch_size * asked.lanes / spent, "steps": count,
        "import_seconds": ready - asked.began, "load_seconds": loaded - ready,
        "compile_seconds": max(first - min(others), 0.0), "start_seconds": started - asked.began, "peak_mib": peak(),
    }  # fmt: skip


def exchange(asked: Question) -> dict[str, Any]:
    """The losses of the first steps, by the program that is timed, and the seconds that compiling it took.

    Into the folder go what the other side needs: the data, NAME.npy; the initial parameters by path, params.npz; the
    inputs and targets of these steps, 0, 1, ... in batches.npz.
    """
    training = Training(asked)
    arm, key = training.arm, training.keys[0]
    least, most, images = COMPARED
    data, count = jax.device_put(arm.data), min(training.chunk, most, max(least, images // asked.batch))
    compile_seconds = max(training.call() - training.call(), 0.0)
    losses = [float(loss) for loss in training.now.train["loss"][0, :count]]
    index = jax.jit(lambda data: ae.train.order(arm.study, key, data, 0))(data)
    batch = jax.jit(lambda data, step: arm.study.batch(keys.stream(key, "train/batch", step), data, index[step])[:2])
    batches = [jax.device_get(jax.tree.leaves(batch(data, step))) for step in range(count)]
    stacked: dict[str, Any] = {str(i): np.stack(part) for i, part in enumerate(zip(*batches, strict=True))}
    np.savez(Path(asked.folder, "batches.npz"), **stacked)
    flat: dict[str, Any] = dict(traverse_util.flatten_dict(training.begin().state.params, sep="/"))
    first: dict[str, Any] = {path: np.asarray(leaf[0]) for path, leaf in flat.items()}
    np.savez(Path(asked.folder, "params.npz"), **first)
    for name, array in arm.arrays.items():
        np.save(Path(asked.folder, f"{name}.npy"), array)
    return {"losses": losses, "compile_seconds": compile_seconds}


def evaluation(asked: Question) -> dict[str, Any]:
    """Images per second of the study's loss, and of its scores, both arranged as in a training."""
    training = Training(asked)
    arm, roots = training.arm, training.keys
    scoring, scored = arm.scored() if arm.scored else (arm.study, arm.data)
    how = evaluating.lanes_for(arm.study, arm.data, training.how)
    state = lanes.placed(training.begin().state, how)
    one = (training.hparams, jnp.ones(asked.lanes, bool))
    count = asked.lanes * arm.study.examples(arm.data)
    loss = often(lambda: evaluating.losses_of(arm.study, roots, state, arm.data, *one, how), asked.seconds)
    scores = often(lambda: evaluating.scores_of(scoring, roots, state, scored, how), asked.seconds)
    return {"loss_images_per_second": count / loss, "scores_images_per_second": count / scores}


def operations(asked: Question) -> dict[str, Any]:
    """Milliseconds of a step by kind of operation: the mean of the devices, which work side by side."""
    training = Training(asked)
    training.call()
    training.call()  # the first one warms up what is large
    options, before = jax.profiler.ProfileOptions(), training.steps
    options.python_tracer_level = 0
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder, profiler_options=options):
            seconds = training.call()
        (path,) = Path(folder).rglob("*.xplane.pb")
        profile = jax.profiler.ProfileData.from_file(str(path))
        events = [event for plane in profile.planes for line in plane.lines for event in line.events]
        spent = [(by_kind.of_xla(event.name), event.duration_ns / 1e9 / training.how.devices) for event in events]
    return by_kind.step(seconds, training.steps - before, spent)


def machine(asked: Question) -> dict[str, Any]:
    """What is measured and on what, and the most GFLOP/s that one product of square float32 matrices reached."""
    from experiments.fc_vs_conv import EXPERIMENT

    size, made = 2048, new_manifest(EXPERIMENT, EXPERIMENT.config())  # of any study: what it computes with
    matrix = jnp.asarray(np.random.default_rng(0).normal(size=(size, size)), jnp.float32)
    product = jax.jit(jnp.matmul)
    seconds = often(lambda: product(matrix, matrix), asked.seconds, best=True)
    kept = ("versions", "device", "xla_flags", "matmul_precision", "git_commit")
    return {name: made[name] for name in kept} | {"gflops": 2 * size**3 / seconds / 1e9}


def often(action: Callable[[], Any], seconds: float, *, best: bool = False) -> float:
    """The mean, or the least, of the seconds that an action takes, after a first time that isn't counted."""
    jax.block_until_ready(action())
    taken: list[float] = []
    while sum(taken) < seconds or not taken:
        began = time.perf_counter()
        jax.block_until_ready(action())
        taken.append(time.perf_counter() - began)
    return min(taken) if best else sum(taken) / len(taken)


def peak() -> float:
    """The most memory that this process, or on an accelerator its device, has held so far, in MiB."""
    stats = jax.devices()[0].memory_stats() if jax.default_backend() != "cpu" else None
    return stats["peak_bytes_in_use"] / 2**20 if stats else process_peak()


def has_gpu() -> bool:
    """Whether JAX computes on one. Where its platform is asked for and missing, JAX itself fails."""
    try:
        return jax.default_backend() == "gpu"
    except (AssertionError, RuntimeError):
        return False


QUESTIONS = {question.__name__: question for question in (steps, exchange, evaluation, operations, machine)}


def reply(question: dict[str, Any]) -> dict[str, Any]:
    """What is asked, measured with JAX set up as experiments have it."""
    asked = Question(**question)
    command_line.set_up(asked.threads)
    if asked.device == "gpu" and not has_gpu():
        sys.exit("jax finds no GPU; install jax for it, or give --device cpu")
    return QUESTIONS[asked.ask](asked)


if __name__ == "__main__":
    answer(reply)
