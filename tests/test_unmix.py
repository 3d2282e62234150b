"""What the study `unmix` computes itself: its loss, the formula's error, and what it claims of which arms."""

from types import SimpleNamespace
from typing import Any

import jax.numpy as jnp
import numpy as np

import jaxae as ae
from experiments import unmix


def given(digit: float, photo: float, made_digit: float, made_photo: float) -> tuple[Any, ae.Batch]:
    """One-coloured images in [-1, 1]: what a model makes, and the batch that it sees."""
    image = lambda value: jnp.full((2, 32, 32, 3), value)  # noqa: E731
    target = jnp.stack([image(digit), image(photo)], 1)
    outputs = SimpleNamespace(image=jnp.stack([image(made_digit), image(made_photo)], 1))
    return outputs, ae.Batch(inputs=image((digit + photo) / 2), target=target)


def test_the_loss_adds_both_errors_and_the_weighted_distance_of_their_mean_from_the_input():
    total, parts = unmix.loss(*given(-1.0, 0.5, -0.5, 0.6), {"consistency": 10.0})
    np.testing.assert_allclose(parts["both"], 0.25 + 0.01, rtol=1e-5)
    np.testing.assert_allclose(total, 0.25 + 0.01 + 10 * 0.3**2, rtol=1e-5)


def test_the_photo_by_subtraction_has_the_error_of_the_digit():
    scores = unmix.scores(*given(-1.0, 0.5, -0.8, 0.6))
    np.testing.assert_allclose(scores["digit mse"], 0.1**2, rtol=1e-4)  # of unit images
    np.testing.assert_allclose(scores[f"{unmix.FORMULA} mse"], 0.1**2, rtol=1e-4)
    np.testing.assert_allclose(scores["photo mse"], 0.05**2, rtol=1e-4)
    step = scores["photo psnr, range 255"] - scores["photo psnr"]
    np.testing.assert_allclose(step, 48.1308, rtol=1e-5)


def test_only_arms_as_the_report_has_them_are_held_against_its_numbers():
    config = unmix.Config(pretrained=("none", "cifar"), decoders=("plain", "skip"), times=(1, 5))
    assert {claim.arm for claim in unmix.claims(config)} == {"plain", "plain from CIFAR-10"}
    assert not unmix.claims(unmix.Config(consistency=(1.0,)))
