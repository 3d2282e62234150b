"""Bilinear upsampling by two with aligned corners: a product with a small constant matrix along each side."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxae.models.output import refuse_arrays


def upsample_bilinear(x: jax.Array) -> jax.Array:
    """Twice the height and width, bilinearly, the corners in place: (b, h, w, c) -> (b, 2h, 2w, c).

    As torch.nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True). Products are kept in
    at least float32. Raises UsageError for an image of another number of axes, or of whole numbers.
    """
    refuse_arrays(x)
    b, h, w, c = x.shape
    tall = _enlarged(x.reshape(b, h, w * c))
    return _enlarged(tall.reshape(b * 2 * h, w, c)).reshape(b, 2 * h, 2 * w, c)


def _enlarged(x: jax.Array) -> jax.Array:
    """(n, side, c) -> (n, 2 side, c), as n products: XLA's CPU backend is slower at one over a middle axis. But their
    weights, one set for each, take memory: not where they would be larger than the image."""
    weights = jnp.asarray(_between(x.shape[1]), x.dtype)
    exact = jnp.float32 if x.dtype.itemsize < 4 else x.dtype
    if 2 * x.shape[1] > x.shape[2]:
        return jnp.einsum("ts,nsc->ntc", weights, x, precision="highest", preferred_element_type=exact).astype(x.dtype)
    each = jnp.broadcast_to(weights, (x.shape[0], *weights.shape))
    return jnp.matmul(each, x, precision=lax.Precision.HIGHEST, preferred_element_type=exact).astype(x.dtype)


def _between(side: int) -> np.ndarray:
    """f64[2 side, side]: the weights of a side's pixels in each of the pixels of twice as many.

    >>> _between(2).round(3).tolist()
    [[1.0, 0.0], [0.667, 0.333], [0.333, 0.667], [0.0, 1.0]]
    """
    place = np.arange(2 * side) * (side - 1) / (2 * side - 1)  # between the first pixel and the last
    return np.maximum(0, 1 - np.abs(place[:, None] - np.arange(side)))
