"""`load`: from the name of a set to its arrays."""

import jaxae.data.cache as cache
import jaxae.data.folders as folders
import jaxae.data.own as own
import jaxae.data.synthetic as synthetic
import jaxae.data.tfds as tfds
from jaxae.data.dataset import Dataset, assemble
from jaxae.data.splits import check_split
from jaxae.errors import UsageError


def load(
    name: str,
    split: str,
    *,
    source: str = "tfds",
    data_dir: folders.PathLike | None = None,
    size: int | None = None,
) -> Dataset:
    """A labelled image set in memory: `image` uint8[n, h, w, c] and `label` int32[n], read-only numpy arrays.

    `name` is that of any image set with fixed sizes, prepared in `data_dir` by TFDS or by `prepare`: "mnist" for its
    newest version, "mnist:3.0.1", "name/config". `split` is in TFDS's syntax: "train", "train[:90%]", "train+test".
    `data_dir` defaults to the variable TFDS_DATA_DIR, else ~/tensorflow_datasets. The first time, a set is decoded and
    the arrays are cached (see `cache`); later they are read from there, large ones mapped, and checked against their
    SHA-256.

    A name that starts with ./, ../, / or ~ is a folder of images, which are scaled and cut to `size` if given: see
    `from_folder`.

    With source="synthetic", drawn pictures stand in for the set (see `synthetic`), and nothing is read.

    Nothing is ever downloaded. Raises UsageError, in one sentence, for whatever is absent, unknown, damaged or empty.
    """
    if not isinstance(name, str):
        raise UsageError(f"the set {name!r} has no name; give a text, such as 'mnist', or './photos' for a folder")
    check_split(split)
    if own.is_folder(name) and source == "tfds":
        return own.from_folder(name, split, size=size)
    if own.is_folder(name):
        raise UsageError(
            f"--source {source} draws its own images and reads none of {name}; leave one of the two flags out"
        )
    if size is not None:
        raise UsageError(f"{name} has images of one size; only those of a folder, such as ./photos, are resized")
    if source == "synthetic":
        return synthetic.stand_in(name, split)
    if source != "tfds":
        raise UsageError(f"there is no source {source!r}; choose tfds or synthetic")
    found = folders.find(name, data_dir)
    return assemble(split, found.splits, lambda whole: _whole(found, whole))


def _whole(found: folders.Prepared, split: str) -> Dataset:
    if found.format != "arrays":
        return cache.through(cache.home(found), split, lambda: tfds.decode(found, split))
    dataset = cache.cached(found.path, split)
    if dataset is None:  # there is nothing here to decode it from again
        raise UsageError(f"the arrays of {split} in {found.path} are damaged or missing; copy that folder again")
    return dataset
