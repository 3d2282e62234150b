"""Compiled programs stay while a study or a model is used, and go with it."""

import ctypes
import gc
import os
import weakref
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny
from tiny import ADAM, DATA, HELD_OUT, Tiny, batch, roots

import jaxae as ae
from jaxae import train
from jaxae.models import MLPAutoencoder
from jaxae.programs import RECENT, give_back, of_first
from jaxae.run.terminal import compilations
from jaxae.study import Study


@of_first()
def width(study, number):
    return number + study.batch_size


def fresh(optimizer=ADAM):
    """A study that equals no other."""

    def loss(outputs, batch, hparams):
        return tiny.loss(outputs, batch, hparams)

    return Study("fresh", Tiny(), batch, loss, optimizer, batch_size=5, epochs=1, scores=tiny.scores)


def use_others(count):
    """So many other studies are used."""
    for _ in range(count):
        width(fresh(), 1)
    gc.collect()


def test_what_was_compiled_of_a_study_goes_with_it():
    study = fresh()
    forgotten = [weakref.ref(study), weakref.ref(study.loss)]
    done = train.fit(study, roots(1), DATA, validation=HELD_OUT)
    done.evaluate(DATA)
    done.sample(DATA, np.arange(2))
    del study, done
    gc.collect()
    assert all(there() for there in forgotten)  # an equal one may come
    use_others(RECENT)
    assert not any(there() for there in forgotten)


def test_a_study_that_is_kept_keeps_its_programs_however_many_others_come():
    study = fresh(optax.sgd(0.1))
    assert width(study, 1) == 6
    use_others(RECENT + 1)
    seen = compilations()
    before = len(seen)
    assert width(study, 2) == 7
    assert len(seen) == before


def test_what_was_compiled_of_a_loaded_model_goes_with_it():
    class Mine(MLPAutoencoder):
        """A model that equals no other."""

    def loaded():
        model = Mine(hidden=(3,), code_size=2, image_shape=(4, 4, 1))
        images = np.zeros((2, 4, 4, 1), np.uint8)
        return ae.Fitted(
            "mine", model, model.init(ae.keys.root(0), jnp.zeros((1, 4, 4, 1))), ae.transforms.UNIT
        ), images

    one, images = loaded()
    forgotten = weakref.ref(one.model)
    one.reconstruct(images)
    one.outputs(images)
    ae.latent.encode(one.model, one.variables, images)
    equal, seen = loaded()[0], compilations()
    before = len(seen)
    equal.reconstruct(images)
    assert len(seen) == before
    del one, equal
    use_others(RECENT)
    assert forgotten() is None


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library isn't glibc")
def test_free_memory_between_what_is_used_goes_back_to_the_system():
    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    blocks = [bytes(20_000) for _ in range(10_000)]
    full, blocks[:] = resident(), blocks[::20]  # glibc alone gives back what is free at its end
    kept = resident()
    give_back()
    assert kept - resident() > (full - resident()) / 3 > 30_000_000
