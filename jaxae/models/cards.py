"""Models as JSON values, and back by a table that is code: nothing that a file names is imported or called."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxae.errors import UsageError
from jaxae.models import digits, layers
from jaxae.models.addition import AdditionModel
from jaxae.models.classifier import DigitClassifier
from jaxae.models.conv import ConvAutoencoder, DenoiseAutoencoder
from jaxae.models.digits import DigitAutoencoder
from jaxae.models.fields import FLAX
from jaxae.models.mlp import FCAutoencoder, MLPAutoencoder, linear
from jaxae.models.unmix import Unmixer
from jaxae.models.variational import MLPVAE, ConvVAE

MODELS = {
    model.__name__: model
    for model in (
        MLPVAE, AdditionModel, ConvAutoencoder, ConvVAE, DenoiseAutoencoder, DigitAutoencoder, DigitClassifier,
        FCAutoencoder, MLPAutoencoder, Unmixer,
    )
}  # fmt: skip
FUNCTIONS: dict[str, Any] = {
    "bilinear": digits.bilinear, "interpolated": digits.interpolated, "transposed": digits.transposed,
    "upsampled": digits.upsampled, "flax_init": layers.flax_init, "torch_init": layers.torch_init, "linear": linear,
    "relu": nn.relu, "sigmoid": nn.sigmoid, "tanh": nn.tanh,
}  # fmt: skip
DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}
LONGEST = 64  # tuple of a model's fields


def described(model: nn.Module) -> dict[str, Any] | None:
    """One of jaxae's models as JSON values, its class and fields; None for others, and for fields not in the tables."""
    if MODELS.get(type(model).__name__) is not type(model):
        return None
    fields = {field.name: getattr(model, field.name) for field in dataclasses.fields(model) if field.name not in FLAX}
    found = {name: _value(name, value) for name, value in fields.items()}
    return None if None in found.values() else {"class": type(model).__name__, **found}


def rebuilt(card: Any) -> Any:
    """The model that `described` gave this for. Raises UsageError for anything else."""
    if not isinstance(card, Mapping) or not isinstance(card.get("class"), str) or card["class"] not in MODELS:
        raise UsageError(f"{str(card)[:80]} describes none of jaxae's models; give the model itself")
    kind = MODELS[card["class"]]
    defaults = {field.name: field.default for field in dataclasses.fields(kind) if field.name not in FLAX}
    given = {name: value for name, value in card.items() if name != "class"}
    for name, value in given.items():
        if name not in defaults or not _fits(name, value, defaults[name]):
            raise UsageError(f"{card['class']} has no {name[:40]} {str(value)[:40]!r}; use the jaxae that wrote it")
    return kind(**{name: _field(name, value) for name, value in given.items()})


def shapes_of(model: Any) -> Any:
    """The variables of one of jaxae's models as shapes and types; nothing is computed."""
    image = jax.ShapeDtypeStruct((1, *model.image_shape), jnp.float32)
    inputs = (image, jax.ShapeDtypeStruct((1,), jnp.float32)) if isinstance(model, AdditionModel) else image
    rngs = {name: jax.random.key(0) for name in ("params", "sample", "dropout")}
    return jax.eval_shape(model.init, rngs, inputs)


def _value(name: str, value: Any) -> Any:
    """A field as a JSON value; None where there is none for it."""
    if name == "dtype":
        return next((key for key, dtype in DTYPES.items() if dtype == value), None)
    if callable(value):
        return next((key for key, function in FUNCTIONS.items() if function is value), None)
    return list(value) if isinstance(value, tuple) else value


def _fits(name: str, value: Any, default: Any) -> bool:
    if name == "dtype":
        return isinstance(value, str) and value in DTYPES
    if callable(default):
        return isinstance(value, str) and value in FUNCTIONS
    if isinstance(default, tuple):
        return isinstance(value, list) and 0 < len(value) <= LONGEST and all(_is_size(part) for part in value)
    if isinstance(default, float):
        return isinstance(value, int | float) and 0 <= value < 1
    return _is_size(value) if type(default) is int else type(value) is type(default)


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 < value < 2**24


def _field(name: str, value: Any) -> Any:
    if name == "dtype":
        return DTYPES[value]
    if isinstance(value, str) and value in FUNCTIONS and name not in ("upsampling", "stem"):
        return FUNCTIONS[value]
    return tuple(value) if isinstance(value, list) else value
