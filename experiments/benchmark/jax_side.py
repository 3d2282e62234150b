"""jaxae's side of `experiments.benchmark`: one process, one question on its input, one line of JSON as its answer.

Every arm is a study's own Study on that study's own data, trained by `jaxae.train.progress` as a run trains it, so
what is measured is what users get.
"""

import dataclasses
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

import jaxae as ae
from experiments import bottleneck, denoise, digit_addition, digit_codes, digit_reading, fc_vs_conv, unmix
from jaxae import keys, lanes, manifest, program

EPOCHS = 20  # of one training; another one follows where a measurement takes longer
GPU = 20  # times the images in one compiled call
COMPARED = 5_000  # images in the steps whose losses both sides compute, or a few steps


class Question(NamedTuple):
    """What is asked. `images`: train on so many, the set gone through as often as that takes."""

    ask: str
    arm: str = "fc"
    batch: int = 10
    device: str = "cpu"
    threads: int = 1
    seconds: float = 1.0
    source: str = "tfds"
    data_dir: str | None = None
    images: int | None = None
    lanes: int = 1
    mode: str = "map"
    precision: str = "float32"
    folder: str = ""
    began: float = 0.0  # when the process was started

    def load(self, name: str) -> ae.data.Dataset:
        """A training set."""
        data = ae.data.load(name, "train", source=self.source, data_dir=self.data_dir)
        if self.images is None:
            return data
        parts = {part: getattr(data, part) for part in ("image", "label")}
        sized = {part: np.resize(array, (self.images, *array.shape[1:])) for part, array in parts.items()}
        return dataclasses.replace(data, **sized)

    def config(self, experiment: Any) -> Any:
        """The experiment's own settings but for batch size and precision."""
        return experiment.Config(batch_size=self.batch, precision=self.precision)


# ---- arms


class Arm(NamedTuple):
    """A study's training; `arrays` is what the other side needs of the data, by the names that it knows."""

    study: ae.Study
    data: Any
    arrays: dict[str, Any]
    hparams: Any = None


def fc(asked: Question) -> Arm:
    """The fully connected or the convolutional autoencoder of fc_vs_conv, on unit images."""
    data = asked.load("mnist")
    study = fc_vs_conv.study(asked.arm, "unit", asked.config(fc_vs_conv))
    return Arm(study, data, {"image": data.image}, {"learning_rate": 1.0})


def mlp(asked: Question) -> Arm:
    """The bottleneck of eight numbers."""
    data = asked.load("mnist")
    return Arm(bottleneck.study(8, asked.config(bottleneck), data), data, {"image": data.image})


def denoiser(asked: Question) -> Arm:
    """The denoiser of noise with standard deviation 0.1, on epochs of the report's size."""
    image, config, arm = asked.load("cifar10").image, asked.config(denoise), denoise.REPORTED["deviation"]
    row = np.arange(len(image), dtype=np.int32)
    if asked.images is None:
        row = np.resize(row[len(image) // 10 :], max(denoise.EPOCH, len(image) - len(image) // 10))
    return Arm(denoise.study(arm, config), denoise.images(arm, image, row), {"image": image, "row": row})


def codes(asked: Question) -> Arm:
    """An autoencoder of digits with a code of two numbers, its decoder named by the arm, on the squared error."""
    image = digit_codes.split(asked.load("mnist").image, 0)[0]
    study = digit_codes.study(asked.arm, 2, asked.config(digit_codes))
    return Arm(study, image, {"image": image}, digit_codes.LOSSES["mse"])


def addition(asked: Question) -> Arm:
    """The adder of part III, which draws nothing in its model, so that both sides can be compared."""
    data, config = asked.load("mnist"), asked.config(digit_addition)
    digits = digit_addition.digits(data, digit_addition.class_means(data))._replace(balanced=np.bool_(False))
    arrays = {"image": data.image, "label": data.label}
    judge = ae.models.DigitClassifier().init(keys.root(0), jnp.zeros((1, 28, 28, 1)))  # as fast as a trained one
    study = dataclasses.replace(digit_addition.study("adder", config), scores=digit_reading.judged_by(judge))
    return Arm(study, digits, arrays, digit_addition.weights("adder", config)[""])


def unmixer(asked: Question) -> Arm:
    """The ResNet-18 and its two decoders, from random weights, on pairs."""
    digits, photos, config = asked.load("mnist"), asked.load("cifar10"), asked.config(unmix)
    pairs = ae.data.pairs(digits, photos, count=asked.images or unmix.EPOCH)
    arrays = {"digit": digits.image, "photo": photos.image, "count": np.array([len(pairs)])}
    return Arm(unmix.study("plain", "none", 1, pairs, config), pairs, arrays, {"consistency": 0.0})


# how an arm is built, and about how many images one compiled call takes on a CPU, so that it lasts about a second
ARMS: dict[str, tuple[Callable[[Question], Arm], int]] = {
    "fc": (fc, 6_000), "conv": (fc, 1_500), "bottleneck": (mlp, 60_000), "denoise": (denoiser, 3_500),
    "transposed": (codes, 800), "upsampling": (codes, 800), "addition": (addition, 800), "unmix": (unmixer, 256),
}  # fmt: skip


def chunk(asked: Question, arm: Arm) -> int:
    """Steps in one compiled call: a divisor of an epoch's steps, so that every call is the same program.

    A multiple of the study's `unroll` where there is one; at least 2, for XLA takes a loop of one step apart.
    """
    per_epoch, unroll = arm.study.steps_per_epoch(arm.data), arm.study.unroll
    images = ARMS[asked.arm][1] * (GPU if asked.device == "gpu" else 1) // asked.lanes
    divisors = [steps for steps in range(2, per_epoch + 1) if per_epoch % steps == 0] or [1]
    whole = [steps for steps in divisors if steps % unroll == 0] or divisors
    return max([steps for steps in whole if steps * asked.batch <= images] or whole[:1])


class Training:
    """An arm in training, lane by lane, one training after another."""

    def __init__(self, asked: Question):
        self.arm = ARMS[asked.arm][0](asked)
        self.chunk = chunk(asked, self.arm)
        mode: Any = asked.mode
        there = jax.device_count()
        self.how = lanes.Lanes(mode, lanes.dividing(asked.batch, there) if mode == "split" else min(asked.lanes, there))
        self.keys = jnp.stack([keys.root(seed) for seed in range(asked.lanes)])
        self.hparams = None if self.arm.hparams is None else lanes.stack([self.arm.hparams] * asked.lanes)
        self.plan = ae.train.Plan(EPOCHS, chunk=self.chunk)
        self.calls: Iterator[Any] = self._calls()
        self.now: Any = None
        self.steps = 0

    def begin(self) -> Any:
        """The parameters before the first step, lanes leading."""
        options = {"hparams": self.hparams, "how": self.how}
        return ae.train.begin(self.arm.study, self.keys, self.arm.data, self.plan, **options).state.params

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
    data, count = jax.device_put(arm.data), min(training.chunk, 50, max(5, COMPARED // asked.batch))
    compile_seconds = max(training.call() - training.call(), 0.0)
    losses = [float(loss) for loss in training.now.train["loss"][0, :count]]
    index = jax.jit(lambda data: ae.train.order(arm.study, key, data, 0))(data)
    batch = jax.jit(lambda data, step: arm.study.batch(keys.stream(key, "train/batch", step), data, index[step])[:2])
    batches = [jax.device_get(jax.tree.leaves(batch(data, step))) for step in range(count)]
    stacked: dict[str, Any] = {str(i): np.stack(part) for i, part in enumerate(zip(*batches, strict=True))}
    np.savez(Path(asked.folder, "batches.npz"), **stacked)
    flat: dict[str, Any] = dict(traverse_util.flatten_dict(training.begin(), sep="/"))
    first: dict[str, Any] = {path: np.asarray(leaf[0]) for path, leaf in flat.items()}
    np.savez(Path(asked.folder, "params.npz"), **first)
    for name, array in arm.arrays.items():
        np.save(Path(asked.folder, f"{name}.npy"), array)
    return {"losses": losses, "compile_seconds": compile_seconds}


def evaluation(asked: Question) -> dict[str, Any]:
    """Images per second of the study's loss, and of its scores, in evaluation mode."""
    arm, key = ARMS[asked.arm][0](asked), keys.root(0)
    data = jax.device_put(arm.data)
    state = jax.jit(lambda data: ae.train.init(arm.study, key, data, arm.hparams))(data)
    loss = jax.jit(lambda state, data: ae.evaluate.losses(arm.study, key, state, data, arm.hparams))
    score = jax.jit(lambda state, data: ae.evaluate.scores(arm.study, key, state, data))
    count = arm.study.examples(data)
    return {
        "loss_images_per_second": count / often(lambda: loss(state, data), asked.seconds),
        "scores_images_per_second": count / often(lambda: score(state, data), asked.seconds),
    }


def machine(asked: Question) -> dict[str, Any]:
    """What is measured and on what, and the most GFLOP/s that one product of square float32 matrices reached."""
    size, made = 2048, manifest.new(ae.Flags())
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
    if stats:
        return stats["peak_bytes_in_use"] / 2**20
    try:  # not getrusage on Linux: there a process inherits its parent's peak
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


QUESTIONS = {question.__name__: question for question in (steps, exchange, evaluation, machine)}


def main() -> None:
    """Answer the question on the standard input."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    asked = Question(**json.loads(sys.stdin.read()))
    program.set_up(ae.Flags(devices=asked.threads))
    if (jax.default_backend() == "gpu") != (asked.device == "gpu"):
        sys.exit(f"jax computes on {jax.default_backend()} and not on {asked.device}; install jax for it")
    answers.write(json.dumps(QUESTIONS[asked.ask](asked)) + "\n")


if __name__ == "__main__":
    main()
