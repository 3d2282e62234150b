"""What a study refuses: models, optimizers and functions that can't be its own, and what they give."""

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import flax.linen as nn
import numpy as np
import optax
from flax import errors

from jaxae.errors import UsageError


def refuse_other_values(whose: str, found: Any, count: int) -> None:
    """Raise UsageError, while tracing, unless `found` is {name: f32[count]}, one value for each of so many examples.

    `whose` begins the sentence: "the evaluation of 'conv'".
    """
    if not isinstance(found, Mapping):
        raise UsageError(f"{whose} gives {told(found)}; give a dictionary, {{name: one value per example}}")
    for name, values in found.items():
        if np.shape(values) != (count,):
            raise UsageError(not_of_each(whose, name, values, str(count)))


def not_of_each(whose: str, name: str, values: Any, count: str) -> str:
    """The sentence on what isn't one value for each example."""
    return (
        f"{whose} gives {name} in shape {np.shape(values)}; give one value per example, f32[{count}]: the mean over "
        "them is taken later"
    )


@contextlib.contextmanager
def streams_known(model: nn.Module) -> Iterator[None]:
    """Within it a model that draws from a stream which there isn't raises UsageError."""
    try:
        yield
    except errors.InvalidRngError as error:
        raise UsageError(
            f"the model {type(model).__name__} draws from a stream that it isn't given ({str(error)[:80]}); draw from "
            'self.make_rng("sample"), in training also from "dropout"'
        ) from error


def refuse_model(model: Any) -> None:
    """Raise UsageError for what is no module, or can't be called as it will be."""
    if not isinstance(model, nn.Module):
        raise UsageError(f"model is {told(model)}; give a Flax module, such as ae.models.MLPAutoencoder()")
    kind, wanted = type(model).__name__, "__call__(self, inputs, *, train=False)"
    if not callable(model):
        has = "forward, not __call__" if hasattr(model, "forward") else "no __call__"
        raise UsageError(f"the model {kind} has {has}; what Flax applies is called {wanted}")
    if not _takes(model, "inputs", train=True):
        raise UsageError(f"the model {kind} can't be called with inputs and train=True; give it {wanted}")


def refuse_optimizer(optimizer: Any) -> None:
    """Raise UsageError for what is no optimizer, and for a function of optax's, which would get hparams."""
    if isinstance(optimizer, optax.GradientTransformation):
        return
    if not callable(optimizer):
        raise UsageError(
            f"optimizer is {told(optimizer)}; give an optax transformation, such as optax.adam(1e-3), or a function "
            "of hparams that returns one"
        )
    if str(getattr(optimizer, "__module__", "")).partition(".")[0] == "optax":
        if "<locals>" in getattr(optimizer, "__qualname__", ""):
            raise UsageError("optimizer is a schedule of optax's, or the like; give it as a rate, as in optax.adam(it)")
        name = f"optax.{getattr(optimizer, '__name__', type(optimizer).__name__)}"
        raise UsageError(f"optimizer is {name} itself; call it, as in {name}(1e-3), or give a function of hparams")


def refuse_function(name: str, value: Any, given: tuple[str, ...]) -> None:
    """Raise UsageError for a field that is no function, or none of so many values."""
    if value is None and name in ("eval_batch", "index", "schedule"):
        return
    if not callable(value):
        raise UsageError(f"{name} is {told(value)}; give a function, as Study's docstring describes it")
    if not _takes(value, *given):
        called = getattr(value, "__name__", type(value).__name__)
        raise UsageError(f"{name} is the function {called}{inspect.signature(value)}; let it take ({', '.join(given)})")


def _takes(function: Callable[..., Any], *given: Any, **named: Any) -> bool:
    """Whether a function can be called so, as far as Python tells: of some it doesn't."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(*given, **named)
    except TypeError:
        return False
    return True


def told(value: Any) -> str:
    """A value in a sentence: an array by its shape, what is short as it is, and the rest by its type."""
    if hasattr(value, "shape"):
        return f"an array of shape {value.shape}"
    short = isinstance(value, str | int | float | None) and len(repr(value)) < 40
    return repr(value) if short else f"of type {type(value).__name__}"
