"""The studies' trainings as PyTorch has them, for `benchmark_torch`: networks, batches, losses, optimizers.

Modules are named as jaxae's, so that its parameters find their places. Images are (b, c, h, w). Nothing of jaxae is
needed. What PyTorch's side leaves out is in its favour: the check of bottleneck's plateau, the scores that are logged.
"""

# pyright: reportMissingImports=false

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

# ---- networks


def chain(**modules: nn.Module) -> nn.Sequential:
    """Modules after one another, under these names."""
    return nn.Sequential(OrderedDict(modules))


class Flat(nn.Module):
    """Images as rows of numbers and back: a model of dense layers between."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, image):
        """(b, c, h, w) -> the same."""
        return self.decoder(self.encoder(image.flatten(1))).view_as(image)


def dense(hidden: int, code: int) -> nn.Module:
    """784 -> hidden -> code -> hidden -> 784, with ReLU after each but the last, where a sigmoid is."""
    encoder = chain(Dense_0=nn.Linear(784, hidden), relu=nn.ReLU(), Dense_1=nn.Linear(hidden, code), after=nn.ReLU())
    return Flat(
        encoder,
        chain(Dense_0=nn.Linear(code, hidden), relu=nn.ReLU(), Dense_1=nn.Linear(hidden, 784), out=nn.Sigmoid()),
    )


def conv3(i: int, o: int) -> nn.Conv2d:
    """A 3x3 convolution that keeps the size."""
    return nn.Conv2d(i, o, 3, padding=1)


def conv() -> nn.Module:
    """Report 004's second network."""
    return chain(
        encoder=chain(
            Conv_0=conv3(1, 32), relu_0=nn.ReLU(), pool_0=nn.MaxPool2d(2),
            Conv_1=conv3(32, 64), relu_1=nn.ReLU(), pool_1=nn.MaxPool2d(2),
        ),
        decoder=chain(
            Conv_0=conv3(64, 64), relu_0=nn.ReLU(), up_0=nn.Upsample(scale_factor=2),
            UpsampleConv_0=conv3(64, 32), relu_1=nn.ReLU(), up_1=nn.Upsample(scale_factor=2),
            UpsampleConv_1=conv3(32, 1), out=nn.Sigmoid(),
        ),
    )  # fmt: skip


def denoiser() -> nn.Module:
    """Report 001's."""
    return chain(
        encoder=chain(Conv_0=nn.Conv2d(3, 8, 3), relu_0=nn.ReLU(), Conv_1=nn.Conv2d(8, 8, 3), relu_1=nn.ReLU()),
        decoder=chain(
            ConvTranspose_0=nn.ConvTranspose2d(8, 8, 3), relu=nn.ReLU(), ConvTranspose_1=nn.ConvTranspose2d(8, 3, 3),
            out=nn.Tanh(),
        ),
    )  # fmt: skip


def digit_encoder(code: int) -> nn.Module:
    """Report 003's."""
    flat = nn.Linear(1152, 256)
    flat.flattened = (128, 3, 3)  # pyright: ignore[reportAttributeAccessIssue]  see benchmark_torch.fill
    return chain(
        Conv_0=conv3(1, 32), relu_0=nn.ReLU(), pool_0=nn.MaxPool2d(2),
        Conv_1=conv3(32, 64), relu_1=nn.ReLU(), pool_1=nn.MaxPool2d(2),
        Conv_2=conv3(64, 128), relu_2=nn.ReLU(), pool_2=nn.MaxPool2d(2),
        flatten=nn.Flatten(), Dense_0=flat, relu_3=nn.ReLU(), Dense_1=nn.Linear(256, code),
    )  # fmt: skip


def digit_decoder(code: int, transposed: bool) -> nn.Module:
    """Two of report 003's, to the image through a sigmoid."""
    small = nn.Linear(256, 6272)
    small.unflattened = (128, 7, 7)  # pyright: ignore[reportAttributeAccessIssue]
    enlarging: dict[str, nn.Module] = {}
    for place, i in enumerate((128, 64)):
        if transposed:
            double = nn.ConvTranspose2d(i, i // 2, 3, 2, padding=1, output_padding=1)
            enlarging[f"ConvTranspose_{place}"] = double
        else:
            enlarging |= {f"up_{place}": nn.Upsample(scale_factor=2), f"UpsampleConv_{place}": conv3(i, i // 2)}
        enlarging[f"after_{place}"] = nn.ReLU()
    last = {"ConvTranspose_2": nn.ConvTranspose2d(32, 1, 3, padding=1)} if transposed else {"Conv_0": conv3(32, 1)}
    return chain(
        Dense_0=nn.Linear(code, 256), relu_0=nn.ReLU(), Dense_1=small, relu_1=nn.ReLU(),
        unflatten=nn.Unflatten(1, (128, 7, 7)), **enlarging, **last, out=nn.Sigmoid(),
    )  # fmt: skip


class Adder(nn.Module):
    """Report 003, part III: the image of a and a number b -> the image of a + b, and that of a again."""

    def __init__(self):
        super().__init__()
        self.E, self.D = digit_encoder(7), digit_decoder(7, transposed=True)
        self.P = chain(
            Dense_0=nn.Linear(8, 256), relu_0=nn.ReLU(), Dense_1=nn.Linear(256, 256), relu_1=nn.ReLU(),
            Dense_2=nn.Linear(256, 7),
        )  # fmt: skip

    def forward(self, image, value):
        """(b, 1, 28, 28), (b,) -> both images."""
        code = self.E(image)
        total = self.P(torch.cat([code, value[:, None]], 1))
        original, added = self.D(torch.cat([code, total])).chunk(2)
        return added, original


class Block(nn.Module):
    """A residual block of ResNet-18."""

    def __init__(self, i: int, o: int, stride: int):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        self.shrinks = i != o
        if self.shrinks:
            self.downsample_0, self.downsample_1 = nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o)

    def forward(self, x):
        """(b, i, h, w) -> (b, o, h / stride, w / stride)."""
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (self.downsample_1(self.downsample_0(x)) if self.shrinks else x))


def resnet18(features: int) -> nn.Module:
    """torchvision's, with another last layer."""
    blocks = {}
    for stage, (i, o) in enumerate(((64, 64), (64, 128), (128, 256), (256, 512)), 1):
        blocks |= {f"layer{stage}_0": Block(i, o, 1 if i == o else 2), f"layer{stage}_1": Block(o, o, 1)}
    last = nn.Linear(512, features)
    last.unflattened = (2, 8, 8)  # pyright: ignore[reportAttributeAccessIssue]
    return chain(
        conv1=nn.Conv2d(3, 64, 7, 2, 3, bias=False), bn1=nn.BatchNorm2d(64), relu=nn.ReLU(),
        pool=nn.MaxPool2d(3, 2, 1), **blocks, mean=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), fc=last,
    )  # fmt: skip


class Unmixer(nn.Module):
    """Report 000's: (b, 3, 32, 32) -> (b, 2, 3, 32, 32)."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder_0, self.decoder_1 = resnet18(128), self.decoder(), self.decoder()

    @staticmethod
    def decoder() -> nn.Module:
        """2x8x8 -> 3x32x32."""
        layers = ((2, 64, 3, 1, 1), (64, 128, 4, 2, 1), (128, 256, 4, 2, 1), (256, 3, 3, 1, 1))
        made: dict[str, nn.Module] = {}
        for place, (i, o, size, stride, padding) in enumerate(layers):
            made[f"ConvTranspose_{place}"] = nn.ConvTranspose2d(i, o, size, stride, padding)
            made[f"relu_{place}"] = nn.ReLU() if place < 3 else nn.Identity()
        return chain(**made)

    def forward(self, image):
        """Means to both images."""
        code = self.encoder(image).unflatten(1, (2, 8, 8))
        return torch.stack([self.decoder_0(code), self.decoder_1(code)], 1)


# ---- batches: (data by name, index) -> inputs, target; images stored as uint8[n, c, h, w]

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
ARMS = {
    "fc": Arm(partial(dense, 256, 128), SGD),
    "conv": Arm(conv, SGD),
    "bottleneck": Arm(partial(dense, 392, 8), adam()),
    "denoise": Arm(denoiser, adam(1e-4, weight_decay=1e-5), noisy, one_pass=partial(all_of, "row")),
    "transposed": Arm(lambda: chain(encoder=digit_encoder(2), decoder=digit_decoder(2, True)), adam()),
    "upsampling": Arm(lambda: chain(encoder=digit_encoder(2), decoder=digit_decoder(2, False)), adam()),
    "addition": Arm(
        Adder, adam(), sums, of_both_paths, prepare=classes, sized=partial(repeated, ("image", "label")), inputs=2
    ),
    "unmix": Arm(Unmixer, adam(), mixed, of_both_images, pairs, sized=counted),
}
