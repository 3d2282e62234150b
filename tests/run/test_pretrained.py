"""Models that runs use and don't study: trained once, then read from the cache, the same bits whoever trained them."""

import dataclasses
import types
from typing import Any

import jax
import numpy as np
import pytest

from experiments import digit_classifier
from experiments.digit_classifier import EXPERIMENT, NAME
from jaxae import checkpoint
from jaxae.errors import UsageError
from jaxae.models import DigitClassifier
from jaxae.run import steps
from jaxae.run.experiment import find_experiment
from jaxae.run.pretrained import kept_folder
from jaxae.run.run import Run

QUICK = digit_classifier.Config(source="synthetic", limit=64, epochs=1, quiet=True)


def study(train):
    return digit_classifier.arms(QUICK, len(train))[0].study


def judge(folder):
    """What a run of some other study does: the training data and the judge's variables."""
    with Run(EXPERIMENT, dataclasses.replace(QUICK, out=folder)) as run:
        train = run.data("mnist", "train")
        return train, run.pretrained(study(train), train, digit_classifier.recipe(QUICK))


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Training data, the variables as the first run trained them, and their folder in the cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAXAE_CACHE", str(tmp_path_factory.mktemp("cache")))
        train, variables = judge(tmp_path_factory.mktemp("runs") / "first")
        yield train, variables, kept_folder(study(train), train, digit_classifier.recipe(QUICK))


def test_a_later_run_reads_it(kept, tmp_path):
    variables = judge(tmp_path / "later")[1]
    assert not (tmp_path / "later" / "checkpoints").exists()
    jax.tree.map(np.testing.assert_array_equal, variables, kept[1])


def test_a_damaged_one_is_said_with_its_folder(kept, tmp_path):
    (state,) = kept[2].glob("checkpoints/*/*/state")
    state.rename(tmp_path / "state")
    with pytest.raises(UsageError, match=f"its state is gone.*; move {kept[2]} away, and it is trained again"):
        judge(tmp_path / "run")
    (tmp_path / "state").rename(state)


def test_it_is_trained_once_in_a_run_where_the_cache_can_not_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("JAXAE_CACHE", str(tmp_path / "file"))
    with Run(EXPERIMENT, dataclasses.replace(QUICK, out=tmp_path / "run")) as run:
        train = run.data("mnist", "train")
        assert train is run.data("mnist", "train", use="judge")  # the same images are the same arrays
        given = study(train), train, digit_classifier.recipe(QUICK)
        assert run.pretrained(*given) is run.pretrained(*given)


@pytest.mark.parametrize("name", ["bottleneck", "digit_addition"])
def test_several_processes_are_told_before_anything_is_trained(name, tmp_path, monkeypatch):
    def late(*_, **__):
        raise AssertionError("it trains")

    user = find_experiment(f"experiments.{name}")
    monkeypatch.setenv("JAXAE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(Run, "train", late)
    monkeypatch.setattr("jaxae.run.pretrained.hosts", types.SimpleNamespace(several=lambda: True))
    with (
        pytest.raises(UsageError, match="without --distributed, with --epochs 1 and else the same flags"),
        Run(user, user.config(source="synthetic", quiet=True, out=tmp_path / "run")) as run,
    ):
        user.train(run)


def test_other_training_is_another_folder(kept):
    train, _, folder = kept
    recipe, trained = digit_classifier.recipe(QUICK), study(train)
    other = dataclasses.replace(trained, model=DigitClassifier(dropout=0.1))
    assert folder == kept_folder(trained, train, recipe)
    assert folder != kept_folder(trained, train, {**recipe, "epochs": 2})
    assert folder != kept_folder(trained, train.head(63), recipe)
    assert folder != kept_folder(other, train, recipe)
    alike = [dataclasses.replace(trained, name=name) for name in ("a b", "a/b", "A b")]
    assert len({kept_folder(study, train, recipe).name for study in alike}) == 3


def test_it_is_the_first_seed_of_its_own_experiment(kept, tmp_path):
    kept[2].rename(tmp_path / "moved")
    steps.perform(EXPERIMENT, dataclasses.replace(QUICK, out=tmp_path / "study", seeds=2))
    jax.tree.map(np.testing.assert_array_equal, checkpoint.variables(kept[2], NAME), kept[1])


def test_reading_is_the_softmax_of_the_model_for_any_number_of_images(kept):
    images = kept[0].image[:7].astype(np.float32) / np.float32(255)
    logits: Any = DigitClassifier().apply(kept[1], images)
    np.testing.assert_allclose(digit_classifier.read_digits(kept[1], images), jax.nn.softmax(logits), atol=1e-6)
    assert digit_classifier.read_digits(kept[1], images[:0]).shape == (0, 10)
