"""Two labelled image sets drawn on the spot, for tests and trials where no real data is at hand.

`digits` looks like MNIST and `scenes` has the shape of CIFAR-10: ten balanced classes in random order, 10,000 images to
train on and 2,000 to test. They are drawn from fixed seeds, so the same releases of Pillow and NumPy draw the same
pixels; the version names Pillow's, whose font and resampling they depend on. `synthetic_pictures` draws them.
"""

import numpy as np

import jaxae.data.cache as cache
from jaxae.data.dataset import Dataset, assemble, create
from jaxae.errors import UsageError

SIZES = {"train": 10_000, "test": 2_000}


def digits(split: str = "train") -> Dataset:
    """The digits 0 to 9, white on black: `image` uint8[n, 28, 28, 1]. `split` in TFDS's syntax, as for `load`."""
    return _load("synthetic_digits", split)


def scenes(split: str = "train") -> Dataset:
    """Ten coloured shapes over colour gradients: `image` uint8[n, 32, 32, 3]. `split` in TFDS's syntax."""
    return _load("synthetic_scenes", split)


def stand_in(name: str, split: str) -> Dataset:
    """`digits` for the name of a set that looks like MNIST, `scenes` for cifar10; UsageError for others."""
    stand_ins = {"mnist": digits, "fashion_mnist": digits, "kmnist": digits, "cifar10": scenes}
    if name not in stand_ins:
        raise UsageError(f"nothing synthetic stands in for {name!r}; choose from {', '.join(stand_ins)}")
    return stand_ins[name](split)


def _load(name: str, spec: str) -> Dataset:
    folder = cache.root() / "arrays" / "synthetic" / name / _version()
    return assemble(spec, SIZES, lambda split: cache.through(folder, split, lambda: _draw(name, split)))


def _version() -> str:
    import PIL

    return f"1.0.0+pillow{PIL.__version__}"


def _draw(name: str, split: str) -> Dataset:
    from jaxae.data.synthetic_pictures import DIGITS, SHAPES, draw_digits, draw_scenes

    rng = np.random.default_rng(list(f"{name} {split}".encode()))  # a seed for each set and split
    label = rng.permutation(np.arange(SIZES[split], dtype=np.int32) % 10)
    draw, classes = {"synthetic_digits": (draw_digits, DIGITS), "synthetic_scenes": (draw_scenes, tuple(SHAPES))}[name]
    image = draw(label, rng)
    return create(image, label, name=name, split=split, source="synthetic", classes=classes, version=_version())
