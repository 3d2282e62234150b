"""PyTorch's side of `experiments.benchmark`: one process, one question on its input, one line of JSON as its answer.

It runs in any Python that has torch, and needs nothing of jaxae. The networks are those of `benchmark_models`.

Written well: uint8 images in the device's memory, shuffled index batches, transforms of whole batches, a fused
optimizer; alone (eager), with `channels_last`, `compiled` (torch.compile of batch, model and loss), both, and on CUDA
with graphs, captured by torch.compile (`reduced`) or around the whole step (`graph`). Commonly written (`common`): a
Dataset that transforms one image at a time, a DataLoader with its defaults, `loss.item()` every step.
"""

# pyright: reportMissingImports=false

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmark_models import ARMS, Arm
from torch import nn
from torch.utils.data import DataLoader, Dataset

CHUNK = 250  # images in an evaluation's batch, as in jaxae's


class Items(Dataset):
    """Examples one by one, transformed when they are asked for."""

    def __init__(self, arm: Arm, arrays: dict[str, Any]):
        self.arm, self.arrays = arm, arm.prepare({name: torch.from_numpy(array) for name, array in arrays.items()})
        self.pass_ = arm.one_pass(self.arrays, torch.device("cpu"))

    def __len__(self) -> int:
        return len(self.pass_)

    def __getitem__(self, index: int):
        inputs, target = self.arm.batch(self.arrays, self.pass_[index : index + 1])
        return tuple(part[0] for part in inputs), tuple(part[0] for part in target)


class Session:
    """One way of training one arm."""

    def __init__(self, asked: dict[str, Any]):
        self.arm: Arm = ARMS[asked["arm"]]
        self.batch, self.variant = asked["batch"], asked.get("variant", "eager")
        self.folder = Path(asked["folder"])
        self.device = torch.device("cuda" if asked["device"] == "gpu" else "cpu")
        self.format = torch.channels_last if "channels_last" in self.variant else torch.contiguous_format
        self.half = asked["precision"] == "bfloat16"

    def model(self) -> nn.Module:
        """An untrained model in the variant's layout."""
        return self.arm.model().to(self.device, memory_format=self.format)

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Fused where it is written well."""
        options: dict[str, Any] = {} if self.variant == "common" else {"fused": True}
        if "graph" in self.variant and self.arm.optimizer.func is torch.optim.Adam:
            options["capturable"] = True
        return self.arm.optimizer(model.parameters(), **options)

    def loss(self, model: nn.Module, inputs: Any, target: Any) -> torch.Tensor:
        """The mean over a batch, the layers computed in bfloat16 where that is asked for."""
        images, *others = inputs
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            outputs = model(images.contiguous(memory_format=self.format), *others)
        outputs = tuple(part.float() for part in (outputs if isinstance(outputs, tuple) else (outputs,)))
        return self.arm.loss(outputs, inputs, target)

    def arrays(self, images: int | None = None) -> dict[str, Any]:
        """What the other side has written, repeated to so many examples where that is asked for."""
        found = {path.stem: np.load(path, mmap_mode="c") for path in self.folder.glob("*.npy")}
        return found if images is None else self.arm.sized(found, images)

    def stored(self, images: int | None = None) -> dict[str, torch.Tensor]:
        """The data in the device's memory: images uint8[n, c, h, w] in the variant's layout."""
        moved = {name: self._moved(torch.from_numpy(array)) for name, array in self.arrays(images).items()}
        return self.arm.prepare(moved)

    def _moved(self, array: torch.Tensor) -> torch.Tensor:
        if array.ndim != 4:
            return array.to(self.device)
        return array.permute(0, 3, 1, 2).contiguous(memory_format=self.format).to(self.device)

    def compiler(self) -> Callable[[Any], Any]:
        """What torch.compile does in this variant."""
        if "compiled" in self.variant:
            return lambda function: torch.compile(function, dynamic=False)
        if "reduced" in self.variant:
            return lambda function: torch.compile(function, dynamic=False, mode="reduce-overhead")
        return lambda function: function

    def wait(self) -> None:
        """Until the device is done."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()


# ---- training


def well(session: Session, images: int | None) -> Iterator[int]:
    """Train for ever, as PyTorch is fastest; yields each step's number of images."""
    data, model = session.stored(images), session.model()
    optimizer, total = session.optimizer(model), torch.zeros((), device=session.device)

    @session.compiler()
    def objective(index):
        return session.loss(model, *session.arm.batch(data, index))

    def step(index):
        optimizer.zero_grad(set_to_none=True)
        loss = objective(index)
        loss.backward()
        optimizer.step()
        total.add_(loss.detach())

    run: Callable[[torch.Tensor], Any] = step
    if "graph" in session.variant:
        run = captured(step, session.arm.one_pass(data, session.device)[: session.batch].clone())
    while True:
        order = session.arm.one_pass(data, session.device)
        order = order[torch.randperm(len(order), device=session.device)]
        for index in order[: len(order) // session.batch * session.batch].split(session.batch):
            run(index)
            yield session.batch


def captured(step: Callable[[torch.Tensor], None], static: torch.Tensor) -> Callable[[torch.Tensor], None]:
    """The whole step as one CUDA graph, as torch's notes on CUDA graphs have it: warmed up on a stream aside."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):
            step(static)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step(static)

    def replay(index):
        static.copy_(index)
        graph.replay()

    return replay


def common(session: Session, images: int | None) -> Iterator[int]:
    """Train for ever, as tutorials do."""
    arrays = session.arrays(images)
    channels_first = {name: np.moveaxis(array, -1, 1) if array.ndim == 4 else array for name, array in arrays.items()}
    model = session.model()
    optimizer = session.optimizer(model)
    loader = DataLoader(Items(session.arm, channels_first), batch_size=session.batch, shuffle=True, drop_last=True)
    while True:
        running = 0.0
        for parts in loader:
            inputs, target = ([part.to(session.device) for part in group] for group in parts)
            optimizer.zero_grad()
            loss = session.loss(model, inputs, target)
            loss.backward()
            optimizer.step()
            running += loss.item()
            yield session.batch


# ---- questions


def steps(session: Session, asked: dict[str, Any]) -> dict[str, Any]:
    """Images per second of complete training steps, and how long it took to get there."""
    ready = time.time()
    training = (common if session.variant == "common" else well)(session, asked["images"])
    next(training)  # the data are moved and torch.compile works here
    session.wait()
    started = time.time()
    for _ in range(0 if asked["arm"] == "unmix" else 5):
        next(training)
    together = 50 if session.device.type == "cuda" else 1  # steps between two looks at the clock
    session.wait()
    began, images = time.perf_counter(), 0
    while images == 0 or time.perf_counter() - began < asked["seconds"]:
        images += sum(next(training) for _ in range(together))
        session.wait()
    rate = images / (time.perf_counter() - began)
    seconds = {"import_seconds": ready - asked["began"], "start_seconds": started - asked["began"]}
    return {"images_per_second": rate, "steps": images // session.batch, "peak_mib": peak(session), **seconds}


def losses(session: Session, asked: dict[str, Any]) -> dict[str, Any]:
    """The losses of the first steps from the other side's initial parameters, on its batches; FLOP per image."""
    from torch.utils.flop_counter import FlopCounterMode

    model = session.model()
    optimizer = session.optimizer(model)
    with np.load(session.folder / "params.npz") as params:
        fill(model, params)
    with np.load(session.folder / "batches.npz") as stored:
        batches = [stored[name] for name in sorted(stored.files, key=int)]
    found, counter = [], FlopCounterMode(display=False)  # it counts from zero every time
    for parts in zip(*batches, strict=True):
        tensors = [torch.from_numpy(part).to(session.device) for part in parts]
        tensors = [tensor.movedim(-1, -3) if tensor.ndim > 3 else tensor for tensor in tensors]  # channels first
        inputs, target = tensors[: session.arm.inputs], tensors[session.arm.inputs :]
        optimizer.zero_grad()
        with counter:
            loss = session.loss(model, inputs, target)
            loss.backward()
        optimizer.step()
        found.append(loss.item())
    return {"losses": found, "flop_per_image": counter.get_total_flops() / session.batch}


def fill(model: nn.Module, params: Any) -> None:
    """jaxae's parameters into the modules of the same names: HWIO kernels become OIHW, transposed ones IOHW.

    A dense layer whose `flattened` or `unflattened` is (c, h, w) takes or gives images, with channels last there.
    """
    used = 0
    for name, module in model.named_modules():
        own = dict(module.named_parameters(recurse=False))
        if not own:
            continue
        path = name.replace(".", "/")
        weight = params[f"{path}/scale" if f"{path}/scale" in params else f"{path}/kernel"]
        bias = params[f"{path}/bias"] if "bias" in own else None
        if image := getattr(module, "flattened", None):
            weight = channels_first(weight, image)
        if image := getattr(module, "unflattened", None):
            weight, bias = channels_first(weight.T, image).T, channels_first(params[f"{path}/bias"], image)
        axes = (2, 3, 0, 1) if isinstance(module, nn.ConvTranspose2d) else (3, 2, 0, 1) if weight.ndim == 4 else (1, 0)
        with torch.no_grad():
            own["weight"].copy_(torch.from_numpy(weight if weight.ndim == 1 else weight.transpose(axes)))
            if bias is not None:
                own["bias"].copy_(torch.from_numpy(bias))
        used += len(own)
    if used != len(params.files):
        raise ValueError(f"{used} of the {len(params.files)} parameters have a place in torch's model")


def channels_first(rows: np.ndarray, image: tuple[int, int, int]) -> np.ndarray:
    """Rows in the order of pixels (h, w, c) -> in the order (c, h, w)."""
    c, h, w = image
    return np.ascontiguousarray(np.moveaxis(rows.reshape(h, w, c, *rows.shape[1:]), 2, 0)).reshape(rows.shape)


def evaluation(session: Session, asked: dict[str, Any]) -> dict[str, Any]:
    """Images per second of the loss in evaluation mode."""
    data, model = session.stored(asked["images"]), session.model().eval()

    @session.compiler()
    def objective(index):
        return session.loss(model, *session.arm.batch(data, index))

    index, taken = session.arm.one_pass(data, session.device), 0.0

    def everything():
        return sum(objective(part).item() * len(part) for part in index.split(CHUNK)) / len(index)

    with torch.inference_mode():
        everything()
        began, rounds = time.perf_counter(), 0
        while rounds == 0 or taken < asked["seconds"]:
            everything()
            rounds, taken = rounds + 1, time.perf_counter() - began
    return {"loss_images_per_second": rounds * len(index) / taken}


def machine(session: Session, asked: dict[str, Any]) -> dict[str, Any]:
    """What is measured, and the most GFLOP/s that one product of square float32 matrices reached."""
    size = 2048
    matrix = torch.randn(size, size, device=session.device)
    began, best = time.perf_counter(), float("inf")
    while time.perf_counter() - began < asked["seconds"] or best == float("inf"):
        before = time.perf_counter()
        torch.matmul(matrix, matrix)
        session.wait()
        best = min(best, time.perf_counter() - before)
    return {"version": torch.__version__, "threads": torch.get_num_threads(), "gflops": 2 * size**3 / best / 1e9}


def peak(session: Session) -> float:
    """The most memory that this process, or on CUDA its device, has held so far, in MiB."""
    if session.device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    try:  # not getrusage on Linux: there a process inherits its parent's peak
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


QUESTIONS = {question.__name__: question for question in (steps, losses, evaluation, machine)}


def main() -> None:
    """Answer the question on the standard input."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    asked = json.loads(sys.stdin.read())
    torch.manual_seed(0)
    torch.set_num_threads(asked["threads"])
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False  # float32, as jaxae
    torch.backends.cudnn.benchmark = asked.get("variant") != "common"
    if asked["device"] == "gpu" and not torch.cuda.is_available():
        sys.exit("torch finds no GPU; install torch for it")
    session = Session(asked)
    answers.write(json.dumps(QUESTIONS[asked["ask"]](session, asked)) + "\n")


if __name__ == "__main__":
    main()
