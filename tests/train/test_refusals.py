"""What can't be trained is refused in one sentence, before training is compiled."""

from dataclasses import dataclass, replace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from prepared import refused
from tiny import DATA, HELD_OUT, IMAGES, Tiny, Wide, by_rate, image_loss, lane, loss, roots, study

from jaxae import devices, keys, train
from jaxae.errors import Notice, UsageError
from jaxae.models import MLPAutoencoder, Output
from jaxae.study import Arm, Batch, Study
from jaxae.train import evaluate
from jaxae.train.lanes import Lanes
from jaxae.transforms import to_unit


def of_a_set(key, data, index):
    return Batch(data.image[index], data.image[index])


def fit_loss(wrong):
    return train.fit(study(loss=wrong), roots(1), DATA)


def fit_tiny(**changes):
    return train.fit(study(**changes), roots(1), DATA)


@dataclass
class Unhashable:
    """A loss with fields, which nobody froze."""

    weight: float = 1.0

    def __call__(self, outputs, batch, hparams):
        return loss(outputs, batch, hparams)


SGD = optax.sgd(0.1)
LISTED = MLPAutoencoder(hidden=[3])  # type: ignore[arg-type]


class Nothing(nn.Module):
    """A model that can't be applied."""


class Drawing(nn.Module):
    """Of a stream that nobody knows."""

    @nn.compact
    def __call__(self, x, *, train=False):
        return Output(image=x + jax.random.normal(self.make_rng("noise"), x.shape) + nn.Dense(1)(x))


class Keeping(nn.Module):
    """With variables of a collection that nobody knows."""

    @nn.compact
    def __call__(self, x, *, train=False):
        self.variable("ema", "mean", jnp.zeros, ())
        return Output(image=nn.Dense(3)(x))


class Forward(nn.Module):
    """As in PyTorch."""

    def forward(self, x):
        return x


def begun(epochs, **changes):
    return train.begin(study(**changes), roots(1), DATA, train.Plan(epochs))


def indexed(key, data):
    """A pass of fewer entries than there are examples."""
    return jnp.zeros(4, jnp.int32)


def evaluated(scores):
    begun_state = lane(begun(1).state, 0)
    return evaluate.over(study(), keys.root(0), begun_state, DATA, scores)


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
        (
            lambda: fit_tiny(index=indexed),
            r"index of 'tiny' has shape \(4,\) and the data have 22 examples; give Study\(",
        ),
        (
            lambda: fit_tiny(model=Drawing()),
            "Drawing draws from a stream that it isn't given .*; draw from self",
        ),
        (lambda: fit_tiny(model=Keeping()), "Keeping has variables 'ema', which training doesn't keep; have them in"),
        (
            lambda: train.fit(study(), roots(1), DATA, start=begun(3, model=Wide())),
            r"start has nothing as batch_stats/.* and this study has \(\(1, 4\), .float32.\); go on with the model, o",
        ),
        (lambda: train.fit(study(), roots(1), DATA, start=begun(3, optimizer=SGD)), "start has nothing as opt_state"),
        (lambda: Lanes("pmap"), "map or vmap, not 'pmap'"),  # type: ignore[arg-type]
        (lambda: Lanes("map", 99), r"devices is 99 and \d+ are there; give a whole number from 1 to"),
        (lambda: train.fit(study(), roots(1), DATA, devices=99), "devices is 99 and"),
        (lambda: train.fit(study(), roots(1), DATA, devices=0), "devices is 0 and"),
        (lambda: train.fit(study(), roots(1), None), "the data, None, hold no array; give arrays that"),
        (lambda: train.fit(study(), roots(1), "mnist"), "the training data are 'mnist'; give arrays, such as"),
        (lambda: train.fit(study(), roots(1), [object()]), r"the training data\[0\] are of type object; give arrays"),
        (lambda: train.fit(study(), roots(1), DATA, validation="test"), "the validation data are 'test'; give arrays"),
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
        (
            lambda: fit_loss(lambda outputs, *_: (outputs.image.mean()[None], {})),
            r"gives loss in shape \(1,\); give one",
        ),
        (
            lambda: evaluated(lambda outputs, *_: {"all": outputs.image}),
            r"of 'tiny' gives all in shape \(22, 3\); give one",
        ),
        (lambda: evaluated(lambda outputs, *_: {"all": outputs.image.mean()}), r"gives all in shape \(\); give one"),
        (lambda: evaluated(lambda outputs, *_: outputs.image), r"gives an array of shape \(22, 3\); give a dictionary"),
        (
            lambda: Arm(study(), {"a": None, "b": {"rate": 1.0}}),
            r"settings of 'tiny' are 'a': .*, 'b': .*; give one or",
        ),
        (lambda: Arm(study(), {}), "settings of 'tiny' are none; give one or more"),
        (lambda: fit_loss(lambda outputs, *_: (outputs.image.mean(1), {"all": outputs.image})), r"gives all in shape"),
        (lambda: study(optimizer=None), "optimizer is None; give an optax transformation"),
        (lambda: train.fit(study(optimizer=lambda hparams: 0.1), roots(1), DATA), "is 0.1, made of hparams"),
        (lambda: study(optimizer=optax.sgd), r"optimizer is optax\.sgd itself; call it, as in optax\.sgd\("),
        (
            lambda: study(optimizer=optax.linear_schedule(1, 0, 9)),
            "optimizer is a schedule of optax's, or the like; give",
        ),
        (
            lambda: train.fit(replace(study(), model=LISTED), roots(1), DATA),
            "MLPAutoencoder can't be hashed; give tuples",
        ),
        (
            lambda: fit_tiny(schedule=lambda hparams, step: {"rate": hparams["rate"]}),
            "schedule of 'tiny' is a func",
        ),
        (
            lambda: train.fit(study(schedule=lambda hparams, step: 0.1), roots(1), DATA, hparams={"a": np.ones(1)}),
            r"the schedule of 'tiny' gets .*'a'.* and gives .*; let it give the same names",
        ),
        (
            lambda: train.fit(replace(study(), loss=Unhashable()), roots(1), DATA),
            "the loss of 'tiny' can't be hashed; give",
        ),
        (lambda: fit_tiny(optimizer=by_rate), r"and none are given \('NoneType'.*; give fit\(\.\.\., hparams=\.\.\.\)"),
        (lambda: fit_tiny(optimizer=lambda h: optax.sgd(h.rate)), "and none are given .*has no attribute 'rate'"),
        (lambda: study(model=Forward()), r"Forward has forward, not __call__; .* is called __call__\(self, inputs"),  # type: ignore[arg-type]
        (lambda: study(model=Nothing()), "the model Nothing has no __call__; "),  # type: ignore[arg-type]
        (lambda: study(model=nn.Dense(3)), "the model Dense can't be called with inputs and train=True; give it __c"),  # type: ignore[arg-type]
        (lambda: study(loss=lambda outputs, batch: 0), r"function <lambda>\(outputs, batch\); let it take \("),
        (lambda: study(scores=loss), r"scores is the function loss\(outputs, batch, hparams\); let it take \(outputs"),
        (lambda: study(batch=lambda data, index: 0), r"batch is the function .*; let it take \(key, data, index\)"),
        (lambda: study(model="conv"), "model is 'conv'; give a Flax module"),
        (lambda: study(model=Tiny), "model is of type .*; give a Flax"),
        (lambda: study(batch_size=5.0), r"batch_size is 5\.0; give a whole number"),
        (lambda: study(batch_size=0), "batch_size is 0; give a whole number from 1 up"),
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


def test_the_cpus_devices_that_could_be_there_are_said(monkeypatch):
    monkeypatch.setattr(devices, "found", lambda: [None])
    for cores, more in (2, r"; ae\.set_up\(\) before the first array gives a CPU as many as it has cores"), (1, ""):
        monkeypatch.setattr(devices, "cores", lambda cores=cores: cores)
        refused(f"devices is 2 and 1 are there; give a whole number from 1 to 1{more}$", Lanes, "map", 2)


def image_study(batch):
    model = MLPAutoencoder(image_shape=(12, 12, 1), hidden=(2,))
    return Study("bytes", model, batch, image_loss, optax.sgd(1e-9), batch_size=5, epochs=1)


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_bytes_that_no_batch_scales_are_noticed(kind):
    def scaled(key, data, index):  # drawn for its own size of batch
        return Batch(data[index] / 255 + 0.1 * jax.random.normal(key, (5, 12, 12, 1)), to_unit(jnp.uint8(data[index])))

    def unscaled(key, data, index):
        return Batch(*2 * [data[index].astype(np.float32)])

    stored = np.round(255 * IMAGES).astype(kind)
    with pytest.warns(Notice, match="of 'bytes' leaves training images from 0 to 255 .* or divide by 255") as told:
        train.fit(image_study(unscaled), roots(1), stored)
    assert told[0].filename == __file__
    with pytest.warns(Notice, match="leaves validation images"):
        train.fit(replace(image_study(scaled), eval_batch=unscaled), roots(1), stored, validation=stored[:5])
    train.fit(image_study(scaled), roots(1), stored)  # warnings are errors
    train.fit(image_study(unscaled), roots(1), np.round(IMAGES))
