"""jaxae: autoencoders in JAX and Flax, and the reproducibility studies done with them.

    import jaxae as ae

    model = ae.models.ConvAutoencoder()
    study = ae.Study("conv", model, batch, loss, optax.sgd(1.0), batch_size=10, epochs=10)
    trained = ae.train.fit(study, keys, data)          # keys: one per lane

Importing this does nothing: each part is imported when it is first used.
"""

import importlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxae import baselines, data, keys, latent, losses, metrics, models, report, schedules, train, transforms
    from jaxae import findings as results
    from jaxae.errors import UsageError
    from jaxae.findings import Claim, Findings
    from jaxae.fitted import Fitted
    from jaxae.report import Document, Table, plots
    from jaxae.run.command_line import cli, set_up
    from jaxae.run.experiment import Experiment
    from jaxae.run.export import export, load_program
    from jaxae.run.flags import Flags
    from jaxae.run.model_files import load, save
    from jaxae.run.run import Run
    from jaxae.study import Arm, Batch, State, Study
    from jaxae.train import Trained, checkpoint, evaluate, lanes

_PARTS = {  # where each public name is, "module" or "module:name"
    "Arm": "study:Arm",
    "Batch": "study:Batch",
    "Claim": "findings:Claim",
    "Document": "report:Document",
    "Experiment": "run.experiment:Experiment",
    "Findings": "findings:Findings",
    "Fitted": "fitted:Fitted",
    "Flags": "run.flags:Flags",
    "Run": "run.run:Run",
    "State": "study:State",
    "Study": "study:Study",
    "Table": "report:Table",
    "Trained": "train:Trained",
    "UsageError": "errors:UsageError",
    "baselines": "baselines",
    "checkpoint": "train.checkpoint",
    "cli": "run.command_line:cli",
    "data": "data",
    "evaluate": "train.evaluate",
    "export": "run.export:export",
    "keys": "keys",
    "lanes": "train.lanes",
    "latent": "latent",
    "load": "run.model_files:load",
    "load_program": "run.export:load_program",
    "losses": "losses",
    "metrics": "metrics",
    "models": "models",
    "plots": "report.plots",
    "report": "report",
    "results": "findings",
    "save": "run.model_files:save",
    "schedules": "schedules",
    "set_up": "run.command_line:set_up",
    "train": "train",
    "transforms": "transforms",
}

if sys.argv[:1] == ["-m"]:  # where `python -m` starts a program of jaxae's
    # Ctrl-C while its parts are imported ends it, without a traceback; then `with_errors` has it as usual again
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # JAX reads this while it is imported, and takes what is no number of devices badly, or minutes for very many
    _DEVICES = os.environ.get("JAX_NUM_CPU_DEVICES", "1")
    if not (_DEVICES.isdecimal() and 1 <= int(_DEVICES) <= 1024):
        print(
            f"error: JAX_NUM_CPU_DEVICES is {_DEVICES!r}; give a whole number from 1 to 1024, or unset it",
            file=sys.stderr,
        )
        sys.exit(2)

__all__ = [*_PARTS]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib import metadata

        return metadata.version("jaxae")
    if name not in _PARTS:
        raise AttributeError(f"module 'jaxae' has no attribute {name!r}")
    module, _, inside = _PARTS[name].partition(":")
    found = importlib.import_module(f"jaxae.{module}")
    value = getattr(found, inside) if inside else found
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
