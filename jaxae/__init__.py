"""jaxae: autoencoders in JAX and Flax, and the reproducibility studies done with them.

import jaxae as ae

model = ae.models.ConvAutoencoder()
study = ae.Study("conv", model, batch, loss, optax.sgd(1.0), batch_size=10, epochs=10)
trained = ae.train.fit(study, keys, data)          # keys: one per lane
"""

from jaxae import (
    baselines,
    checkpoint,
    data,
    evaluate,
    keys,
    lanes,
    latent,
    losses,
    metrics,
    models,
    plots,
    report,
    results,
    schedules,
    train,
    transforms,
)
from jaxae.arms import Trained
from jaxae.errors import UsageError
from jaxae.flags import Flags
from jaxae.program import cli
from jaxae.run import Run
from jaxae.study import Batch, Claim, State, Study

__version__ = "0.1.0"

__all__ = [
    "Batch",
    "Claim",
    "Flags",
    "Run",
    "State",
    "Study",
    "Trained",
    "UsageError",
    "baselines",
    "checkpoint",
    "cli",
    "data",
    "evaluate",
    "keys",
    "lanes",
    "latent",
    "losses",
    "metrics",
    "models",
    "plots",
    "report",
    "results",
    "schedules",
    "train",
    "transforms",
]
