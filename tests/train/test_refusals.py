"""What can't be trained is refused in one sentence, before training is compiled."""

import jax.numpy as jnp
import numpy as np
import pytest
from tiny import DATA, HELD_OUT, Tiny, by_rate, loss, roots, study

from jaxae import keys, train
from jaxae.errors import UsageError
from jaxae.study import Batch
from jaxae.train.lanes import Lanes


def of_a_set(key, data, index):
    return Batch(data.image[index], data.image[index])


def fit_loss(wrong):
    return train.fit(study(loss=wrong), roots(1), DATA)


def begun(epochs):
    return train.begin(study(), roots(1), DATA, train.Plan(epochs))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: train.fit(study(batch_size=23), roots(1), DATA), "batch of 23.*22 examples"),
        (lambda: train.Plan(0), "epochs is 0"),
        (lambda: train.Plan(1, patience=0), "patience is 0"),
        (lambda: train.Plan(1.5), r"epochs is 1\.5; give a whole number"),  # type: ignore[arg-type]
        (lambda: train.fit(study(), roots(1), DATA, patience=2), "patience=2 without validation data"),
        (lambda: train.fit(study(), roots(1), DATA, stop_dead=True), "stop_dead=True without validation data"),
        (lambda: train.Plan(1, stop_dead=1), "stop_dead is 1; give True or False"),  # type: ignore[arg-type]
        (lambda: train.fit(study(), roots(1), DATA, validate_every=2), "validate_every=2 without validation data"),
        (lambda: train.fit(study(), roots(1), DATA, start=begun(2)), r"losses of shapes \[\(1, 8\)\] .* \[\(1, 12\)\]"),
        (
            lambda: train.fit(study(), roots(1), DATA, validation=HELD_OUT, start=begun(3)),
            r"start has validation losses of shapes \[\] and this training has \[\(1, 3\)\]",
        ),
        (lambda: Lanes("pmap"), "map or vmap, not 'pmap'"),  # type: ignore[arg-type]
        (lambda: Lanes("map", 99), r"devices is 99 and \d+ are there; give a whole number from 1 to"),
        (lambda: train.fit(study(), roots(1), DATA, devices=99), "devices is 99 and"),
        (lambda: train.fit(study(), roots(1), DATA, devices=0), "devices is 0 and"),
        (lambda: train.fit(study(), roots(1), (DATA, HELD_OUT)), "leading axes of sizes"),
        (lambda: train.fit(study(), roots(1), DATA, epochs=0), "epochs is 0"),
        (lambda: train.fit(study(), roots(1), DATA, lanes="pmap"), "map or vmap, not 'pmap'"),  # type: ignore[arg-type]
        (lambda: train.fit(study(), roots(1), DATA, lanes=""), "map or vmap, not ''"),  # type: ignore[arg-type]
        (lambda: train.fit(study(), keys.root(0), DATA), r"shape \(\) aren't one typed key for each lane"),
        (lambda: train.fit(study(), jnp.zeros((1, 2), jnp.uint32), DATA), "type uint32 and shape"),
        (lambda: train.fit(study(), [keys.root(0)], DATA), "keys of type list .* one typed key for each lane"),  # type: ignore[arg-type]
        (lambda: train.fit(study(), roots(1)[:0], DATA), r"shape \(0,\) aren't one typed key for each lane"),
        (lambda: train.fit(study(), roots(1), DATA, show=True), "show is True; give a function"),  # type: ignore[arg-type]
        (lambda: train.fit(study(), roots(1), DATA, validation=3), "a single value, not examples"),
        (lambda: train.fit(study(), roots(1), DATA, validation=HELD_OUT[:0]), "no examples to evaluate; choose"),
        (
            lambda: train.fit(study(batch=of_a_set), roots(1), DATA),
            r"can't be made of the training data, ndarray \(Attr",
        ),
        (
            lambda: train.fit(study(batch=lambda key, data, index: (data[index], data[index])), roots(1), DATA),
            r"is of type tuple; return an ae\.Batch",
        ),
        (lambda: fit_loss(lambda outputs, batch, hparams: loss(outputs, batch, hparams)[0]), r"shape \(5,\); give the"),
        (lambda: fit_loss(lambda outputs, *_: (outputs.image.mean(), {})), r"gives loss in shape \(\); give one value"),
        (lambda: fit_loss(lambda outputs, *_: (outputs.image.mean(1), {"all": outputs.image})), r"gives all in shape"),
        (lambda: study(optimizer=None), "optimizer is None; give an optax transformation"),
        (lambda: train.fit(study(optimizer=lambda hparams: 0.1), roots(1), DATA), "is 0.1, made of hparams"),
        (lambda: study(model="conv"), "model is 'conv'; give a Flax module"),
        (lambda: study(model=Tiny), "model is of type .*; give a Flax"),
        (lambda: study(batch_size=5.0), r"batch_size is 5\.0; give a whole number"),
        (lambda: study(batch_size=-1), "batch_size is -1; give a whole number from 1 up"),
        (lambda: study(unroll=0), "unroll is 0; give a whole number from 1 up"),
        (lambda: study(scale=3), "scale is 3; give ae.transforms.UNIT"),
        (lambda: study(name=""), "name is ''; give a text"),
        (lambda: study(scores="mse"), "scores is .mse.; give a function"),
        (
            lambda: train.fit(study(optimizer=by_rate), roots(2), DATA, hparams={"rate": np.float32(0.1)}),
            r"hparams\['rate'\] has shape \(\) and there are 2 lanes; lead with the lanes",
        ),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, words):
    with pytest.raises(UsageError, match=words):
        call()
