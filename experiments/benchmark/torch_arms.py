"""The studies' trainings as PyTorch has them, for `torch_training`: batches, losses, optimizers.

Batches are functions of (data by name, index), with images stored as uint8[n, c, h, w], to (inputs, target). What
PyTorch's side leaves out is in its favour: the check of bottleneck's plateau, the scores that are logged.
"""

# pyright: reportMissingImports=false

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from experiments.benchmark import torch_networks as networks

Data = dict[str, torch.Tensor]
Parts = tuple[torch.Tensor, ...]


def unit(image: torch.Tensor) -> torch.Tensor:
    """In [0, 1], as torchvision's ToTensor."""
    return image.to(torch.float32) / 255


def same(data: Data, index: torch.Tensor) -> tuple[Parts, Parts]:
    """Unit images, to be given back."""
    image = unit(data["image"][index])
    return (image,), (image,)


def noisy(data: Data, index: torch.Tensor) -> tuple[Parts, Parts]:
    """Signed images with noise of 0.1, clipped, and without."""
    image = 2 * unit(data["image"][data["row"][index]]) - 1
    return ((image + 0.1 * torch.randn_like(image)).clamp(-1, 1),), (image,)


def classes(data: Data) -> Data:
    """With where the images of each digit are."""
    count = torch.bincount(data["label"], minlength=10)
    order = torch.argsort(data["label"], stable=True)
    return data | {"label": data["label"].long(), "order": order, "first": count.cumsum(0) - count, "count": count}


def sums(data: Data, index: torch.Tensor) -> tuple[Parts, Parts]:
    """An image of a and a number b; a random image of a + b."""
    digit = data["label"][index]
    value = (torch.rand(digit.shape, device=digit.device) * (10 - digit)).long()
    total = digit + value
    place = (torch.rand(digit.shape, device=digit.device) * data["count"][total]).long()
    target = data["order"][data["first"][total] + place]
    return (unit(data["image"][index]), value.to(torch.float32)), (unit(data["image"][target]),)


def mixed(data: Data, index: torch.Tensor) -> tuple[Parts, Parts]:
    """The mean of a digit and a photo, and both."""
    digit = F.interpolate(unit(data["digit"][index[:, 0]]), (32, 32), mode="bilinear", antialias=True)
    digit, photo = 2 * digit.expand(-1, 3, -1, -1) - 1, 2 * unit(data["photo"][index[:, 1]]) - 1
    return ((digit + photo) / 2,), (torch.stack([digit, photo], 1),)


def all_of(name: str, data: Data, device: torch.device) -> torch.Tensor:
    """The numbers of the examples, as many as an array has."""
    return torch.arange(len(data[name]), device=device)


def pairs(data: Data, device: torch.device) -> torch.Tensor:
    """Both numbers of every pair of a pass, drawn anew: each set in random order, as often as it takes."""
    count, columns = int(data["count"][0]), []
    for name in ("digit", "photo"):
        size = len(data[name])
        passes = [torch.randperm(size, device=device) for _ in range(-(-count // size))]
        columns.append(torch.cat(passes)[:count])
    return torch.stack(columns, 1)


# ---- arms


def of_output(outputs: Parts, inputs: Any, target: Any) -> torch.Tensor:
    """The squared error."""
    return F.mse_loss(outputs[0], target[0])


def of_both_paths(outputs: Parts, inputs: Any, target: Any) -> torch.Tensor:
    """Those of the sum's image and of the original's."""
    return F.mse_loss(outputs[0], target[0]) + F.mse_loss(outputs[1], inputs[0])


def of_both_images(outputs: Parts, inputs: Any, target: Any) -> torch.Tensor:
    """The sum of the digit's and the photo's."""
    return 2 * F.mse_loss(outputs[0], target[0])


def repeated(names: tuple[str, ...], arrays: dict[str, Any], images: int) -> dict[str, Any]:
    """So many examples, gone through as often as that takes."""
    sized = {name: np.resize(arrays[name], (images, *arrays[name].shape[1:])) for name in names}
    return arrays | sized | ({"row": np.arange(images)} if "row" in arrays else {})


def counted(arrays: dict[str, Any], images: int) -> dict[str, Any]:
    """So many pairs."""
    return arrays | {"count": np.array([images])}


class Arm(NamedTuple):
    """A study's training. `one_pass` numbers its examples; `inputs` of a handed-over batch's arrays go in."""

    model: Callable[[], nn.Module]
    optimizer: partial
    batch: Callable[[Data, torch.Tensor], tuple[Parts, Parts]] = same
    loss: Callable[[Parts, Any, Any], torch.Tensor] = of_output
    one_pass: Callable[[Data, torch.device], torch.Tensor] = partial(all_of, "image")
    prepare: Callable[[Data], Data] = dict
    sized: Callable[[dict[str, Any], int], dict[str, Any]] = partial(repeated, ("image",))
    inputs: int = 1


def adam(rate: float = 1e-3, **options: float) -> partial:
    """Adam at this rate."""
    return partial(torch.optim.Adam, lr=rate, **options)


SGD = partial(torch.optim.SGD, lr=1.0)
LABELLED = partial(repeated, ("image", "label"))
ARMS = {
    "fc": Arm(partial(networks.dense, 256, 128), SGD),
    "conv": Arm(networks.conv, SGD),
    "bottleneck": Arm(partial(networks.dense, 392, 8), adam()),
    "denoise": Arm(networks.denoiser, adam(1e-4, weight_decay=1e-5), noisy, one_pass=partial(all_of, "row")),
    "transposed": Arm(partial(networks.digit_autoencoder, 2, transposed=True), adam()),
    "upsampling": Arm(partial(networks.digit_autoencoder, 2, transposed=False), adam()),
    "addition": Arm(networks.Adder, adam(), sums, of_both_paths, prepare=classes, sized=LABELLED, inputs=2),
    "unmix": Arm(networks.Unmixer, adam(), mixed, of_both_images, pairs, sized=counted),
}
