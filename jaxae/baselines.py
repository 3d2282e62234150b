"""What an honest report shows beside a trained model: the best that something simple can do."""

from collections.abc import Sequence

import numpy as np

from jaxae.errors import UsageError


def pca_errors(train: np.ndarray, test: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Mean squared error per value of `test`, rebuilt from the first principal components of `train`.

    uint8[n, h, w, c] twice -> f64[len(sizes)], of images in [0, 1]. With as many numbers in its code no linear
    autoencoder, biases included, has a lower error on `train` (Baldi and Hornik 1989).
    Fewer images than values have fewer components, by one, and larger codes the error of all.
    Raises UsageError for other arrays, images of different sizes, and codes larger than an image.

    >>> images = np.zeros((4, 2, 2, 1), np.uint8)
    >>> images[:2] = 255
    >>> ae.baselines.pca_errors(images, images, [0, 1]).round(4).tolist()
    [0.25, 0.0]
    """
    if train.dtype != np.uint8 or test.dtype != np.uint8 or train.shape[1:] != test.shape[1:]:
        raise UsageError(
            f"{train.dtype}{list(train.shape)} and {test.dtype}{list(test.shape)} aren't stored images of one size; "
            "give uint8[n, h, w, c] twice"
        )
    if not (train.size and test.size):
        raise UsageError(f"there is no image in {list(train.shape)} or {list(test.shape)}; give one or more twice")
    if not all(0 <= size <= train[0].size for size in sizes):
        raise UsageError(f"code sizes {list(sizes)} aren't all from 0 to {train[0].size}, the values of an image")
    (mean, second), (test_mean, test_second) = _moments(train), _moments(test)
    components = _components(train, mean, second)
    # the test images around the mean of the training images, from which PCA starts
    cross = np.outer(test_mean, mean)
    around = test_second - cross - cross.T + np.outer(mean, mean)
    kept = ((around @ components) * components).sum(0)
    return np.array([np.trace(around) - kept[:size].sum() for size in sizes]) / len(mean)


def _components(train: np.ndarray, mean: np.ndarray, second: np.ndarray) -> np.ndarray:
    """f64[d, k], of falling variance: k is d, or the number of images less one, in which fewer of them differ."""
    count, size = len(train), len(mean)
    if count > size:
        return np.linalg.eigh(second - np.outer(mean, mean))[1][:, ::-1]
    around = train.reshape(count, -1) / 255 - mean  # forty photos of 3,072 values take a moment, not a minute
    return np.linalg.svd(around, full_matrices=False)[2][: count - 1].T


def _moments(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean f64[d] and mean outer product f64[d, d] of images in [0, 1]; sums of integers, so exact in any order."""
    flat = images.reshape(len(images), -1)
    second = sum(part.T @ part for part in (flat[i : i + 5000].astype(np.float64) for i in range(0, len(flat), 5000)))
    return flat.sum(0, np.int64) / (255 * len(flat)), np.asarray(second) / (255**2 * len(flat))
