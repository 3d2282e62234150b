"""What a model computes of codes, as lists of layers that need no library to be run: plain kinds, numbers, geometry.

dense           x @ kernel + bias; kernel (i, o)
conv            as torch's Conv2d of stride 1, with `padding`; kernel (k, l, i, o)
conv_transpose  as torch's ConvTranspose2d, with `stride` and `padding`, to `size` (h, w); kernel (k, l, i, o)
image           the same numbers as an image of `size` (h, w, c)
nearest         every pixel repeated in a 2x2 square
bilinear        twice the height and width, as torch's interpolate does without aligned corners
relu, sigmoid   of every number
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxae.errors import UsageError
from jaxae.models import AdditionModel, DigitAutoencoder, MLPAutoencoder, digits

BEFORE_CONV = {  # by what a decoder enlarges with: the layer before its convolution, and the convolution's name
    digits.upsampled: ("nearest", "UpsampleConv"),
    digits.interpolated: ("nearest", "InterpolatedConv"),
    digits.bilinear: ("bilinear", "InterpolatedConv"),
}


class Layer(NamedTuple):
    """One step: its kind, its geometry by name, and its weights where it has any."""

    kind: str
    geometry: Mapping[str, Any] = {}
    kernel: Any = None
    bias: Any = None


Networks = Mapping[str, Sequence[Layer]]


def networks_of(model: Any, variables: Mapping[str, Any]) -> Networks:
    """What a model computes of a code (d,): {"decode": to the image (h, w, c)}.

    Of an AdditionModel two more: "value" from a number to what its adder is shown of it, and "plus" from the code and
    that, one after the other, to the mean code of the sum. Raises UsageError for a model that has no such list.
    """
    params = variables["params"]
    if isinstance(model, AdditionModel):
        plus = _mlp(params["P"])
        mean = [part[..., : model.code_size] for part in plus[-1][2:]]  # a generative adder's other half is a variance
        value = _mlp(params["value"]["MLP_0"]) if model.value_to_latent else []
        return {"decode": _digits(model, params["D"]), "value": value, "plus": [*plus[:-1], Layer("dense", {}, *mean)]}
    if isinstance(model, DigitAutoencoder):
        return {"decode": _digits(model, params["decoder"])}
    if isinstance(model, MLPAutoencoder):
        return {"decode": [*_mlp(params["decoder"]), Layer("image", {"size": model.image_shape}), Layer("sigmoid")]}
    raise UsageError(
        f"{type(model).__name__} has no decoder that the page can draw with; give an MLPAutoencoder, a "
        "DigitAutoencoder or an AdditionModel"
    )


def _mlp(params: Mapping[str, Any]) -> list[Layer]:
    """Dense layers, ReLU between them."""
    dense = [_weighted("dense", {}, params[f"Dense_{place}"]) for place in range(len(params))]
    return list(itertools.chain.from_iterable((Layer("relu"), layer) for layer in dense))[1:]


def _digits(model: Any, params: Mapping[str, Any]) -> list[Layer]:
    """A `DigitDecoder` of the model's fields, and the sigmoid."""
    height, width, _ = model.image_shape
    doublings = len(model.widths) - 1
    size = height >> doublings, width >> doublings
    dense = [_weighted("dense", {}, params[f"Dense_{place}"]) for place in range(2)]
    found = [dense[0], Layer("relu"), dense[1], Layer("relu"), Layer("image", {"size": (*size, model.widths[-1])})]
    for number in range(doublings):
        size = 2 * size[0], 2 * size[1]
        found += [*_enlarged(model.enlarge, 2, number, size, params), Layer("relu")]
    return [*found, *_enlarged(model.enlarge, 1, doublings, size, params), Layer("sigmoid")]


def _enlarged(enlarge: Any, factor: int, number: int, size: Any, params: Mapping[str, Any]) -> list[Layer]:
    """The `number`-th layer that a digits' decoder enlarges with, by 1 or 2, to `size`."""
    if enlarge is digits.transposed:
        geometry = {"stride": factor, "padding": 1, "size": size}
        return [_weighted("conv_transpose", geometry, params[f"ConvTranspose_{number}"])]
    if enlarge not in BEFORE_CONV:
        raise UsageError(
            f"a decoder that enlarges by {enlarge} can't be drawn with in the page; use one of jaxae's own"
        )
    kind, name = BEFORE_CONV[enlarge]
    if factor == 1:
        return [_weighted("conv", {"padding": 1}, params["Conv_0"])]
    return [Layer(kind), _weighted("conv", {"padding": 1}, params[f"{name}_{number}"])]


def _weighted(kind: str, geometry: Mapping[str, Any], params: Mapping[str, Any]) -> Layer:
    return Layer(kind, geometry, np.asarray(params["kernel"]), np.asarray(params["bias"]))
