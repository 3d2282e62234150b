"""Losses against PyTorch 2.13's values (stored) and against arithmetic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxae import losses
from jaxae.errors import UsageError

IMAGE = jnp.array([[0.1, 0.9, 0.4], [0.7, 0.0, 0.5]])
TARGET = jnp.array([[0.0, 1.0, 0.25], [0.7, 0.2, 0.9]])
LOGITS = jnp.array([[-3.0, 0.5, 2.0], [10.0, -0.25, 0.0]])


@pytest.mark.parametrize(
    ("loss", "prediction", "torch"),
    [
        (losses.mse, IMAGE, [0.014166668, 0.066666663]),
        (losses.l1, IMAGE, [0.116666675, 0.199999988]),
        (losses.bce, LOGITS, [0.716530800, 1.439710617]),
    ],
)
@pytest.mark.parametrize("shape", [(2, 3), (2, 1, 3, 1)])
def test_reconstruction_losses_are_torchs_means_over_the_pixels_of_each_example(loss, prediction, torch, shape):
    value = loss(prediction.reshape(shape), TARGET.reshape(shape))
    np.testing.assert_allclose(value, torch, rtol=1e-6)


@pytest.mark.parametrize(("dtype", "close"), [(jnp.float32, 1e-6), (jnp.bfloat16, 2**-8)])
def test_means_by_products_are_those_by_sums(dtype, close):
    values = jax.random.uniform(jax.random.key(0), (3, 28, 28, 1)).astype(dtype)
    product, whole = losses._mean_by_product(values), losses._mean_by_sum(values)
    assert product.dtype == whole.dtype == dtype
    np.testing.assert_allclose(*(mean.astype(jnp.float32) for mean in (product, whole)), rtol=close)


def test_errors_of_nothing_have_no_gradient_as_in_torch():
    image = jnp.array([[0.0, 0.5, 0.0, 1.0]])
    slopes = jax.grad(lambda image: losses.l1(image, jnp.array([[0.0, 0.5, 1.0, 0.5]])).sum())(image)
    assert slopes.tolist() == [[0.0, 0.0, -0.25, 0.25]]


@pytest.mark.parametrize("loss", [losses.mse, losses.l1, losses.bce])
def test_a_loss_can_be_exported_for_batches_of_any_size(loss):
    (size,) = jax.export.symbolic_shape("b")
    images = jax.ShapeDtypeStruct((size, 4), jnp.float32)
    exported = jax.export.export(jax.jit(loss), platforms=("cpu", "cuda"))(images, images)
    assert str(exported.out_avals[0].shape) == "(b,)"


def test_kl_is_torchs_summed_over_the_code():
    mean, log_variance = jnp.array([[0.5, -1.0], [0.0, 2.0]]), jnp.array([[0.0, -2.0], [0.3, 1.0]])
    torch = np.array([[0.125, 1.067667603], [0.024929404, 2.359140873]])
    np.testing.assert_allclose(losses.gaussian_kl_per_dimension(mean, log_variance), torch, rtol=1e-6)
    np.testing.assert_allclose(losses.gaussian_kl(mean, log_variance), torch.sum(1), rtol=1e-6)


def test_kl_keeps_its_digits_near_collapse():
    log_variance = jnp.full((1, 1), 1e-3)  # KL = v^2/4 + v^3/12 + ..., far below exp(v)'s rounding error
    np.testing.assert_allclose(losses.gaussian_kl(jnp.zeros((1, 1)), log_variance), [2.5008e-7], rtol=1e-3)


@pytest.mark.parametrize(("logit", "target", "loss", "slope"), [(100, 0, 100, 1), (-100, 1, 100, -1), (100, 1, 0, 0)])
def test_bce_is_finite_with_its_gradient_far_out(logit, target, loss, slope):
    value, gradient = jax.value_and_grad(lambda x: losses.bce(x, jnp.full((1, 1), float(target)))[0])(
        jnp.full((1, 1), float(logit))
    )
    np.testing.assert_allclose(value, loss, atol=1e-6)
    np.testing.assert_allclose(gradient, [[slope]], atol=1e-6)


@pytest.mark.parametrize("loss", [losses.mse, losses.l1, losses.bce, losses.gaussian_kl])
def test_what_would_broadcast_or_wrap_around_is_refused_while_tracing(loss):
    def trace(first, second):
        jax.eval_shape(loss, jax.ShapeDtypeStruct(*first), jax.ShapeDtypeStruct(*second))

    with pytest.raises(UsageError, match=r"\(8, 784\) and \(8, 1\) differ"):
        trace(((8, 784), jnp.float32), ((8, 1), jnp.float32))
    with pytest.raises(UsageError, match="uint8 are not floating"):
        trace(((8, 784), jnp.float32), ((8, 784), jnp.uint8))


def test_kl_refuses_codes_that_are_not_flat():
    with pytest.raises(UsageError, match=r"\(2, 7, 7, 4\) is not \[batch, code\]"):
        losses.gaussian_kl(jnp.zeros((2, 7, 7, 4)), jnp.zeros((2, 7, 7, 4)))
