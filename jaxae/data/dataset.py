"""The record that every data source gives: images and labels in memory, and what they are."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence

import jax
import numpy as np

import jaxae.data.splits as splits
from jaxae.errors import UsageError

Array = jax.Array | np.ndarray

AS_JPEG = "tfds, as JPEG"  # the source of images that lost some of their detail on the way


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Labelled images of one size: a JAX pytree whose leaves are `image` and `label`, all else is static.

    `load` gives read-only numpy arrays; `jax.device_put(dataset)` moves them to the device.
    """

    image: Array  # uint8[n, h, w, c]
    label: Array  # int32[n], from 0 to len(classes) - 1
    name: str
    split: str  # as it was asked for
    source: str  # "tfds", AS_JPEG or "synthetic"
    classes: tuple[str, ...]
    version: str

    def __len__(self) -> int:
        return self.image.shape[0]

    def __repr__(self) -> str:
        count, *shape = getattr(self.image, "shape", ()) or ("?",)  # JAX puts what it likes in the arrays' place
        images = f"{count:,}" if isinstance(count, int) else count
        classes = f"{len(self.classes)} class{'es' * (len(self.classes) != 1)}"
        digest = f", SHA-256 {self.fingerprint[:12]}" if isinstance(self.image, np.ndarray) else ""
        size = "x".join(map(str, shape))
        return f"Dataset({self.name} {self.split}: {images} images of {size}, {classes}{digest})"

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 of these very arrays, see `fingerprint`; not for use under `jit`."""
        return fingerprint(self.image, self.label)

    def head(self, n: int) -> "Dataset":
        """The first `n` images, with a fingerprint of their own; not for use under `jit`.

        Raises UsageError unless `n` is from 1 to `len(self)`.
        """
        if not 1 <= n <= len(self):
            raise UsageError(
                f"can't take the first {n} images of {self.name} {self.split}; ask for 1 to {len(self)} of them"
            )
        split = f"({self.split})[:{n}]" if "+" in self.split else f"{self.split}[:{n}]"
        return create(self.image[:n], self.label[:n], split=split, **_about(self))


jax.tree_util.register_dataclass(
    Dataset,
    data_fields=["image", "label"],
    meta_fields=["name", "split", "source", "classes", "version"],
)


def fingerprint(image: Array, label: Array) -> str:
    """SHA-256, in hex, over the dtype, the shape and the bytes of the images and then of the labels."""
    digest = hashlib.sha256()
    for array in (image, label):
        array = np.ascontiguousarray(array)
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()


def create(
    image: Array, label: Array, *, name: str, split: str, source: str, classes: Sequence[str], version: str
) -> Dataset:
    """A Dataset of these arrays (uint8[n, h, w, c] and int32[n]), made read-only."""
    image, label = np.asarray(image).view(), np.asarray(label).view()  # views: the caller's arrays stay writable
    image.setflags(write=False)
    label.setflags(write=False)
    return Dataset(image, label, name, split, source, tuple(classes), version)


def assemble(spec: str, sizes: Mapping[str, int], whole: Callable[[str], Dataset]) -> Dataset:
    """The Dataset of a split such as "train[:90%]+test", cut from whole splits.

    `sizes` gives the number of examples per split, and `whole(split)`, called once per split that is needed, its
    Dataset. Raises UsageError for what `splits.parse` refuses, before anything is read.
    """
    parts = splits.parse(spec, sizes)
    sets = {split: whole(split) for split in dict.fromkeys(part.split for part in parts)}
    first = sets[parts[0].split]
    if len(parts) == 1 and parts[0].stop - parts[0].start == len(first):
        renamed = dataclasses.replace(first, split=spec)  # nothing to copy, and nothing to hash again
        vars(renamed)["fingerprint"] = first.fingerprint
        return renamed
    if len(parts) == 1:  # a view: no copy of what may be a file larger than the memory
        (_, start, stop) = parts[0]
        return create(first.image[start:stop], first.label[start:stop], split=spec, **_about(first))
    if len(shapes := {part.image.shape[1:] for part in sets.values()}) > 1:
        raise UsageError(f"the splits of {spec!r} differ in their image sizes, {shapes}; load them one by one")
    image = np.concatenate([sets[split].image[start:stop] for split, start, stop in parts])
    label = np.concatenate([sets[split].label[start:stop] for split, start, stop in parts])
    return create(image, label, split=spec, **_about(first))


def _about(dataset: Dataset) -> dict:
    return {field: getattr(dataset, field) for field in ("name", "source", "classes", "version")}
