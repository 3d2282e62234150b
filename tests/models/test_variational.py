"""Variational autoencoders: codes are drawn in training, and their means are taken in evaluation."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxae as ae
from jaxae.models import MLPVAE, ConvVAE, Gaussian, draw

MODELS = {"mlp": MLPVAE((6,), 3, (8, 4, 1)), "conv": ConvVAE(3, widths=(2, 3, 4), image_shape=(8, 8, 1))}


def test_draws_have_the_mean_and_the_deviation_of_their_distribution():
    posterior = Gaussian(jnp.full((20_000, 2), 3.0), jnp.tile(jnp.log(jnp.array([0.25, 4.0])), (20_000, 1)))
    drawn = draw(ae.keys.root(0), posterior)
    np.testing.assert_allclose(drawn.mean(0), 3, atol=0.05)
    np.testing.assert_allclose(drawn.std(0), [0.5, 2.0], rtol=0.02)
    certain = Gaussian(jnp.ones((2, 3)))
    np.testing.assert_array_equal(draw(ae.keys.root(0), certain), certain.mean)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_training_draws_codes_and_evaluation_takes_their_means(model):
    image = jnp.asarray(np.random.default_rng(0).uniform(size=(2, *model.image_shape)), jnp.float32)
    variables = model.init(ae.keys.root(0), image)
    seen = model.apply(variables, image)
    np.testing.assert_array_equal(seen.code, seen.posterior.mean)
    np.testing.assert_array_equal(seen.code, model.apply(variables, image, method="encode").mean)
    one, again, other = (
        model.apply(variables, image, train=True, rngs={"sample": ae.keys.root(seed)}) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.code, again.code)
    assert (one.code != other.code).all()
    assert (one.code != seen.code).all()
    for output in (seen, one):
        np.testing.assert_allclose(output.image, model.apply(variables, output.code, method="decode").image, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_a_trained_one_is_kept_and_drawn_from(name, tmp_path):
    model = MODELS[name]
    image = np.random.default_rng(0).integers(256, size=(40, *model.image_shape), dtype=np.uint8)

    def batch(key, data, index):
        unit = ae.transforms.to_unit(data[index])
        return ae.Batch(unit, unit)

    def loss(outputs, batch, hparams):
        divergence = ae.losses.gaussian_kl(*outputs.posterior) / 64
        return ae.losses.bce(outputs.logits, batch.target) + divergence, {"kl": divergence}

    unit = ae.transforms.UNIT
    study = ae.Study("vae", model, batch, loss, optax.adam(0.01), batch_size=8, epochs=20, scale=unit, scores=squared)
    done = ae.train.fit(study, jnp.stack([ae.keys.root(0)]), image)
    assert done.epochs["loss"][0, -1] < done.epochs["loss"][0, 0]
    kept = ae.load(ae.save(done, tmp_path / "vae"))
    assert type(kept.model) is type(model)
    np.testing.assert_array_equal(
        kept.sample(ae.keys.root(1), 4), kept.decode(jax.random.normal(ae.keys.root(1), (4, 3)))
    )


def squared(outputs, batch):
    return {"mse": ae.losses.mse(outputs.image, batch.target)}
