"""What would end a training after hours is refused before it begins."""

import dataclasses
from typing import Any

import numpy as np
import optax
import pytest
import tiny
from quick import EXPERIMENT, at, read

import jaxae as ae
from jaxae import metrics
from jaxae.errors import UsageError
from jaxae.run.run import Run

IMAGES = np.random.default_rng(0).uniform(size=(22, 3)).astype(np.float32)


def part_called_loss(outputs, batch, hparams):
    return tiny.loss(outputs, batch, hparams)[0], {"loss": outputs.image.mean(1)}


def small_images(outputs, batch):
    return {"ssim": metrics.ssim(outputs.image.reshape(-1, 1, 3, 1), batch.target.reshape(-1, 1, 3, 1))}


def train(folder, settings=None, **changes):
    options: dict[str, Any] = {"data": IMAGES, "test": IMAGES, "validation": IMAGES}
    study = tiny.study(**{name: value for name, value in changes.items() if name not in options})
    options |= {name: value for name, value in changes.items() if name in options}
    arm = ae.Arm(study, settings) if settings else ae.Arm(study)
    with Run(EXPERIMENT, at(folder)) as run:
        return run.train(arm, options.pop("data"), **options)


def spoilt(example):
    images = IMAGES.copy()
    images[example, 1] = np.nan
    return images


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"loss": part_called_loss}, "'tiny' has a part called 'loss', as the whole is; rename that part"),
        ({"scores": small_images}, "images of 1x3 are smaller than the 11x11 window"),
        ({"data": spoilt(3)}, "the training data of 'tiny' hold NaN or infinity, first in example 3"),
        ({"validation": spoilt(0)}, "the validation data of 'tiny' hold NaN"),
        ({"test": spoilt(21)}, "the test data of 'tiny' hold NaN"),
        ({"epochs": 10**9}, "4,000,000,000 steps in 2 lanes, and a run keeps at most"),
        ({"settings": {"a": {"rate": 1e-60}}}, "'a' has the number 1e-60, which float32 can't hold"),
        ({"settings": {"a": {"rate": 0.5}, "b": {"rate": 0.500000001}}}, "'a' and 'b' are the same in float32"),
    ],
)
def test_what_can_not_be_trained_or_scored_is_refused_before_it_begins(changes, words, tmp_path):
    optimizer = {"optimizer": tiny.by_rate} if "settings" in changes else {}
    with pytest.raises(UsageError, match=words):
        train(tmp_path / "run", **optimizer, **changes)
    assert not (tmp_path / "run").exists()


def test_a_resumed_run_has_the_arrays_that_it_had_whoever_made_them(tmp_path):
    study = dataclasses.replace(tiny.study(), optimizer=optax.sgd(0.1))
    with Run(EXPERIMENT, at(tmp_path / "run")) as run:
        run.train(study, IMAGES)
    assert read(tmp_path / "run", "manifest.json")["arrays"]["tiny"].keys() == {"training"}
    for same, data in ((True, IMAGES.copy()), (False, IMAGES + 1)):
        run = Run(EXPERIMENT, at(tmp_path / "run", resume=True))
        if same:
            with run:
                run.train(study, data)
        else:
            with pytest.raises(UsageError, match="had other training arrays for 'tiny'"), run:
                run.train(study, data)
