"""What convolutions and poolings refuse, and what they make of batches without images."""

import jax
import jax.numpy as jnp
import pytest
from prepared import refused

import jaxae as ae
from jaxae.models import layers, ops


def images(batch, channels):
    return jnp.zeros((batch, 7, 7, channels))


def kernel(inputs, outputs):
    return jnp.zeros((3, 3, inputs, outputs))


@pytest.mark.parametrize(("inputs", "outputs"), [(8, 4), (1, 16), (3, 64), (64, 3), (32, 32), (256, 4)])
@pytest.mark.parametrize(
    "operation",
    [
        lambda x, k: ops.conv(x, k, padding=1),
        lambda x, k: ops.conv(x, k, stride=2),
        lambda x, k: ops.conv_transpose(x, k, stride=2, padding=1, output_padding=1),
        lambda x, k: ops.upsample_conv(x, k),
        lambda x, k: sum(ops.in_turn(ops.conv(x, k), ops.conv(x, k))),
    ],
)
def test_a_batch_without_images_has_results_and_gradients_without_images(operation, inputs, outputs):
    def total(x, k):
        y = operation(x, k)
        assert y.shape == (0, *operation(images(2, inputs), k).shape[1:])
        return y.sum()

    dx, dk = jax.grad(total, (0, 1))(images(0, inputs), kernel(inputs, outputs))
    assert dx.shape == (0, 7, 7, inputs)
    assert not dk.any()


@pytest.mark.parametrize(
    "model", [ae.models.DigitAutoencoder(2), ae.models.MLPAutoencoder(), ae.models.DigitClassifier()]
)
def test_a_model_takes_no_images_too(model):
    variables = model.init(ae.keys.root(0), jnp.zeros((1, 28, 28, 1)))
    found, one = (model.apply(variables, jnp.zeros((count, 28, 28, 1))) for count in (0, 1))
    shapes, ones = ([leaf.shape[1:] for leaf in jax.tree.leaves(each)] for each in (found, one))
    assert shapes == ones


@pytest.mark.parametrize(
    ("sentence", "operation"),
    [
        ("padding is 2; give at most 1", lambda x, k: ops.max_pool(x, 2, padding=2)),
        ("stride is -1 and padding 0; give a stride from 1", lambda x, k: ops.max_pool(x, 2, stride=-1)),
        ("stride is 0 and padding 0; give a stride from 1", lambda x, k: ops.conv(x, k, stride=0)),
        ("images of shape .* are not .batch, height, width, channels.; resh", lambda x, k: ops.conv(x[0], k)),
        ("images of shape .* are not .batch, height, width, channels.; resh", lambda x, k: ops.max_pool(x[0])),
        ("images of shape .* are not .batch, height, width, channels.; resh", lambda x, k: ops.upsample(x[0])),
        ("images of shape .* are not .batch, height", lambda x, k: layers.upsample_bilinear(x[0])),
        ("stride is 1 and padding -1; give a stride from 1", lambda x, k: ops.upsample_conv(x, k, padding=-1)),
        (
            r"a kernel of shape .* doesn't fit images .*; give one of \[height, width, ",
            lambda x, k: ops.conv(x[..., 1:], k),
        ),
        ("images of shape .* are of int8; convert to floating", lambda x, k: ops.conv(x.astype(jnp.int8), k)),
        ("images of shape .* are of uint8; convert to floating", lambda x, k: ops.max_pool(x.astype(jnp.uint8))),
        (
            "a kernel of shape .* is of int8; convert to floating",
            lambda x, k: ops.conv_transpose(x, k.astype(jnp.int8)),
        ),
        ("a kernel of shape .* doesn't fit images", lambda x, k: ops.conv_transpose(x, k[0])),
        ("a kernel of shape .* doesn't fit images", lambda x, k: ops.upsample_conv(x, k[:, :, 1:])),
        ("stride is 1 and padding -1; give a stride from 1", lambda x, k: ops.conv(x, k, padding=-1)),
        ("stride is 0 and padding 0; give a stride from 1", lambda x, k: ops.conv_transpose(x, k, stride=0)),
        (
            "output_padding is 2; give one from 0 to 1",
            lambda x, k: ops.conv_transpose(x, k, stride=2, output_padding=2),
        ),
    ],
)
def test_a_geometry_that_torch_refuses_is_refused(sentence, operation):
    refused(sentence, operation, images(1, 2), kernel(2, 2))
