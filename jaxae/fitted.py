"""A trained autoencoder to use: stored images in, images in [0, 1] out, whatever range its model works in."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import errors
from jax.core import Tracer

from jaxae import latent
from jaxae.errors import UsageError
from jaxae.keys import check_key
from jaxae.metrics import BEYOND
from jaxae.programs import of_first
from jaxae.transforms import Scale, from_scale, to_scale

OTHERS = (  # what Flax raises where a model needs other variables
    errors.ScopeParamShapeError, errors.ScopeParamNotFoundError, errors.ScopeVariableNotFoundError,
    errors.ScopeCollectionNotFound,
)  # fmt: skip
MEANS = (-0.5, 1.5)  # of images in [0, 1], however noisy, since noise averages out


@dataclass(frozen=True, eq=False, repr=False)
class Fitted:
    """One trained model, as `ae.load` gives it.

    Images are uint8[b, h, w, c] as stored, or floating ones in [0, 1]; they are brought to the model's `scale`, and
    what it draws is brought back, unclipped. Codes are what the model's `encode` gives, the means where that is a
    distribution: f32[b, ...], or several arrays. Every method is compiled once for each shape. They raise UsageError
    for images and codes of another shape, type or range, and for what the model can't do.
    """

    name: str
    model: nn.Module
    variables: Mapping[str, Any]
    scale: Scale

    def __repr__(self) -> str:
        size = sum(np.size(leaf) for leaf in jax.tree.leaves(self.variables.get("params", {})))
        shape = getattr(self.model, "image_shape", None)
        images = f", images {list(shape)}" if shape else ""
        return f"Fitted({self.name!r}: {type(self.model).__name__}{images}, {size:,} parameters)"

    def encode(self, images: Any) -> Any:
        """The codes of images."""
        self._refuse_lack("encode")
        return _encode(self.model, self.scale, self.variables, _images(images))

    def decode(self, code: Any) -> jax.Array:
        """The images of codes, f32[b, h, w, c]."""
        self._refuse_lack("decode")
        known = hasattr(self.model, "encode") and hasattr(self.model, "image_shape")
        given = _codes_like(code, self._codes if known else None)
        if known:
            refuse_unlike(given, self._codes, f"{self.name!r} decodes codes")
        return _decode(self.model, self.scale, self.variables, given)

    def reconstruct(self, images: Any) -> jax.Array:
        """Images through the code and back, f32[b, h, w, c]."""
        self._refuse_lack("encode", "decode")
        return _reconstruct(self.model, self.scale, self.variables, _images(images))

    def interpolate(
        self, start: Any, end: Any, weight: Any = (0.0, 0.25, 0.5, 0.75, 1.0), *, walk: Callable = latent.lerp
    ) -> jax.Array:
        """The images on the way from each of `start` to that of `end`, f32[n, b, h, w, c] for n weights.

        `walk` is `latent.lerp`, or `latent.slerp`, or a function like them, and goes from code to code.
        """
        weight = (
            _array(weight, "weights", "numbers, from 0 at the start to 1 at the end").astype(jnp.float32).reshape(-1)
        )
        codes = jax.tree.map(lambda a, b: walk(a, b, weight), self.encode(start), self.encode(end))
        images = self.decode(jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), codes))
        return images.reshape(len(weight), -1, *images.shape[1:])

    def sample(self, key: jax.Array, count: int) -> jax.Array:
        """Images of `count` codes drawn from the prior, a standard normal distribution, f32[count, h, w, c].

        Raises UsageError unless the model is variational: its `encode` gives a `mean` and a `log_variance`, in a
        NamedTuple such as `ae.models.Gaussian`.
        """
        self._refuse_lack("encode", "decode")
        check_key(key)
        if not isinstance(count, int | np.integer) or count < 1:
            raise UsageError(f"can't draw {count} images; ask for a whole number from 1 up")
        posterior = jax.eval_shape(
            functools.partial(_posterior, self.model, self.scale), self.variables, self.any_images()
        )
        if getattr(posterior, "log_variance", None) is None:
            raise UsageError(
                f"{self.name!r} is no variational autoencoder, whose encode would give an ae.models.Gaussian, so there "
                "is no distribution to draw codes from; encode images, and decode what lies near or between their codes"
            )
        return self.decode(jax.random.normal(key, (count, *posterior.mean.shape[1:]), jnp.float32))

    def outputs(self, images: Any, *others: Any) -> Any:
        """What the model returns for images, in its own scale; `others` are what it takes besides, such as numbers."""
        others = tuple(map(jnp.asarray, others))
        return _outputs(self.model, self.scale, self.variables, _images(images), *others)

    @property
    def programs(self) -> dict[str, Callable[..., Any]]:
        """What it can do, as functions of (variables, images or codes): what `export` writes."""
        coded = {"encode": _encode, "decode": _decode, "reconstruct": _reconstruct}
        there = coded if hasattr(self.model, "encode") and hasattr(self.model, "decode") else {"outputs": _outputs}
        return {name: functools.partial(function, self.model, self.scale) for name, function in there.items()}

    def any_images(self, count: Any = 1) -> jax.ShapeDtypeStruct:
        """So many images that the model takes, as a shape."""
        shape: Any = getattr(self.model, "image_shape", None)
        if shape is None:
            raise UsageError(f"{type(self.model).__name__} doesn't say the size of its images; give it an image_shape")
        return jax.ShapeDtypeStruct((count, *shape), jnp.uint8)

    @functools.cached_property
    def _codes(self) -> Any:
        """The code of one image, as shapes."""
        encode = functools.partial(_encode, self.model, self.scale)
        return jax.eval_shape(encode, self.variables, self.any_images())

    def _refuse_lack(self, *methods: str) -> None:
        for method in methods:
            if not hasattr(self.model, method):
                raise UsageError(f"{type(self.model).__name__} has no {method}; use `outputs` for what it returns")


def refuse_unlike(given: Any, wanted: Any, who: str) -> None:
    """Raise UsageError unless arrays are like `wanted`, shapes of as many; their first axes are free, from 1 up.

    Floats are as good as one another where floats are wanted. `who` begins the sentence: "'fc' decodes codes".
    """
    (found, structure), (shapes, asked) = jax.tree.flatten(given), jax.tree.flatten(wanted)
    told = told_shapes(shapes)
    if structure != asked:
        raise UsageError(f"{who} {told}; got {len(found)} arrays in place of {len(shapes)}, or named otherwise")
    for array, shape in zip(found, shapes, strict=True):
        floats = all(jnp.issubdtype(each.dtype, jnp.floating) for each in (array, shape))
        if array.ndim != len(shape.shape) or array.shape[1:] != tuple(shape.shape[1:]) or not len(array):
            raise UsageError(f"{who} {told}; got {array.dtype}{[*array.shape]}: give that shape, b from 1 up")
        if array.dtype != shape.dtype and not floats:
            raise UsageError(f"{who} {told}; got {array.dtype}{[*array.shape]}: convert them first")


def told_shapes(shapes: Any) -> str:
    """ "uint8[b, 28, 28, 1]", or several such."""
    leaves = jax.tree.leaves(shapes)
    return ", ".join(f"{leaf.dtype}[{', '.join(['b', *map(str, leaf.shape[1:])])}]" for leaf in leaves)


def _images(images: Any) -> jax.Array:
    """Images as an array. Raises UsageError for what is none, and for floats that can't be images in [0, 1], however
    noisy, such as stored ones, from 0 to 255."""
    array = _array(images, "images", "the array, such as .image of a set")
    floats, kind = jnp.issubdtype(array.dtype, jnp.floating), f"{array.dtype}{[*array.shape]}"
    if not floats and array.dtype != jnp.uint8:
        raise UsageError(f"images are uint8[b, h, w, c], as stored, or floats in [0, 1]; got {kind}: convert them")
    if not array.size:
        raise UsageError(f"there is no image in {kind}; give one or more")
    if floats and not isinstance(array, Tracer):
        _refuse_range(array)
    return array


def _refuse_range(images: jax.Array) -> None:
    if (most := float(jnp.abs(images).max())) > BEYOND:
        raise UsageError(f"floating images are in [0, 1]; got values up to {most:g}: divide by 255, or give uint8")
    if not MEANS[0] <= (mean := float(images.mean())) <= MEANS[1]:
        raise UsageError(
            f"floating images are in [0, 1]; the mean of these is {mean:.3g}: bring them there, signed ones by "
            "ae.transforms.signed_to_unit, or give uint8 as stored"
        )


def _codes_like(code: Any, wanted: Any) -> Any:
    """Codes as arrays; whole numbers as floats."""
    single = isinstance(wanted, jax.ShapeDtypeStruct)
    given = [code] if single else jax.tree.leaves(code)
    arrays = [_array(leaf, "codes", "what encode gives") for leaf in given]
    whole = [jnp.issubdtype(array.dtype, jnp.integer) for array in arrays]
    arrays = [array.astype(jnp.float32) if now else array for array, now in zip(arrays, whole, strict=True)]
    return arrays[0] if single else jax.tree.unflatten(jax.tree.structure(code), arrays)


def _array(values: Any, what: str, mend: str) -> jax.Array:
    try:
        return jnp.asarray(values)
    except (TypeError, ValueError):
        raise UsageError(f"{type(values).__name__} is no array of {what}; give {mend}") from None


def _posterior(model, scale, variables, images) -> Any:
    return _applied(model, variables, to_scale(images, scale), method="encode")


@of_first(static_argnames="scale")
def _encode(model, scale, variables, images) -> Any:
    found = _posterior(model, scale, variables, images)
    return found.mean if hasattr(found, "log_variance") else found


@of_first(static_argnames="scale")
def _decode(model, scale, variables, code) -> jax.Array:
    outputs: Any = _applied(model, variables, code, method="decode")
    return from_scale(getattr(outputs, "image", outputs), scale)


@of_first(static_argnames="scale")
def _reconstruct(model, scale, variables, images) -> jax.Array:
    return _decode(model, scale, variables, _encode(model, scale, variables, images))


@of_first(static_argnames="scale")
def _outputs(model, scale, variables, images, *others) -> Any:
    scaled = to_scale(images, scale)
    return _applied(model, variables, (scaled, *others) if others else scaled)


def _applied(model: nn.Module, variables: Any, inputs: Any, method: str | None = None) -> Any:
    """Raises UsageError where the model needs other variables: of one that isn't jaxae's they are first compared here,
    where its inputs are known."""
    try:
        return model.apply(variables, inputs, method=method)
    except OTHERS as error:
        said = str(error).partition(" (http")[0].rstrip(".")
        raise UsageError(
            f"{type(model).__name__} doesn't fit these variables or images ({said}); give ae.load(..., model=...) the "
            "model that was trained, and images of the size that it was trained with"
        ) from None
