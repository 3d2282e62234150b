"""PyTorch's side of `experiments.benchmark`: one process, one question on its input, one line of JSON as its answer.

It runs in any Python that has torch, and needs nothing of jaxae.
"""

# pyright: reportMissingImports=false

import sys
import time
from typing import Any

import numpy as np
import torch
from torch import nn

from experiments.benchmark import operations as by_kind
from experiments.benchmark.torch_training import Session, common, well
from experiments.benchmark.worker import answer, process_peak

CHUNK = 250  # images in an evaluation's batch, as in jaxae's


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


def operations(session: Session, asked: dict[str, Any]) -> dict[str, Any]:
    """Milliseconds of a step by kind of operation. What is compiled and fused counts as element by element."""
    training = well(session, asked["images"])
    for _ in range(3):
        next(training)
    count, began = 0, time.perf_counter()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        while count == 0 or time.perf_counter() - began < asked["seconds"]:
            next(training)
            count += 1
        seconds = time.perf_counter() - began
    spent = [(by_kind.of_torch(event.key), event.self_cpu_time_total / 1e6) for event in profile.key_averages()]
    return by_kind.step(seconds, count, spent)


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
        total = torch.zeros((), device=session.device)
        for part in index.split(CHUNK):  # what a compiled one returns is only good until the next call
            total.add_(objective(part) * len(part))
        return total.item() / len(index)  # the one time that a GPU is waited for

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
    return torch.cuda.max_memory_allocated() / 2**20 if session.device.type == "cuda" else process_peak()


QUESTIONS = {question.__name__: question for question in (steps, losses, evaluation, operations, machine)}


def reply(asked: dict[str, Any]) -> dict[str, Any]:
    """What is asked, measured with products in float32 as jaxae's are: without TF32."""
    torch.manual_seed(0)
    torch.set_num_threads(asked["threads"])
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = asked.get("variant") != "common"
    torch.set_flush_denormal(asked.get("variant") != "common")  # as XLA does; up to four times as fast
    if asked["device"] == "gpu" and not torch.cuda.is_available():
        sys.exit("torch finds no GPU; install torch for it, or give --device cpu")
    return QUESTIONS[asked["ask"]](Session(asked), asked)


if __name__ == "__main__":
    answer(reply)
