"""What `fit` says of images in a range that no model draws in: bytes, as other libraries read them into floats."""

import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxae.errors import Notice
from jaxae.keys import stream
from jaxae.study import Study

SEEN = 64  # examples that are looked at


def note_bytes(study: Study, key: jax.Array, data: Any) -> None:
    """Give a Notice where a batch has floating images of whole numbers from 0 to 255, some above 1.

    It is made only of data that are like that, and may have scaled them.
    """
    if not any(map(_are_bytes, jax.tree.leaves(data))):
        return
    data = jax.tree.map(jnp.asarray, data)
    index = study.one_pass(stream(key, "index", 0), data)[:SEEN].astype(jnp.int32)
    batch = study.batch(stream(key, "batch", 0), data, index)
    if any(map(_are_bytes, jax.tree.leaves((batch.inputs, batch.target)))):
        warnings.warn(
            f"{study.name!r} is given images of whole numbers from 0 to 255, as floats, and models draw from 0 to 1; "
            "give uint8 images to a batch that scales them, or divide by 255",
            Notice,
            stacklevel=3,
        )


def _are_bytes(leaf: Any) -> bool:
    """Whether these are floats (n, h, w, c) of whole numbers from 0 to 255, some above 1."""
    if np.ndim(leaf) != 4 or not jnp.issubdtype(leaf.dtype, jnp.floating):
        return False
    values = np.asarray(leaf[:SEEN])
    return bool(values.size and 1 < values.max() <= 255 and values.min() >= 0 and not (values % 1).any())
