"""Adding a number to the image of a digit (report 003, parts III and IV): encoder E, adder P, decoder D.

The complete model, for training, decodes P(E(x), b) (the solid path) and E(x) itself (the dashed path). `add` is the
inference model, the solid path alone.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

import jaxae.models.layers as layers
from jaxae.errors import UsageError
from jaxae.models.digits import DigitDecoder, DigitEncoder, Enlarge, transposed
from jaxae.models.fields import check_fields
from jaxae.models.mlp import MLP
from jaxae.models.output import Gaussian
from jaxae.models.variational import draw
from jaxae.programs import of_first


class Sum(NamedTuple):
    """What the complete model returns: float32 arrays."""

    image: jax.Array
    """(b, h, w, c) in [0, 1]: D(P(E(x), b)), to be the image of a + b"""
    original: jax.Array
    """(b, h, w, c) in [0, 1]: D(E(x)), to be x"""
    code: jax.Array
    """(b, d), that of the sum, which `image` was decoded from"""
    posterior: Gaussian
    """of the code of x"""
    sum_posterior: Gaussian
    """of the code of the sum"""


class ValueToLatent(nn.Module):
    """A learned place in a latent space for every real number: value (b,) -> (b, code_size); Dense, ReLU, Dense."""

    code_size: int
    hidden: int = 64
    initializer: layers.Init = layers.torch_init
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, value) -> jax.Array:
        """Value (b,) -> (b, code_size)."""
        check_fields(self)
        return MLP((self.hidden, self.code_size), self.initializer, self.dtype)(value[:, None]).astype(jnp.float32)


class AdditionModel(nn.Module):
    """Images of a (b, h, w, c) in [0, 1] and numbers (b,) to images of a + b.

    E is the digits' encoder, D their decoder by `enlarge`, P an MLP with ReLU between `hidden` layers, on the code
    beside the number. `variational`: E gives mean and log-variance; `generative`: P does; then training draws codes,
    with `rngs={"sample": key}`, and with `sampled` evaluation does, too. `value_to_latent` shows P a `ValueToLatent` of
    the number in place of the number. E and P can each be uncertain without the other. `widths` are E's channels,
    mirrored in D. A number without a dimension is added to every image. Raises UsageError for images of another shape
    or of integers, and for numbers that aren't one for each image.
    """

    code_size: int = 7
    variational: bool = False
    generative: bool = False
    value_to_latent: bool = False
    sampled: bool = False
    hidden: tuple[int, ...] = (256, 256)
    enlarge: Enlarge = transposed
    widths: tuple[int, ...] = (32, 64, 128)
    image_shape: tuple[int, int, int] = (28, 28, 1)
    initializer: layers.Init = layers.torch_init
    dtype: Any = jnp.float32

    def setup(self):
        """Build E, P, D and the map of the number."""
        check_fields(self)
        shared = {"image_shape": self.image_shape, "initializer": self.initializer, "dtype": self.dtype}
        options = {"initializer": self.initializer, "dtype": self.dtype}
        self.E = DigitEncoder(self.code_size * (1 + self.variational), widths=self.widths, **shared)
        self.P = MLP((*self.hidden, self.code_size * (1 + self.generative)), **options)
        self.D = DigitDecoder(self.enlarge, self.widths[::-1], **shared)
        if self.value_to_latent:
            self.value = ValueToLatent(self.code_size, **options)

    def __call__(self, inputs, *, train: bool = False) -> Sum:
        """(image (b, h, w, c), value (b,)) -> Sum: both paths, with drawn codes in training and their means else."""
        if not isinstance(inputs, tuple) or len(inputs) != 2:
            raise UsageError("AdditionModel takes images and the numbers to add, one for each; give both")
        image, value = inputs
        drawn = train or self.sampled
        posterior = self.encode(image)
        code = self._draw(posterior, drawn)
        sum_posterior = self.plus(code, value)
        sum_code = self._draw(sum_posterior, drawn)
        original, total = jnp.split(self.decode(jnp.concatenate([code, sum_code])), 2)  # one pass through D
        return Sum(total, original, sum_code, posterior, sum_posterior)

    def add(self, image, value, *, sample: bool = False) -> jax.Array:
        """The solid path: image (b, h, w, c) and real numbers (b,) or () -> the image of the sum (b, h, w, c).

        By the means of all codes, or by codes drawn from their distributions (`sample`, with `rngs={"sample": key}`).
        """
        code = self._draw(self.encode(image), sample)
        return self.decode(self._draw(self.plus(code, value), sample))

    def encode(self, image) -> Gaussian:
        """E: image (b, h, w, c) -> the distribution of its code (b, code_size)."""
        return _gaussian(self.E(image), self.variational)

    def plus(self, code, value) -> Gaussian:
        """P: code (b, code_size) and value (b,) -> the distribution of the sum's code (b, code_size)."""
        value = _one_each(value, code)
        shown = self.value(value) if self.value_to_latent else value[:, None]
        found = self.P(jnp.concatenate([code, shown.astype(jnp.float32)], axis=1))
        return _gaussian(found.astype(jnp.float32), self.generative)

    def decode(self, code) -> jax.Array:
        """D: code (b, code_size) -> image (b, h, w, c)."""
        return nn.sigmoid(self.D(code))

    def _draw(self, code: Gaussian, sample: bool) -> jax.Array:
        """The mean, or a draw."""
        if code.log_variance is None or not sample:
            return code.mean
        return draw(self.make_rng("sample"), code)


@of_first()
def add(
    model: AdditionModel, variables: Mapping[str, Any], image: jax.Array, value: Any, key: jax.Array | None = None
) -> jax.Array:
    """The inference model: images of a (b, h, w, c) in [0, 1] and real numbers b, (b,) or () -> images of a + b.

    E, P and D alone, by the means of all codes; with a key, by codes drawn from their distributions. The model comes
    first, as everywhere in jaxae: a Flax module's variables don't tell which module they belong to,
    and those of a model that can draw are shaped as those of another that can't. `functools.partial(add, model)` is the
    function of (variables, image, value). It is compiled, for each model and shape; jit and map it further as you like.
    """
    rngs = {} if key is None else {"sample": key}
    found: Any = model.apply(variables, image, value, sample=key is not None, rngs=rngs, method="add")
    return found


def _one_each(value: Any, code: jax.Array) -> jax.Array:
    """Numbers as floats (b,), one for each code."""
    value = jnp.asarray(value, jnp.float32)
    if value.shape not in ((), code.shape[:1]):
        raise UsageError(f"numbers of shape {value.shape}; give one, or one for each of the {len(code)} images")
    return jnp.broadcast_to(value, code.shape[:1])


def _gaussian(values: jax.Array, uncertain: bool) -> Gaussian:
    """(b, d) as a certain code, or (b, 2 d) as mean and log-variance."""
    return Gaussian(*jnp.split(values, 2, axis=1)) if uncertain else Gaussian(values)
