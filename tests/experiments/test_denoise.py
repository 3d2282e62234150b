"""What the study `denoise` computes itself: logged means, fixed copies of noise, its penalty and its verdict."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxae as ae
from experiments.denoise import measures, words
from experiments.denoise import method as denoise
from jaxae.run.saved import load_result

SCORED = {"mse, signed": np.array([[1.0, 3.0], [2.0, 2.0]], np.float32)}  # by seed and image
IMAGE = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8)


def inputs(key: int, copies: int | None) -> np.ndarray:
    data = denoise.images(denoise.REPORTED["variance"], IMAGE)._replace(copies=copies and np.int32(copies))
    return np.asarray(denoise.batch(ae.keys.root(key), jax.tree.map(jnp.asarray, data), jnp.arange(6)).inputs)


def test_logged_losses_are_means_that_begin_anew_in_every_epoch():
    losses = np.array([[1, 3, 5, 7, 100, 2, 4, 6, 8, 100]])  # two epochs of five steps; the fifth is never logged
    np.testing.assert_array_equal(measures.running(losses, per_epoch=5, log=2), [[2, 6, 3, 7]])


def test_the_error_of_the_validation_images_is_that_of_two_samples_of_them():
    study = denoise.study(denoise.REPORTED["ae"], denoise.Config())
    done: Any = SimpleNamespace(study=study, evaluate=lambda *_: SCORED)
    found = measures.over_validation(done, denoise.images(denoise.REPORTED["ae"], IMAGE))
    deviation = np.array([np.sqrt(2), 0])
    expected = deviation * np.sqrt(1 / 2 + 1 / 5_000)
    np.testing.assert_allclose(found[f"validation/loss/last{ae.results.OF_IMAGES}"], expected)


def test_an_image_has_as_many_noisy_copies_as_asked_and_no_more():
    fresh = [inputs(key, None) for key in range(2)]
    assert (fresh[0] != fresh[1]).any((1, 2, 3)).all()
    np.testing.assert_array_equal(inputs(0, 1), inputs(1, 1))
    seen = np.stack([inputs(key, 2) for key in range(20)])
    assert all(len(np.unique(seen[:, i], axis=0)) == 2 for i in range(6))
    assert np.abs(seen).max() == 1  # clipped


def test_the_l1_penalty_adds_the_sign_of_the_parameters_to_the_gradient():
    params, gradient = jnp.array([2.0, -2.0, 2.0]), jnp.array([-1e-3, -1e-3, -3e-3])
    for l1, signs in ((0.0, [-1, -1, -1]), (2e-3, [1, -1, -1])):  # adam's first update is the rate against the sign
        optimizer = denoise.adam(0.5, l1=l1)
        with jax.numpy_dtype_promotion("standard"):  # as `train.step` does: optax's Adam mixes dtypes
            update, _ = optimizer.update(gradient, optimizer.init(params), params)
        np.testing.assert_allclose(np.asarray(update), -0.5 * np.array(signs), rtol=1e-3)


@pytest.mark.parametrize(
    ("code", "text", "favoured", "silent"),
    [
        ([0.012, 0.0121, 0.0122], [0.02, 0.0201, 0.0202], "standard deviation", 0),
        ([0.02, 0.0201, 0.0202], [0.012, 0.0121, 0.0122], "variance", 0),
        ([0.012, 0.0121, 0.0122], [0.01205, 0.0121, 0.0122], "", 1),
    ],
)
def test_the_verdict_on_the_noise_is_by_likelihood(code, text, favoured, silent):
    rows = [
        ae.results.measured(
            denoise.REPORTED[name].name, "test/mse, signed", values, reported=0.0121, verdict="reproduced", scale="log"
        )
        for name, values in (("deviation", code), ("variance", text))
    ]
    said = words.favoured(words.which_noise(rows))
    assert (said["judged"], said["favoured"], len(said["silent"])) == (1, favoured, silent)


def test_the_committed_numbers_tell_the_noise_by_ssim_and_psnr_and_not_by_the_first_losses():
    saved = load_result(Path(denoise.__file__).parents[1] / "results/denoise.json")
    found = {one.metric: one for one in words.which_noise(saved.findings.rows(denoise.claims(saved.findings.config)))}
    assert found[words.SSIM].ratio == pytest.approx(3669, rel=1e-3)
    assert found[words.PSNR].ratio == pytest.approx(176.7, rel=1e-3)
    assert 0.9 < found["train/loss of 100 steps/first"].ratio < 1.1


def test_what_nothing_would_be_improved_by_is_refused():
    with pytest.raises(ae.UsageError, match="--improve variance needs --improvements"):
        denoise.Config(improve="variance")
