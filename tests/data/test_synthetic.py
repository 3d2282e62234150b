import numpy as np
import pytest

from jaxae import data
from jaxae.data import synthetic
from jaxae.errors import UsageError


@pytest.mark.parametrize(("draw", "shape"), [(synthetic.digits, (28, 28, 1)), (synthetic.scenes, (32, 32, 3))])
def test_balanced_distinct_and_disjoint(draw, shape):
    train, test = draw("train"), draw("test")
    for dataset, n in ((train, 10_000), (test, 2_000)):
        assert dataset.image.shape == (n, *shape)
        assert (dataset.image.dtype, dataset.label.dtype) == (np.uint8, np.int32)
        np.testing.assert_array_equal(np.bincount(dataset.label), np.full(10, n // 10))
        assert dataset.source == "synthetic" and len(dataset.classes) == 10
        assert len(np.unique(dataset.label[:50])) > 5  # not in the order of the classes
    pictures = {image.tobytes() for dataset in (train, test) for image in dataset.image}
    assert len(pictures) == 12_000


@pytest.mark.parametrize("draw", [synthetic.digits, synthetic.scenes])
def test_drawn_alike_every_time(draw, tmp_path, monkeypatch):
    kept = draw("test")
    monkeypatch.setenv("JAXAE_CACHE", str(tmp_path))
    assert draw("test").fingerprint == kept.fingerprint


@pytest.mark.parametrize("draw", [synthetic.digits, synthetic.scenes])
def test_labels_say_what_is_drawn(draw):
    """The picture with the most similar outlines has the same label far more often than one time in ten."""
    dataset = draw("test")
    grey = dataset.image.mean(axis=3)
    outline = np.hypot(np.diff(grey, axis=1)[:, :, 1:], np.diff(grey, axis=2)[:, 1:]).reshape(len(grey), -1)
    outline /= np.linalg.norm(outline, axis=1, keepdims=True)
    nearest = (outline[1500:] @ outline[:1500].T).argmax(axis=1)
    assert np.mean(dataset.label[nearest] == dataset.label[1500:]) > 0.4


def test_stands_in_under_its_own_name():
    digits = data.load("fashion_mnist", "train[:300]", source="synthetic")
    assert (digits.name, digits.source, len(digits)) == ("synthetic_digits", "synthetic", 300)
    assert data.load("cifar10", "test", source="synthetic").name == "synthetic_scenes"
    with pytest.raises(UsageError, match="'svhn'; choose from mnist"):
        data.load("svhn", "train", source="synthetic")
