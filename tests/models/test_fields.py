"""Fields of other kinds than their annotations are refused where a model is set up, of jaxae's classes alone."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from prepared import refused

from jaxae.models import (
    MLP,
    AdditionModel,
    ConvAutoencoder,
    DenoiseAutoencoder,
    DigitAutoencoder,
    DigitClassifier,
    DigitDecoder,
    DigitEncoder,
    FCAutoencoder,
    MLPAutoencoder,
    ResNet18,
    Unmixer,
    ValueToLatent,
)

KEY = jax.random.key(0)


class Freer(MLPAutoencoder):
    """Of one's own, whose code may be as it is, and whose sides come as text."""

    code_activation: Any = None
    sides: tuple[int, ...] = ("4", "4")  # type: ignore[assignment]

    def encode(self, image):
        return self.encoder(image.reshape(len(image), -1))


@pytest.mark.parametrize(
    ("model", "field", "value", "right"),
    [
        (ConvAutoencoder, "widths", ("32", "64"), r"a tuple of whole numbers, such as \(32, 64\)"),
        (ConvAutoencoder, "widths", 32, r"a tuple of whole numbers, such as \(32, 64\)"),
        (ConvAutoencoder, "initializer", "x", "a function, such as torch_init"),
        (ConvAutoencoder, "upsampling", 2, "'nearest' or 'bilinear'"),
        (MLPAutoencoder, "code_size", "8", "a whole number, such as 8"),
        (MLPAutoencoder, "code_size", 1.5, "a whole number, such as 8"),
        (MLPAutoencoder, "dtype", "float23", "a floating type, such as float32"),
        (MLPAutoencoder, "dtype", jnp.int32, "a floating type, such as float32"),
        (MLPAutoencoder, "code_activation", None, "a function, such as relu"),
        (Freer, "code_size", "8", "a whole number, such as 8"),
        (FCAutoencoder, "code_size", True, "a whole number, such as 128"),
        (FCAutoencoder, "image_shape", (28, 28), r"a tuple of 3 whole numbers, such as \(28, 28, 1\)"),
        (DenoiseAutoencoder, "batch_norm", "8", "True or False"),
        (Unmixer, "skip", "8", "True or False"),
        (DigitClassifier, "dropout", "8", r"a number, such as 0\.3"),
        (DigitAutoencoder, "enlarge", "bilinear", "a function, such as transposed"),
        (DigitEncoder, "hidden", "8", "a whole number, such as 256"),
        (DigitDecoder, "widths", "8", "a tuple of whole numbers"),
        (AdditionModel, "variational", "no", "True or False"),
        (ResNet18, "classes", "8", "a whole number or None, such as 1000"),
        (MLP, "features", 8, "a tuple of whole numbers"),
        (ValueToLatent, "code_size", "7", "a whole number"),
    ],
)
def test_a_field_of_another_kind_is_refused(model, field, value, right):
    told = {None: "None", jnp.int32: "int32"}.get(value, repr(value)).replace("(", r"\(").replace(")", r"\)")
    inputs = jnp.zeros((2, 28, 28, 1))
    refused(f"{model.__name__} has {field}={told}; give {right}", model(**{field: value}).init, KEY, inputs)


def test_a_subclass_has_fields_of_its_own_and_any_number_or_list_will_do():
    given: Any = {"hidden": [np.int64(5)], "code_size": np.int32(2), "image_shape": (4, 4, 1), "dtype": "bfloat16"}
    variables = jax.eval_shape(Freer(**given).init, KEY, jnp.zeros((2, 4, 4, 1)))
    assert variables["params"].keys() == {"encoder", "decoder"}
