"""The linear optimum against a singular value decomposition."""

import numpy as np
import pytest

from jaxae.baselines import pca_errors
from jaxae.errors import UsageError

RANDOM = np.random.RandomState(0)
BASIS = RANDOM.randint(0, 60, (3, 4 * 5))
TRAIN, TEST = ((RANDOM.randint(0, 2, (n, 3)) @ BASIS).reshape(n, 4, 5, 1).astype(np.uint8) for n in (40, 7))


def test_errors_are_those_of_the_singular_vectors():
    train, test = (images.reshape(len(images), -1) / 255 for images in (TRAIN, TEST))
    mean = train.mean(0)
    vectors = np.linalg.svd(train - mean)[2]
    around = test - mean
    expected = [np.mean((around - around @ vectors[:k].T @ vectors[:k]) ** 2) for k in (0, 1, 2)]
    np.testing.assert_allclose(pca_errors(TRAIN, TEST, (0, 1, 2)), expected, rtol=1e-9)
    assert pca_errors(TRAIN, TEST, (3,))[0] == pytest.approx(0, abs=1e-12)  # three patterns make all these images


def test_errors_of_fewer_images_than_values_are_those_of_all_directions():
    """Against the eigenvectors that more images than values take: each image three times changes no direction."""
    few, draw = 5, np.random.default_rng(1)
    images, other = (draw.integers(0, 256, (n, 2, 4, 1), np.uint8) for n in (few, 3))
    many = np.repeat(images, 3, axis=0)
    np.testing.assert_allclose(pca_errors(images, other, range(few)), pca_errors(many, other, range(few)), rtol=1e-9)


def test_other_arrays_are_refused():
    with pytest.raises(UsageError, match="aren't stored images of one size"):
        pca_errors(TRAIN / 255, TEST, (1,))
    with pytest.raises(UsageError, match=r"no image in \[40, 4, 5, 1\] or \[0, 4, 5, 1\]"):
        pca_errors(TRAIN, TEST[:0], (1,))
    with pytest.raises(UsageError, match=r"code sizes \[21\]"):
        pca_errors(TRAIN, TEST, (21,))
