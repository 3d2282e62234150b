"""Compiled programs stay while a study is used, and go with it."""

import gc
import weakref

import numpy as np
import optax
import tiny
from tiny import ADAM, DATA, HELD_OUT, Tiny, batch, roots

from jaxae import train
from jaxae.run.terminal import compilations
from jaxae.study import Study
from jaxae.train.programs import RECENT, of_study


@of_study()
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
