"""How PyTorch trains: written well, in several ways, and as it is commonly written.

Written well: uint8 images in the device's memory, shuffled index batches, transforms of whole batches, a fused
optimizer, denormal numbers flushed to zero on a CPU, as XLA does; alone (eager), with `channels_last`, `compiled`
(torch.compile of batch, model and loss), both, and on CUDA with graphs, captured by torch.compile (`reduced`) or around
the whole step (`graph`).

Commonly written (`common`): a Dataset that transforms one image at a time, a DataLoader with its defaults,
`loss.item()` every step.
"""

# pyright: reportMissingImports=false

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from experiments.benchmark.torch_arms import ARMS, Arm


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
