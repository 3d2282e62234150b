"""The study `unmix`: its loss, the formula's error, its claims, and the contracts of training for its model."""

import functools
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny import assert_same_bits, lane, roots

import jaxae as ae
from experiments import unmix
from jaxae import checkpoint
from jaxae.train.lanes import Lanes
from jaxae.models import resnet


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


@pytest.fixture(scope="module")
def small():
    """The study with a small network, and pairs of which an epoch of batches of 4 leaves 2 out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resnet, "WIDTHS", (4,))
        patch.setattr(ae.models, "Unmixer", functools.partial(ae.models.Unmixer, widths=(3, 4, 5)))
        pairs = ae.data.pairs(ae.data.synthetic.digits("train[:11]"), ae.data.synthetic.scenes("train[:7]"), count=10)
        yield unmix.study("skip", "none", 1, pairs, unmix.Config(batch_size=4)), pairs


def test_lanes_chunks_and_a_checkpoint_leave_its_bits_and_statistics_as_they_are(small, tmp_path):
    study, pairs = small
    weights = {"consistency": np.array([0.0, 1.0], np.float32)}
    plan = ae.train.Plan(2, chunk=1)
    *_, whole = ae.train.progress(study, roots(2), pairs, plan, hparams=weights, how=Lanes("map", 2))
    assert whole.train["both"].shape == (2, 2 * 2)  # 10 pairs are 2 steps of 4
    means = [leaf for path, leaf in jax.tree_util.tree_leaves_with_path(whole.state.batch_stats) if "mean" in str(path)]
    assert all(np.abs(np.asarray(leaf)).max() > 0 for leaf in means)

    alone = {name: value[1:] for name, value in weights.items()}
    for now in ae.train.progress(study, roots(2)[1:], pairs, plan, hparams=alone):
        if int(now.done) == 3:  # in the midst of the second epoch
            checkpoint.save(tmp_path / "unmix", now)
            break
    like = ae.train.begin(study, roots(2)[1:], pairs, plan, hparams=alone)
    start = checkpoint.restore(tmp_path / "unmix", like)
    *_, resumed = ae.train.progress(study, roots(2)[1:], pairs, plan, hparams=alone, start=start)
    for name in ("state", "train"):
        assert_same_bits(lane(getattr(whole, name), 1), lane(getattr(resumed, name), 0))


def test_every_pair_is_scored_and_alike_in_any_batch(small):
    study, pairs = small
    key = ae.keys.root(0)
    state = jax.jit(ae.train.init, static_argnames="study")(study, key, pairs)
    scored = jax.jit(ae.evaluate.scores, static_argnames="study")(study, key, state, pairs)
    two = jax.jit(ae.evaluate.sample, static_argnames="study")(study, key, state, pairs, np.array([9, 2]))
    assert scored["both"].shape == (10,)
    np.testing.assert_allclose(unmix.scores(*two)["both"], scored["both"][np.array([9, 2])], rtol=1e-5)


def test_a_file_of_weights_becomes_the_encoder(small, tmp_path):
    study, pairs = small
    key, path, noted = ae.keys.root(7), tmp_path / "made.safetensors", []
    init = jax.jit(ae.train.init, static_argnames="study")
    made = init(study, key, pairs)
    trained = {"params": made.params["encoder"], "batch_stats": made.batch_stats["encoder"]}
    ae.models.weights.save(path, trained)
    run: Any = SimpleNamespace(file=lambda role, file: noted.append((role, file)))
    other = init(study, ae.keys.root(8), pairs, initial=unmix.encoder(run, str(path), pairs.second))
    kept = {name: leaf for name, leaf in trained["params"].items() if name != "fc"}
    assert_same_bits({name: other.params["encoder"][name] for name in kept}, kept)
    assert_same_bits(other.batch_stats["encoder"], trained["batch_stats"])
    assert noted == [("encoder, made.safetensors", path)]


@pytest.mark.parametrize(
    ("files", "words"),
    [(("gone.pth",), "gone.pth: there is no such file; give none, cifar"), (("a/x.pth", "b/x.pth"), "rename one")],
)
def test_weights_that_are_not_there_or_have_one_name_are_refused(files, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for file in ("a/x.pth", "b/x.pth"):
        (tmp_path / file).parent.mkdir()
        (tmp_path / file).touch()
    with pytest.raises(ae.UsageError, match=words):
        unmix.Config(pretrained=files)
