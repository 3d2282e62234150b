"""`jax.default_device` says where things are computed."""

import jax
import numpy as np
import pytest
from tiny import DATA, HELD_OUT, Wide, assert_same_bits, roots, study

from jaxae import devices, programs, train

pytestmark = pytest.mark.usefixtures("optimised")


def trained(**changes):
    made = study(**{"model": Wide(), "batch_size": 8, "parts": 8, **changes})
    done = train.fit(made, roots(1), DATA, validation=HELD_OUT)
    return done.state, done.evaluate(HELD_OUT)


def test_the_cpu_of_a_gpus_machine_computes_as_any_other(monkeypatch):
    there = jax.devices("cpu")
    expected = trained(name="there")
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    for default in ("cpu", there[0]):
        with jax.default_device(default):
            assert devices.platform() == "cpu"
            assert programs.quickly()
            assert_same_bits(trained(name=f"on {default}"), expected)
    assert devices.platform() == "gpu"
    assert not programs.quickly()


def test_a_default_device_is_the_first_of_its_process():
    there = jax.devices("cpu")
    with jax.default_device(there[1]):
        assert devices.own() == devices.found() == [there[1], there[0], *there[2:]]
        state, _ = trained(name="on the second")
        assert {device for leaf in jax.tree.leaves(state) for device in leaf.devices()} == {there[1]}
    np.testing.assert_array_equal(devices.own(), there)
