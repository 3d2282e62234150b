"""Images whose file is written while they are trained on: in memory they stay, mapped they end the training."""

import os

import flax.linen as nn
import jax
import numpy as np
import pytest
from tiny import ADAM, loss, roots

from jaxae import data, train
from jaxae.data import cache, mapped
from jaxae.errors import UsageError
from jaxae.models import Output
from jaxae.study import Batch, Study
from jaxae.train import lanes
from jaxae.train.lanes import Lanes
from jaxae.transforms import to_unit

IMAGES = np.random.default_rng(3).integers(0, 256, (43, 12, 12, 1)).astype(np.uint8)
WHOLE = data.from_arrays(IMAGES)


class Flat(nn.Module):
    @nn.compact
    def __call__(self, x, *, train: bool = False):
        return Output(image=nn.Dense(1)(x))


def batch(key, given, index):
    image = to_unit(given.image[index])
    return Batch(inputs=image, target=image)


FLAT = Study("flat", Flat(), batch, loss, ADAM, batch_size=8, epochs=2)


def kept(folder):
    """WHOLE, read back from the cache, and its images' file."""
    cache.through(folder, WHOLE.split, lambda: WHOLE)
    found = cache.cached(folder, WHOLE.split)
    assert found is not None
    return found, folder / f"{WHOLE.split}.image.npy"


def test_a_set_that_is_not_large_is_read_into_memory_where_nobody_can_cut_it(tmp_path):
    found, path = kept(tmp_path)
    os.truncate(path, 200)
    np.testing.assert_array_equal(found.image, IMAGES)
    np.testing.assert_array_equal(jax.tree.leaves(lanes.resident(found, Lanes()))[0], IMAGES)
    assert cache.cached(tmp_path, WHOLE.split) is None


@pytest.mark.parametrize("stream", [False, True])
def test_training_ends_in_a_sentence_where_the_file_of_its_images_is_written(tmp_path, monkeypatch, stream):
    monkeypatch.setattr(cache, "LARGE", 1)
    found, path = kept(tmp_path)
    training = train.progress(FLAT, roots(1), found, train.Plan(2), how=Lanes(stream=stream))
    next(training)
    path.rename(tmp_path / "moved")
    path.write_bytes(b"another's file in its place is none of ours")
    mapped.refuse_rewritten(found.image[3:])
    (tmp_path / "moved").rename(path)
    os.utime(path, ns=(1, 1))
    with pytest.raises(UsageError, match=rf"{path} was written while its images were used, .*--resume"):
        list(training)
