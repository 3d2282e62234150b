"""Lanes side by side where memory allows: how many there are, and that turns change nothing but roundings."""

import dataclasses
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax
from tiny import DATA, HELD_OUT, IMAGES, Wide, batch, image_loss, loss, noiseless, result, roots

from jaxae import train
from jaxae.models import ConvAutoencoder
from jaxae.run.flags import Flags
from jaxae.run.training import side_by_side
from jaxae.study import Arm, Study
from jaxae.train import loop, memory
from jaxae.train.lanes import Lanes

SETS = {"training": IMAGES, "validation": None, "test": IMAGES[:7]}

CONV = Study(
    "conv", ConvAutoencoder(image_shape=(12, 12, 1)), noiseless, image_loss, optax.sgd(0.1), batch_size=16, epochs=1
)

DENSE = Study("dense", Wide(), batch, loss, optax.sgd(0.1), batch_size=4, epochs=1)


def fitting(count: int, room: float) -> int:
    """Of so many lanes, in the memory of so many."""
    state, working = memory._needs(CONV, roots(1)[0], SETS, None)
    size = int((room * working + memory.STATES * state * count + IMAGES.nbytes) / memory.ROOM) + 1
    return memory.beside(CONV, roots(1)[0], count, SETS, None, memory=size, images=IMAGES.nbytes)


@pytest.mark.usefixtures("optimised")
def test_a_lane_counts_with_more_than_its_step_takes():
    key = roots(1)[0]
    state = jax.eval_shape(lambda: loop.init(CONV, key, IMAGES))
    index = loop.any_index(CONV, IMAGES, CONV.batch_size)
    step = jax.jit(lambda *arguments: loop.step(CONV, *arguments))
    taken = step.lower(key, state, IMAGES, index).compile().memory_analysis()
    assert taken is not None
    counted, working = memory._needs(CONV, key, SETS, None)
    assert counted == sum(leaf.nbytes for leaf in jax.tree.leaves(loop.init(CONV, key, IMAGES)))
    assert taken.temp_size_in_bytes < working < 10 * taken.temp_size_in_bytes


def test_of_an_operations_forms_the_largest_counts():
    def forms(x):
        wide = jnp.ones((4, 8))
        return lax.platform_dependent(x, cpu=lambda x: (x @ wide)[:, :4], default=lambda x: x @ wide[:, :4])

    x = jnp.ones((2, 4))
    assert memory._computed(jax.make_jaxpr(forms)(x).jaxpr) == 2 * 8 * x.itemsize
    assert memory._computed(jax.make_jaxpr(lambda x: forms(x) @ x.T)(x).jaxpr) == (2 * 8 + 2 * 2) * x.itemsize


@pytest.mark.parametrize(
    ("count", "room", "beside"), [(5, 9, 5), (5, 5, 5), (5, 4.9, 3), (10, 4, 4), (9, 4, 3), (5, 1, 1), (5, 0.1, 1)]
)
def test_lanes_that_do_not_fit_together_take_turns_of_like_length(count, room, beside):
    assert fitting(count, room) == beside


def test_turns_change_nothing_but_roundings():
    def trained(how: Lanes):
        *_, last = train.progress(DENSE, roots(5), DATA, train.Plan(2), validation=HELD_OUT, how=how)
        return jax.tree.map(np.asarray, result(last))

    whole = trained(Lanes("vmap"))
    for how in (Lanes("vmap", beside=2), Lanes("vmap", 2, beside=2)):
        for a, b in zip(*(jax.tree.leaves(one) for one in (whole, trained(how))), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_run_says_how_many_lanes_take_turns_and_by_map_asks_no_device(monkeypatch):
    said: list[str] = []
    run: Any = SimpleNamespace(config=Flags(), say=said.append)
    arm, keys = Arm(CONV), roots(5)
    assert side_by_side(run, arm, keys, Lanes("vmap"), SETS) == Lanes("vmap")  # a CPU doesn't tell its memory
    monkeypatch.setattr(memory, "capacity", lambda: 1)
    assert side_by_side(run, arm, keys, Lanes(), SETS) == Lanes()
    assert side_by_side(run, arm, keys, Lanes("vmap", 2), SETS) == Lanes("vmap", 2, beside=1)
    assert said == ["conv: 5 lanes take turns, 1 at a time on each device: more have no room side by side"]
    assert train.fit(CONV, roots(2), IMAGES, lanes="vmap", devices=1).how.beside == 1
    monkeypatch.setattr(memory, "capacity", lambda: 2**30)
    assert side_by_side(run, arm, keys, dataclasses.replace(Lanes("vmap"), stream=True), SETS).beside == 0
