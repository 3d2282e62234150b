"""Training: pure functions of one lane inside, chunks of compiled steps for many lanes outside."""

from jaxae.train.curves import epoch_means
from jaxae.train.finite import NonFiniteLossError
from jaxae.train.fitting import begin, fit, progress
from jaxae.train.loop import follow, indivisible, init, order, step, steps
from jaxae.train.parts import parts_of
from jaxae.train.plan import Plan, Progress
from jaxae.train.trained import Trained

__all__ = [
    "NonFiniteLossError",
    "Plan",
    "Progress",
    "Trained",
    "begin",
    "epoch_means",
    "fit",
    "follow",
    "indivisible",
    "init",
    "order",
    "parts_of",
    "progress",
    "step",
    "steps",
]
