"""Walks in a code space: codes to decode, as pure functions of codes. A code is float[d], or float[..., d] a batch."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxae.errors import UsageError
from jaxae.losses import in_float32
from jaxae.programs import of_first
from jaxae.transforms import to_unit


@of_first()
def encode(model: nn.Module, variables: Mapping[str, Any], image: Any) -> jax.Array:
    """The codes of stored images, uint8[n, h, w, c] -> f32[n, d], by an autoencoder of images in [0, 1] whose code is a
    vector. Of any other one `ae.Fitted` gives the codes; here they raise UsageError."""
    code = model.apply(variables, to_unit(image), method="encode")
    if not isinstance(code, jax.Array) or code.ndim != 2:
        told = f"of shape {code.shape}" if isinstance(code, jax.Array) else f"a {type(code).__name__}"
        raise UsageError(f"a code of {type(model).__name__} is {told}, no vector; use the encode of an ae.Fitted")
    return code


@of_first()
def decode(model: nn.Module, variables: Mapping[str, Any], code: jax.Array) -> jax.Array:
    """The images of codes that are vectors, any number of axes before: f32[..., d] -> f32[..., h, w, c]."""
    found = model.apply(variables, code.reshape(-1, code.shape[-1]), method="decode")
    image: Any = getattr(found, "image", found)
    return image.reshape(*code.shape[:-1], *image.shape[1:])


def lerp(start: jax.Array, end: jax.Array, weight: jax.Array | float) -> jax.Array:
    """Points of the straight line from `start` (weight 0) to `end` (weight 1): float[..., d] twice -> float[..., d].

    With weights float[n] the points lie along a new leading axis: float[n, ..., d]. Weights outside [0, 1] extrapolate.
    The ends are exact. Raises UsageError unless both codes have the same shape and are floating.

    >>> ae.latent.lerp(jnp.zeros(2), jnp.array([4.0, 8.0]), jnp.array([0.0, 0.25, 1.0])).tolist()
    [[0.0, 0.0], [1.0, 2.0], [4.0, 8.0]]
    """
    start, end, weight = _aligned(start, end, weight)
    return (1 - weight) * start + weight * end


def slerp(start: jax.Array, end: jax.Array, weight: jax.Array | float) -> jax.Array:
    """Points of the arc from `start` to `end`: shapes and errors as for `lerp`.

    The direction turns at constant angular speed, as in Shoemake 1985 (SIGGRAPH): sin((1 - t) a) / sin(a) first +
    sin(t a) / sin(a) last, a the angle between the directions of the codes. The length goes evenly from one code's to
    the other's. Where no arc is defined (parallel or opposite codes, to 1e-3 of an angle, or a code of length 0) it is
    the straight line.

    >>> halfway = ae.latent.slerp(jnp.array([2.0, 0.0]), jnp.array([0.0, 2.0]), 0.5)
    >>> [round(value, 4) for value in halfway.tolist()]
    [1.4142, 1.4142]
    """
    kind = jnp.result_type(start, end)
    start, end, weight = _aligned(in_float32(start), in_float32(end), weight)
    length = (1 - weight) * _length(start) + weight * _length(end)
    first, last = _direction(start), _direction(end)
    # Kahan's form: the arc cosine has no digits left where codes are nearly parallel
    apart, along = _length(first - last), _length(first + last)
    angle = 2 * jnp.arctan2(apart, jnp.where(apart + along > 0, along, 1))
    curved = (jnp.sin(angle) > 1e-3) & (_length(start) > 0) & (_length(end) > 0)
    sine = jnp.where(curved, jnp.sin(angle), 1)
    turned = (jnp.sin((1 - weight) * angle) * first + jnp.sin(weight * angle) * last) / sine
    return jnp.where(curved, length * turned, (1 - weight) * start + weight * end).astype(kind)


def traversal(code: jax.Array, values: jax.Array) -> jax.Array:
    """One dimension varied at a time: float[d], and float[n] or float[d, n] -> float[d, n, d].

    Row i, column j is `code` with its dimension i set to values[j], or to values[i, j]. Raises UsageError for other
    shapes.

    >>> ae.latent.traversal(jnp.array([5.0, 6.0]), jnp.array([-1.0, 1.0])).tolist()
    [[[-1.0, 6.0], [1.0, 6.0]], [[5.0, -1.0], [5.0, 1.0]]]
    """
    if code.ndim != 1 or values.ndim not in (1, 2) or values.shape[:-1] not in ((), code.shape):
        raise UsageError(
            f"a traversal of codes {code.shape} through values {values.shape} is undefined; give [d], and [n] or [d, n]"
        )
    shape = (*code.shape, values.shape[-1], *code.shape)
    varied = jnp.broadcast_to(jnp.eye(len(code), dtype=bool)[:, None, :], shape)
    values = jnp.broadcast_to(values.reshape(-1, values.shape[-1])[:, :, None], shape)
    return jnp.where(varied, values, jnp.broadcast_to(code, shape))


def plane(across: jax.Array, up: jax.Array) -> jax.Array:
    """The codes of a two-dimensional space as a picture shows them: float[w], float[h] -> float[h, w, 2].

    Row i, column j is (across[j], up[-1 - i]): the first dimension runs to the right, the second upwards.

    >>> ae.latent.plane(jnp.array([0.0, 1.0]), jnp.array([0.0, 1.0])).tolist()
    [[[0.0, 1.0], [1.0, 1.0]], [[0.0, 0.0], [1.0, 0.0]]]
    """
    return jnp.stack(jnp.meshgrid(across, up[::-1]), axis=-1)


def _aligned(start: jax.Array, end: jax.Array, weight: jax.Array | float) -> tuple[jax.Array, jax.Array, jax.Array]:
    """All three with the same axes, those of several weights first."""
    if start.shape != end.shape or start.ndim < 1:
        raise UsageError(
            f"codes of shapes {start.shape} and {end.shape} have no path between them; give [..., d] twice"
        )
    if not (jnp.issubdtype(start.dtype, jnp.floating) and jnp.issubdtype(end.dtype, jnp.floating)):
        raise UsageError(f"codes of types {start.dtype} and {end.dtype} are not floating; convert them first")
    weight = jnp.asarray(weight, start.dtype)
    if weight.ndim > 1:
        raise UsageError(f"weights of shape {weight.shape} are not one number or [n]; flatten them")
    if weight.ndim == 0:
        return start, end, weight.reshape((1,) * start.ndim)
    return start[None], end[None], weight.reshape((-1,) + (1,) * start.ndim)


def _length(vector: jax.Array) -> jax.Array:
    """The norm, whose gradient at 0 is 0 and not NaN."""
    square = jnp.sum(vector * vector, axis=-1, keepdims=True)
    return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)


def _direction(vector: jax.Array) -> jax.Array:
    length = _length(vector)
    return vector / jnp.where(length > 0, length, 1)
