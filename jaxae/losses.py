"""What is minimised: one value per example, so that whoever reduces says so (training means over the batch).

Reconstruction losses are means over pixels and channels; KL divergences are sums over code dimensions. A weight on
the KL therefore compares with a weight of `weight * pixels` where the reconstruction is summed instead.

Values have the type of what they are made of, sums being kept in float32 at least: of float16, squares end at 65,504.
"""

import math

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxae.errors import UsageError


def mse(image: jax.Array, target: jax.Array) -> jax.Array:
    """Squared error, mean over pixels and channels: float[b, ...] twice -> float[b].

    Any value range, the same for both; the unit is its square (signed images score four times what unit images do).
    Raises UsageError unless both have the same shape and are floating.

    >>> ae.losses.mse(jnp.ones((2, 28, 28, 1)), jnp.zeros((2, 28, 28, 1))).tolist()
    [1.0, 1.0]
    """
    check_pair(image, target)
    return _mean_per_example(jnp.square(image - target))


def l1(image: jax.Array, target: jax.Array) -> jax.Array:
    """Absolute error, mean over pixels and channels: float[b, ...] twice -> float[b].

    Any value range, the same for both. As in PyTorch, no gradient where both are equal. Raises UsageError unless both
    have the same shape and are floating.
    """
    check_pair(image, target)
    error = image - target
    return _mean_per_example(jnp.where(error == 0, 0, jnp.abs(error)))  # JAX's own gradient of abs at 0 is 1


def bce(logits: jax.Array, target: jax.Array) -> jax.Array:
    """Binary cross-entropy from logits in nats, mean over pixels and channels: float[b, ...] twice -> float[b].

    Logits are any reals, finite in value and gradient far out; the target is in [0, 1] (outside it the loss has no
    minimum). A gray target has a floor above 0: its own entropy. Report 003 plots these values beside RMSE.
    Raises UsageError unless both have the same shape and are floating.

    >>> unsure, sure = ae.losses.bce(jnp.array([[0.0, 0.0], [100.0, -100.0]]), jnp.array([[0.0, 1.0], [1.0, 0.0]]))
    >>> round(float(unsure), 4), round(float(sure), 4)
    (0.6931, 0.0)
    """
    check_pair(logits, target)
    return _mean_per_example(optax.sigmoid_binary_cross_entropy(logits, target))


def gaussian_kl(mean: jax.Array, log_variance: jax.Array) -> jax.Array:
    """KL(N(mean, exp(log_variance)) || N(0, I)) in nats, sum over code dimensions: float[b, d] twice -> float[b].

    Kingma and Welling 2014 (arXiv:1312.6114), appendix B. Raises UsageError as `gaussian_kl_per_dimension` does.

    >>> ae.losses.gaussian_kl(jnp.array([[0.0, 0.0], [1.0, 2.0]]), jnp.zeros((2, 2))).tolist()
    [0.0, 2.5]
    """
    return jnp.sum(gaussian_kl_per_dimension(mean, log_variance), axis=-1)


def gaussian_kl_per_dimension(mean: jax.Array, log_variance: jax.Array) -> jax.Array:
    """The summands of `gaussian_kl` in nats: float[b, d] twice -> float[b, d], each at least 0.

    A dimension near 0 on every input has collapsed: the decoder learns nothing from it.
    Raises UsageError unless both are [b, d], of the same shape and floating.
    """
    check_pair(mean, log_variance)
    if mean.ndim != 2:
        raise UsageError(f"a posterior of shape {mean.shape} is not [batch, code]; flatten the code's dimensions")
    # expm1 because exp(v) - 1 - v cancels near v = 0, where a collapsed posterior lies
    return 0.5 * (jnp.square(mean) + jnp.expm1(log_variance) - log_variance)


def check_pair(first: jax.Array, second: jax.Array) -> None:
    """Raise UsageError, while tracing, unless both have the same shape and are floating.

    Otherwise [b, 784] against [b, 28, 28, 1] would broadcast, and uint8 differences would wrap around, in silence.
    """
    check_floating(first, second)
    if first.shape != second.shape:
        raise UsageError(f"shapes {first.shape} and {second.shape} differ; give both the same shape")


def check_floating(*arrays: jax.Array) -> None:
    """Raise UsageError, while tracing, unless all are floating arrays: arithmetic on uint8 wraps around in silence."""
    for array in arrays:
        if not hasattr(array, "dtype"):
            raise UsageError(f"{type(array).__name__} is no array; give one of numpy's or JAX's")
        if not jnp.issubdtype(array.dtype, jnp.floating):
            raise UsageError(f"values of type {array.dtype} are not floating; convert them, as transforms.to_unit does")


def in_float32(array: jax.Array) -> jax.Array:
    """The array, in float32 where its type is narrower."""
    return array.astype(jnp.float32) if array.dtype.itemsize < 4 else array


def _mean_per_example(values: jax.Array) -> jax.Array:
    if values.ndim < 2 or 0 in values.shape[1:]:
        raise UsageError(f"examples of shape {values.shape[1:]} have nothing to take a mean of; lead with the batch")
    return lax.platform_dependent(values, cpu=_mean_by_product, default=_mean_by_sum)


def _mean_by_product(values: jax.Array) -> jax.Array:
    """For a CPU, where XLA takes 0.3 to 0.6 ms for the sums over 250 digits, and a product with ones under 0.1."""
    exact, count = jnp.float32 if values.dtype.itemsize < 4 else values.dtype, math.prod(values.shape[1:])
    rows, ones = values.reshape(values.shape[0], count).astype(exact), jnp.ones(count, exact)
    return (jnp.dot(rows, ones, precision=lax.Precision.HIGHEST) / count).astype(values.dtype)


def _mean_by_sum(values: jax.Array) -> jax.Array:
    return jnp.mean(values, axis=tuple(range(1, values.ndim)))
