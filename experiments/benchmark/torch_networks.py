"""The studies' networks in PyTorch.

Modules are named as jaxae's, so that its parameters find their places. Images are (b, c, h, w).
"""

# pyright: reportMissingImports=false

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn


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
    flat.flattened = (128, 3, 3)  # pyright: ignore[reportAttributeAccessIssue]  see torch_side.fill
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


def digit_autoencoder(code: int, transposed: bool) -> nn.Module:
    """Both."""
    return chain(encoder=digit_encoder(code), decoder=digit_decoder(code, transposed))


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
