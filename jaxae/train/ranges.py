"""What `fit` says of images in a range that models don't draw in: bytes that no batch scales."""

import contextlib
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxae.train.loop as loop
from jaxae.errors import Notice
from jaxae.programs import of_first
from jaxae.study import Study

WHITE = 255
SEEN = 64  # examples by which floats are told to be bytes


def note_bytes(study: Study, key: jax.Array, data: Any, validation: Any) -> None:
    """Give a Notice where a batch leaves images of whole numbers from 0 to 255 as they are, stored or floating.

    It is asked what it makes of white ones, without those that are there.
    """
    for role, given in (("training", data), ("validation", validation)):
        leaves, tree = jax.tree.flatten(given)
        if any(map(_are_bytes, leaves)) and _largest_of(study, key, leaves, tree, role) > WHITE / 2:
            warnings.warn(
                f"the batch of {study.name!r} leaves {role} images from 0 to {WHITE} as they are, and models are made "
                "for smaller numbers: scale them, as ae.transforms.to_unit does, or divide by 255",
                Notice,
                stacklevel=3,
            )


def _are_bytes(leaf: Any) -> bool:
    """Whether these are images (n, h, w, c) of uint8, or floating ones of whole numbers from 0 to 255, some above 1."""
    if np.ndim(leaf) != 4 or not jnp.issubdtype(leaf.dtype, jnp.floating):
        return np.ndim(leaf) == 4 and leaf.dtype == jnp.uint8
    values = np.asarray(leaf[:SEEN])
    return bool(values.size and 1 < values.max() <= WHITE and values.min() >= 0 and not (values % 1).any())


def _largest_of(study, key, leaves, tree, role) -> float:
    with contextlib.suppress(Exception):  # a batch that can't be asked isn't wrong for that
        kinds = tuple((np.shape(leaf), jnp.result_type(leaf), _are_bytes(leaf)) for leaf in leaves)
        return float(_largest(study, key, tree, kinds, role == "validation"))
    return 0.0


@of_first(quick=True, static_argnames=("tree", "kinds", "evaluating"))
def _largest(study, key, tree, kinds, evaluating):
    """The largest number in a batch of white images, all else being 0."""
    data = tree.unflatten([jnp.full(shape, WHITE * white, dtype) for shape, dtype, white in kinds])
    make = (study.eval_batch or study.batch) if evaluating else study.batch
    batch = make(key, data, loop.any_index(study, data, study.batch_size))
    seen = [leaf.max() for leaf in jax.tree.leaves((batch.inputs, batch.target)) if _is_real(leaf)]
    return jnp.stack(jax.tree.map(jnp.float32, seen)).max()


def _is_real(leaf: Any) -> bool:
    return leaf.ndim == 4 and leaf.size > 0 and jnp.issubdtype(leaf.dtype, jnp.number)
